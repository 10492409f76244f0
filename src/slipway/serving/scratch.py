"""The folder where the workers of one server keep their counters: its own, empty at the start, gone at the end."""

import atexit
import fcntl
import os
import shutil
import tempfile
import time
from pathlib import Path

PREFIX = "slipway-metrics-"
SETTLED = 60


def make_scratch(root: str | None) -> str:
    """A new folder below `root`, or where temporary files go; removed when this process ends, not when a child does.

    It is locked while this process or a child of it lives. Folders whose server was killed are not, and are removed.
    """
    master = os.getpid()
    folder = tempfile.mkdtemp(prefix=f"{PREFIX}{master}-", dir=root)
    fcntl.flock(os.open(folder, os.O_RDONLY), fcntl.LOCK_EX)  # freed by the end of the last process that inherits it
    _sweep(Path(folder).parent)

    @atexit.register
    def _remove() -> None:
        if os.getpid() == master:
            shutil.rmtree(folder, ignore_errors=True)

    return folder


def _sweep(root: Path) -> None:
    for folder in root.glob(f"{PREFIX}*"):
        try:
            if time.time() - folder.stat().st_mtime < SETTLED:
                continue  # perhaps just made, and not yet locked
            handle = os.open(folder, os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:
            continue  # another user's, or removed meanwhile
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass
        finally:
            os.close(handle)
