"""The bundle, its encoding, the predictor, and the explanation of an answer."""
