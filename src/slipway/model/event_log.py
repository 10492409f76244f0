"""The files of the prediction log: one of each process, one write for each event.

A write ends in the kernel's page cache, which outlives the process, so what was answered is not lost when a worker is
killed; a thread brings it to the disk each second, and a power cut costs that second. An event that finds no room is dropped
and counted: nobody waits for the log, and no answer fails by it.
"""

import errno
import fcntl
import os
import re
import secrets
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event as Signal
from threading import Lock, Thread
from typing import Protocol

from slipway.model.event import CLOSED, OPEN, RAW, SHORT
from slipway.model.raw_files import make_folder

LARGEST = 64 << 20  # bytes of a file
LONGEST = 3_600.0  # seconds that a file is written to
DAY = 86_400
FREE = 0.05  # of the disk, which is left to others
TURNS = 10
SYNC_SECONDS = 1.0
LOOK_SECONDS = 10.0
REASONS = {errno.ENOSPC: "disk_full", errno.EDQUOT: "disk_full", errno.EFBIG: "disk_full"}
TEXT = re.compile(r"[^A-Za-z0-9._-]+")


class Counts(Protocol):
    """What is told of the log."""

    def count_logged(self, rows: int) -> None: ...

    def count_dropped(self, rows: int, reason: str) -> None: ...

    def note_synced(self, at: float) -> None: ...


@dataclass
class _File:
    """One that is written."""

    path: Path
    handle: int
    day: int
    until: float
    size: int = 0

    def close(self) -> None:
        """Bring it to the disk and say by its name that it is whole."""
        with suppress(OSError):
            os.fdatasync(self.handle)
        with suppress(OSError):
            self.path.rename(self.path.with_name(self.path.name.removesuffix(OPEN) + CLOSED))
        with suppress(OSError):
            os.close(self.handle)  # and with it the lock


class EventLog:
    """Takes lines; makes its files in the process that writes, so it may be made before a fork.

    Parameters
    ----------
    folder : Path
        Of the log. It may be absent or read-only: then rows are dropped and counted as ``unwritable``.
    digest : str
        The bundle that answers.
    release : str
    most_bytes : int
        Of all files that are not collected yet; beyond them rows are dropped and counted as ``log_full``.
    counts : Counts
    """

    def __init__(self, folder: Path, digest: str, release: str, most_bytes: int, counts: Counts) -> None:
        self._folder = folder / RAW
        self._bundle = f"bundle={digest[:SHORT]}"
        self._release = TEXT.sub("-", release) or "local"
        self._most_bytes = most_bytes
        self._counts = counts
        self._lock = Lock()
        self._process = 0  # that writes
        self._file: _File | None = None
        self._retired: list[_File] = []
        self._full = ""  # why nothing more may be written
        self._torn, self._dirty = b"", False
        self._token, self._number = "", 0
        self._ended = Signal()

    def write(self, line: bytes, rows: int) -> None:
        """Append a line, or several, that stand for so many rows."""
        with self._lock:
            reason = self._append(line)
        if reason:
            self._counts.count_dropped(rows, reason)
        else:
            self._counts.count_logged(rows)

    def close(self) -> None:
        """Close the file of this process; a later line begins another."""
        with self._lock:
            if self._process == os.getpid():
                self._ended.set()
                self._process = 0
                self._retire()
                self._close_retired()

    def _append(self, line: bytes) -> str:
        """Why it was dropped; empty when it was written."""
        if self._process != os.getpid():
            self._begin()
        if self._full:
            return self._full
        now = time.time()
        try:
            file = self._file
            if file is None or file.size >= LARGEST or now >= file.until or now // DAY != file.day:
                self._retire()
                file = self._file = self._open(now)
            whole = self._torn + line
            written = os.write(file.handle, whole)
        except OSError as error:
            return REASONS.get(error.errno or 0, "unwritable")
        file.size += written
        self._dirty = True
        if written < len(whole):
            self._torn = b"\n"  # ends the part that was taken, before the next line
            return "disk_full"
        self._torn = b""
        return ""

    def _begin(self) -> None:
        """In a process that has not written yet."""
        self._process = os.getpid()
        self._token, self._number = secrets.token_hex(4), 0
        self._file, self._retired = None, []
        self._full, self._torn, self._dirty = "", b"", False
        self._ended = Signal()
        Thread(target=self._keep, args=(self._ended,), daemon=True).start()

    def _open(self, now: float) -> _File:
        folder = self._folder / time.strftime("date=%Y-%m-%d", time.gmtime(now)) / self._bundle
        make_folder(self._folder.parent)
        folder.mkdir(parents=True, exist_ok=True)
        for _ in range(TURNS):
            self._number += 1
            path = folder / f"{self._release}-{self._token}-{self._number}{OPEN}"
            handle = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)
            try:
                if _locked(handle, path):
                    return _File(path, handle, int(now // DAY), now + LONGEST)
            except OSError:  # of a file system without locks
                path.unlink(missing_ok=True)
                os.close(handle)
                raise
            os.close(handle)  # a collector took it for one whose process was killed
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    def _retire(self) -> None:
        """Leave the present file to the thread: to bring it to the disk may take a third of a second."""
        if self._file:
            self._retired.append(self._file)
            self._file = None

    def _close_retired(self) -> None:
        while self._retired:
            self._retired.pop().close()

    # The thread.

    def _keep(self, ended: Signal) -> None:
        """Each second bring to the disk what was written, close what is old, and look whether there is room."""
        looked = 0.0
        while not ended.wait(SYNC_SECONDS):
            now = time.time()
            with suppress(OSError):  # the next turn tries again
                self._sync(now)
            if now - looked >= LOOK_SECONDS or self._full:
                looked, self._full = now, self._room()

    def _sync(self, now: float) -> None:
        with self._lock:
            if self._file and (now >= self._file.until or now // DAY != self._file.day):
                self._retire()
            retired, self._retired = self._retired, []
            copy = os.dup(self._file.handle) if self._file and self._dirty else None  # a write may retire it meanwhile
            self._dirty = False
        for file in retired:
            file.close()
        if copy is not None:
            with suppress(OSError):
                os.fdatasync(copy)
                self._counts.note_synced(now)
            os.close(copy)

    def _room(self) -> str:
        """Why nothing more may be written; empty when there is room."""
        try:
            disk = os.statvfs(self._folder)
            if disk.f_bavail < FREE * disk.f_blocks:
                return "disk_full"
            sizes = (path.stat().st_size for path in self._folder.rglob("*") if path.is_file())
            return "log_full" if sum(sizes) > self._most_bytes else ""
        except OSError:  # a file was collected meanwhile; the next look is soon
            return self._full


def _locked(handle: int, path: Path) -> bool:
    """Whether it is this process's own: locked, and still at its path."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return os.fstat(handle).st_ino == path.stat().st_ino
    except (BlockingIOError, FileNotFoundError):
        return False
