"""Where tables come from: files now; MongoDB and S3 join here."""
