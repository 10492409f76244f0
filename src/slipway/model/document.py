"""Reads a regular file of the store, and parses JSON."""

import errno
import json
import os
import stat
from pathlib import Path
from typing import Any


def read_plain(path: Path) -> bytes:
    """The content of a regular file; OSError for anything else, because a pipe may never end."""
    with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "not a plain file")
        return file.read()


def parse(content: bytes) -> Any:
    """JSON; ValueError when it is not, or nested deeper than Python reads."""
    try:
        return json.loads(content)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def parsed_or_none(content: bytes) -> Any:
    """JSON; None when it is not."""
    try:
        return parse(content)
    except ValueError:
        return None
