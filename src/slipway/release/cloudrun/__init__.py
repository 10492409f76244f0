"""Google Cloud Run: a revision without traffic, then all of the traffic to it."""
