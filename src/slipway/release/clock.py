"""Time for a program that waits long, and that a cancelled job may end."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from slipway.errors import ReleaseError
from slipway.release.signals import on_cancel


class Cancelled(ReleaseError):
    """This program was asked to end."""

    def __init__(self) -> None:
        super().__init__("cancelled before anything was changed")


class Clock:
    """Waits; a signal ends a wait, and nothing else: calls of other programs are made to their end."""

    def __init__(self) -> None:
        self._ended = threading.Event()

    def now(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def pause(self, seconds: float) -> None:
        """Wait.

        Raises
        ------
        Cancelled
            If the program was asked to end, now or before.
        """
        if self._ended.wait(seconds):
            raise Cancelled

    def end(self) -> None:
        """Make this pause the last, or the next one if there is none now."""
        self._ended.set()


@contextmanager
def interruptible() -> Iterator[Clock]:
    """A clock that the signals of a cancelled job end."""
    clock = Clock()
    with on_cancel(clock.end):
        yield clock
