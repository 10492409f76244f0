"""What a person should see to on a box before it becomes an outage: told when it begins, and when it is over."""

import json
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from slipway.store.atomic import replace

MOST = 0.85  # share of the disk: what is left holds another image and some days of logs
RESTART = Path("/run/reboot-required")  # written by updates of Debian and Ubuntu


def findings(disk: os.statvfs_result, restart: bool) -> dict[str, str]:
    """What there is to see to: a sentence by its name.

    Parameters
    ----------
    disk : os.statvfs_result
        Of the file system with the images.
    restart : bool
        Whether an update waits for a restart of the machine.
    """
    found = {}
    if (full := _used(disk.f_bavail, disk.f_blocks)) > MOST:
        free = disk.f_bavail * disk.f_frsize / 1e9
        found["disk"] = f"the disk is {full:.0%} full, {free:.1f} GB are free. What to remove: docs/ec2.md"
    if (full := _used(disk.f_favail, disk.f_files)) > MOST:
        found["files"] = f"the disk holds {full:.0%} of the files that it can, whatever their size. Find them: df -i"
    if restart:
        found["restart"] = "an update needs a restart of the machine. At a quiet moment: sudo reboot"
    return found


def _used(free: int, all: int) -> float:
    return 1 - free / all if all else 0


@dataclass(frozen=True)
class Watch:
    """Tells each finding once.

    Parameters
    ----------
    note : Path
        Where the names of the findings that were told are kept.
    tell : callable
        Told whether it is good news, and a sentence; says whether that arrived. What did not is told again.
    """

    note: Path
    tell: Callable[[bool, str], bool]

    def look(self, found: Mapping[str, str]) -> None:
        """Tell what is new in `found`, and what is no longer in it."""
        before = self._told()
        told = {name for name, text in found.items() if name in before or self.tell(False, text)}
        over = sorted(before - found.keys())
        if over and not self.tell(True, f"over: {', '.join(over)}"):
            told.update(over)
        with suppress(OSError):  # a disk that is full, most likely; then it is told again
            replace(self.note, json.dumps(sorted(told)).encode())

    def _told(self) -> set[str]:
        try:
            noted = json.loads(self.note.read_bytes())
        except (OSError, ValueError):
            return set()
        return {name for name in noted if isinstance(name, str)} if isinstance(noted, list) else set()
