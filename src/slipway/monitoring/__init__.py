"""What production says: the prediction log, labels, drift, live quality, and whether to train again."""
