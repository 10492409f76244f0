"""Where tables come from: files, S3 and MongoDB, all as record batches."""
