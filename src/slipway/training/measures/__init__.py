"""How good answers are, and how sure that is: metrics, what they are to reach, and bootstrap draws of them."""
