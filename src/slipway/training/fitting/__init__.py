"""The kinds of models: what each needs done to its columns, one fit, and the graph of a fitted one."""
