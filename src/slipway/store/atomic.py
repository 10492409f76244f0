"""Writes that a crash cannot leave incomplete."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slipway.errors import SlipwayError, StoreError

NO_RIGHT = "Get write permission there"
FULL = "Free disk space, and run the same command again"
CURES = {
    errno.EACCES: NO_RIGHT,
    errno.EPERM: NO_RIGHT,
    errno.EROFS: NO_RIGHT,
    errno.ENOSPC: FULL,
    errno.EDQUOT: FULL,
    errno.EFBIG: "Raise the limit on file size (ulimit -f), and run the same command again",
}


def unwritable(path: Path, error: OSError, kind: type[SlipwayError] = StoreError) -> SlipwayError:
    """The error for a failed write to `path`, with what to do."""
    return kind(f"{path}: cannot be written ({error.strerror})", CURES.get(error.errno or 0, ""))


@contextmanager
def locked(path: Path, how: int = fcntl.LOCK_EX) -> Iterator[None]:
    """Lock an existing file or folder, by default exclusively. The system releases it when the process dies."""
    handle = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(handle, how)
        yield
    finally:
        os.close(handle)


def sync_folder(folder: Path) -> None:
    """Make renames inside `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_synced(path: Path, content: bytes) -> None:
    """Write a new file and flush it to the disk (fsync)."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def put(draft: Path, final: Path) -> None:
    """Move a file on the disk into place by a rename that survives a power cut."""
    os.replace(draft, final)
    sync_folder(final.parent)


def replace(path: Path, content: bytes) -> None:
    """Replace the content of `path`: readers see the old or the new content, never a part."""
    draft = path.with_name(f".{path.name}.unfinished")
    with locked(path.parent):
        draft.unlink(missing_ok=True)  # of a writer that was killed; it would hold the lock otherwise
        try:
            write_synced(draft, content)
            put(draft, path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
