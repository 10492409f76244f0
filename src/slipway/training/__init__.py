"""From a frame to a verdict: split, compare, evaluate, export, gate."""
