"""Where the raw files of the prediction log are, and their names. A box ships them by these alone."""

FOLDER = "log"  # its usual name beside slipway.yaml, and in the remote store
RAW = "raw"
OPEN, CLOSED = ".jsonl.open", ".jsonl"
