"""What is missing on the way to production, as seen from here: each part gathers facts, then judges them."""
