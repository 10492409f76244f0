"""The disk that all services of a box share: what must be free before a pull, and whose files use how much."""

import os
from collections.abc import Callable, Iterable
from pathlib import Path

from slipway.errors import ReleaseError
from slipway.release.box.services import RUNNER
from slipway.release.box.state import Box

LEAST = 1_000_000_000  # bytes free before a pull: for the image, and nginx's files, logs and the state of releases
BLOCK = 512  # bytes that st_blocks counts in, stat(2)


def require_disk(disk: os.statvfs_result, pulled: Callable[[], bool]) -> None:
    """On a shared box, nobody pulls an image into the last of the disk; one that is there may run: a revert, for example.

    Parameters
    ----------
    disk : os.statvfs_result
        Of the file system with the images.
    pulled : callable
        Whether the image is on this machine; asked only if the disk is nearly full.

    Raises
    ------
    ReleaseError
        With what is free.
    """
    free = disk.f_bavail * disk.f_frsize
    if free < LEAST and not pulled():
        raise ReleaseError(
            f"the disk has {free / 1e9:.1f} GB free, and a new image is pulled from {LEAST / 1e9:.0f} GB on",
            "Free disk space: sudo slipway-release watch shows whose files use most of it, docs/ec2.md what to remove",
        )


def usage(boxes: Iterable[Box]) -> dict[str, int]:
    """Bytes on the disk by service: of its state, and of its runner's home and jobs, which no limit bounds."""
    return {each.service: sum(map(_size, _folders(each))) for each in boxes}


def _folders(box: Box) -> tuple[Path, ...]:
    return box.state, box.root / f"home/{RUNNER}{box.service}", box.root / f"opt/actions-{RUNNER}{box.service}"


def _size(folder: Path) -> int:
    """Without what is removed meanwhile; links are not followed."""
    total = 0
    for place, folders, files in os.walk(folder):
        for name in (*folders, *files):
            try:
                total += os.lstat(os.path.join(place, name)).st_blocks * BLOCK
            except OSError:
                continue
    return total
