"""Where tables come from: files now; MongoDB and S3 join here."""

from slipway.sources.files import read_table, source_files

__all__ = ["read_table", "source_files"]
