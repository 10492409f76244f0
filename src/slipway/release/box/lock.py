"""One run of the release program at a time, which a signal ends cleanly."""

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import IO

from slipway.errors import ReleaseError
from slipway.release.box.state import Box
from slipway.release.signals import SIGNALS, on_cancel

LOCK_SECONDS = 300
PAUSE = 0.05


class Cancelled(BaseException):
    """This program was asked to end."""


class Busy(ReleaseError):
    """Another run of this program is in progress."""


@contextmanager
def exclusive(box: Box, seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Be the only run of this program on the box; the system releases the lock when its process dies.

    Raises
    ------
    Busy
        If another run still holds the lock after `seconds`.
    """
    try:
        lock = box.lock.open("a+")
    except OSError as error:
        cure = "Run it as root on a box that the bootstrap set up (docs/ec2.md)"
        raise ReleaseError(f"{box.lock}: {error.strerror}", cure) from error
    with lock:
        _take(lock, seconds)
        with suppress(OSError):  # a full disk, say: the holder's name is not worth a rollback
            lock.truncate(0)
            since = datetime.now(UTC).isoformat(timespec="seconds")
            os.write(lock.fileno(), f"process {os.getpid()} since {since}".encode())
        yield


def _take(lock: IO[str], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as error:
            if time.monotonic() > deadline:
                lock.seek(0)
                raise Busy(f"another release has been in progress for {seconds:g} s ({lock.read()})") from error
            time.sleep(PAUSE)


@contextmanager
def cancellable() -> Iterator[None]:
    """A cancelled job sends signals: they end a run like any other failure."""

    def end() -> None:
        raise Cancelled

    try:
        with on_cancel(end):
            yield
    except Cancelled as error:
        raise ReleaseError("cancelled") from error


def cancel() -> None:
    """End the current run as a signal would; do nothing if there is none, or it already restores the old release."""
    if callable(signal.getsignal(SIGNALS[0])):
        signal.raise_signal(SIGNALS[0])
