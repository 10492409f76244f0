"""Problems on a box that need a person before they cause an outage: reported when they begin and when they end."""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from slipway.store.atomic import replace

MOST = 0.85  # share of the disk: the rest has room for another image and some days of logs
RESTART = Path("/run/reboot-required")  # written by updates of Debian and Ubuntu


def findings(disk: os.statvfs_result, restart: bool, usage: Callable[[], Mapping[str, int]]) -> dict[str, str]:
    """Problems that need attention: a sentence by name.

    Parameters
    ----------
    disk : os.statvfs_result
        Of the file system with the images.
    restart : bool
        Whether an update requires a restart of the machine.
    usage : callable
        Bytes of the files of each service; asked only if the disk fills up.
    """
    found = {}
    if (full := _used(disk.f_bavail, disk.f_blocks)) > MOST:
        free = disk.f_bavail * disk.f_frsize / 1e9
        most = ", ".join(f"{name} {size / 1e9:.1f}" for name, size in sorted(usage().items(), key=lambda each: -each[1]))
        found["disk"] = (
            f"the disk is {full:.0%} full, {free:.1f} GB free; GB of files by service, without images and logs: {most}. "
            "docs/ec2.md says what to remove"
        )
    if (full := _used(disk.f_favail, disk.f_files)) > MOST:
        found["files"] = f"the disk has used {full:.0%} of its inodes. See df -i: remove small files"
    if restart:
        found["restart"] = "an update requires a restart of the machine. At a quiet time: sudo reboot"
    return found


def _used(free: int, all: int) -> float:
    return 1 - free / all if all else 0


@dataclass(frozen=True)
class Watch:
    """Reports each finding once.

    Parameters
    ----------
    note : Path
        File with the names of the findings already reported.
    tell : callable
        Called with whether it is good news, and a sentence; returns whether that arrived. If not, it is reported again.
    """

    note: Path
    tell: Callable[[bool, str], bool]

    def look(self, found: Mapping[str, str]) -> None:
        """Report what is new in `found`, and what is no longer in it."""
        before = self._told()
        told = {name for name, text in found.items() if name in before or self.tell(False, text)}
        over = sorted(before - found.keys())
        if over and not self.tell(True, f"over: {', '.join(over)}"):
            told.update(over)
        with suppress(OSError):  # most likely the disk is full; then it is reported again
            replace(self.note, json.dumps(sorted(told)).encode())

    def _told(self) -> set[str]:
        try:
            noted = json.loads(self.note.read_bytes())
        except (OSError, ValueError):
            return set()
        return {name for name in noted if isinstance(name, str)} if isinstance(noted, list) else set()
