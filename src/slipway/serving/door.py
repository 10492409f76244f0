"""Where clients come in: every worker takes about as many as the others.

The system wakes all workers for one client, and the first takes it; of clients that come together and stay, such as the
connections that a program keeps, one worker would get most, while another had nothing to do.
"""

import math
import mmap
import selectors
from collections.abc import Callable, Sequence
from functools import partial

from gunicorn.sock import BaseSocket

PLACES = 64  # of workers: with more than so many, some share one
VACANT = -1
PATIENCE_SECONDS = 0.01  # for which clients are left to others
AGAIN_SECONDS = 0.1  # for which nobody is left to others after they did not take one: they may be busy, or stuck
PEEK_SECONDS = 0.001


class Holdings:
    """How many connections each worker has; made before they are forked, and the same memory in all of them."""

    def __init__(self) -> None:
        self._counts = memoryview(mmap.mmap(-1, 4 * PLACES)).cast("i")
        for place in range(PLACES):
            self._counts[place] = VACANT

    def set(self, number: int, count: int) -> None:
        """The worker of this number has so many."""
        self._counts[number % PLACES] = count

    def vacate(self, number: int) -> None:
        """It has ended."""
        self._counts[number % PLACES] = VACANT

    def is_ahead(self, count: int) -> bool:
        """Whether another worker has fewer than `count`."""
        return any(VACANT < other < count for other in self._counts)


class Door:
    """The listening sockets of a worker, closed for a moment when others have fewer clients.

    Parameters
    ----------
    poller : selector
    listeners : sequence of sockets
    accept : callable
        Takes one client; whether there was one.
    is_ahead : callable
        Whether another worker has fewer clients.
    """

    def __init__(
        self,
        poller: selectors.BaseSelector,
        listeners: Sequence[BaseSocket],
        accept: Callable[[BaseSocket], bool],
        is_ahead: Callable[[], bool],
    ) -> None:
        self._poller, self._listeners, self._accept, self._is_ahead = poller, listeners, accept, is_ahead
        self._most = 1
        self._closed_at: float | None = None
        self._now = self._patient_from = 0.0
        self._register()

    @property
    def seconds(self) -> float:
        """After which to `look` again."""
        return math.inf if self._closed_at is None else PEEK_SECONDS

    def begin(self, now: float, most: int) -> None:
        """A turn of the loop, in which to take so many clients of each listener; if more than one, whoever has fewer."""
        self._now, self._most = now, most

    def look(self) -> None:
        """Open again when others have as many, or do not take theirs."""
        if self._closed_at is None:
            return
        if not self._leaves_it():
            self._register()
        elif self._now - self._closed_at > PATIENCE_SECONDS:
            self._register()
            if any(self._accept(listener) for listener in self._listeners):
                self._patient_from = self._now + AGAIN_SECONDS

    def close(self) -> None:
        """For good: who waits at the listeners is the worker's."""
        if self._closed_at is None:
            self._unregister()
        self._listeners, self._closed_at = (), None

    def _register(self) -> None:
        self._closed_at = None
        for listener in self._listeners:
            self._poller.register(listener, selectors.EVENT_READ, partial(self._knock, listener))

    def _unregister(self) -> None:
        self._closed_at = self._now
        for listener in self._listeners:
            self._poller.unregister(listener)

    def _knock(self, listener: BaseSocket) -> None:
        if self._closed_at is not None:  # by another listener, in the same turn
            return
        if self._leaves_it():
            self._unregister()
        else:
            self._take(listener)

    def _take(self, listener: BaseSocket) -> None:
        for _ in range(self._most):
            if not self._accept(listener):
                break

    def _leaves_it(self) -> bool:
        return self._most == 1 and self._now >= self._patient_from and self._is_ahead()
