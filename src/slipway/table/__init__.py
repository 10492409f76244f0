"""What a table says: its schema, how its cells are read, and the rules that a row must keep."""
