"""Rows of a stream: read in batches, answered as the service does, and acknowledged once the answers are written."""
