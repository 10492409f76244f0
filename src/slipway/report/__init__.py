"""What people read of a model: numbers in words, plots, the report and the card. Training writes it, the service shows it."""
