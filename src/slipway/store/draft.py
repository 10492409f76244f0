"""Folders that appear whole or not at all; whoever calls this holds the lock of the folder around them."""

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from slipway.store.atomic import put, sync_folder

UNFINISHED = ".unfinished-"


@contextmanager
def drafted(final: Path) -> Iterator[Path]:
    """A new folder to fill, which takes the place of `final` in the end; when the filling fails nothing of it stays."""
    draft = _aside(final)
    draft.mkdir()
    try:
        yield draft
        sync_folder(draft)
        if os.path.lexists(final):  # damaged, or the caller would have left it alone
            discard(final)
        put(draft, final)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    clean(final.parent)


def discard(folder: Path) -> None:
    """Take a folder out of its place in one step; `clean` removes it."""
    folder.rename(_aside(folder))


def clean(root: Path) -> None:
    """Remove what writers left behind in `root`.

    What cannot be removed (another user's) stays: it is in nobody's way, and no reason to refuse a new one.
    """
    for path in root.glob(f"{UNFINISHED}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _aside(path: Path) -> Path:
    return path.with_name(f"{UNFINISHED}{secrets.token_hex(8)}")
