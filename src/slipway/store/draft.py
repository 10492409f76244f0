"""Folders that appear complete or not at all; the caller holds the lock of the parent folder."""

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
    """A new folder to fill, which replaces `final` at the end; if filling it fails, it is removed."""
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
    """Rename a folder away in one step; `clean` removes it."""
    folder.rename(_aside(folder))


def clean(root: Path) -> None:
    """Remove leftovers of writers in `root`.

    Leftovers that cannot be removed (another user's) stay; they do no harm.
    """
    for path in root.glob(f"{UNFINISHED}*"):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)


def _aside(path: Path) -> Path:
    return path.with_name(f"{UNFINISHED}{secrets.token_hex(8)}")
