"""A disk that can be filled: a small one of the rehearsal's own; where none can be mounted, a limit on the size of files."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

SIZE = 64 << 20
APART = "REHEARSAL_APART"  # set in the namespace
UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]


class Disk(Protocol):
    """Where the log is."""

    folder: Path
    kind: str

    def fill(self, writers: Iterable[int]) -> None:
        """Leave no room for what these processes write."""

    def free(self, writers: Iterable[int]) -> None:
        """Give it back."""


@dataclass(frozen=True)
class SmallDisk:
    """A file system of its own, mounted at `folder`."""

    folder: Path
    kind: str = "a tmpfs, filled to the last byte"

    def fill(self, writers: Iterable[int]) -> None:
        with (self.folder / "ballast").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(1 << 20))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise

    def free(self, writers: Iterable[int]) -> None:
        (self.folder / "ballast").unlink()


@dataclass(frozen=True)
class LimitedFiles:
    """A folder like any other: the kernel lets the writers' files grow no more (RLIMIT_FSIZE)."""

    folder: Path
    kind: str = "a limit on the workers' files, as no disk can be mounted here"

    def fill(self, writers: Iterable[int]) -> None:
        for process in writers:
            _, most = resource.prlimit(process, resource.RLIMIT_FSIZE)
            resource.prlimit(process, resource.RLIMIT_FSIZE, (1, most))

    def free(self, writers: Iterable[int]) -> None:
        for process in writers:
            _, most = resource.prlimit(process, resource.RLIMIT_FSIZE)
            resource.prlimit(process, resource.RLIMIT_FSIZE, (most, most))


def apart() -> None:
    """Begin this program again in a mount namespace of its own, if the machine allows it.

    The namespace ends with its last process, and what is mounted there with it, however they end.
    """
    if APART in os.environ:
        return
    refused = subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True).returncode
    os.environ[APART] = "" if refused else "1"
    if not refused:
        os.execvp(UNSHARE[0], [*UNSHARE, sys.executable, *sys.argv])


@contextmanager
def mounted(folder: Path) -> Iterator[Disk]:
    """A disk at a new folder, as long as the block lasts: a small one in a namespace of our own."""
    folder.mkdir()
    if not os.environ.get(APART):
        yield LimitedFiles(folder)
        return
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", folder], check=True)
    try:
        yield SmallDisk(folder)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
