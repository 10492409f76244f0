"""What answers: the bundle, its encoding, the predictor, and the explanation of an answer."""
