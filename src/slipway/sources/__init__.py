"""Where tables come from: files, S3, MongoDB and SQL databases, all as record batches."""
