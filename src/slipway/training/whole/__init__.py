"""Learning from all rows of a table that is larger than the sample, on the cluster that has it."""
