"""What a look at a table finds before anything is learned from it, and the slipway.yaml that follows."""
