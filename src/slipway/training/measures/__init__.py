"""What answers are to reach, and how sure their metrics are: the goal, and bootstrap draws."""
