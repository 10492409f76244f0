"""The image of a commit: its release key, its labels, and whether a registry has it."""
