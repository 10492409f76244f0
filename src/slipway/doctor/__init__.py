"""What a commit needs on its way to production, looked at from here: each part gathers facts, then judges them."""
