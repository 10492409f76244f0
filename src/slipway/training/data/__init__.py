"""The rows that a training learns from and the rows that it holds out: sampled, divided, kept with their kin."""
