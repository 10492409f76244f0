"""Those who are connected to a worker: what comes next for each of them, and how they are let go."""

import selectors
from collections import deque
from collections.abc import Callable
from functools import partial
from logging import Logger

from gunicorn import util

from slipway.serving.connection import Connection

LINGER_SECONDS = 2.0

Step = Callable[[Connection], None]


class Clients:
    """The connections of one worker; each waits for its client, for its turn, or for a thread.

    Parameters
    ----------
    poller : selector
        Calls what it is given as data when a client sends or takes something.
    log : logger
    """

    def __init__(self, poller: selectors.BaseSelector, log: Logger) -> None:
        self.waiting: dict[Connection, tuple[Step, int]] = {}  # for its client; the longest waiting first
        self.busy: set[Connection] = set()  # in a thread
        self._turns: deque[Callable[[], None]] = deque()
        self._poller, self._log = poller, log

    @property
    def count(self) -> int:
        """Connections, about."""
        return len(self.waiting) + len(self.busy) + len(self._turns)

    # What comes next.

    @property
    def has_turns(self) -> bool:
        """Whether somebody waits for nothing but a turn."""
        return bool(self._turns)

    def queue(self, step: Step, conn: Connection) -> None:
        """Do `step` when those had their turn who wait for one already; from any thread."""
        self._turns.append(partial(self.do, step, conn))

    def take_turns(self) -> None:
        """Do the steps that are queued now."""
        for _ in range(len(self._turns)):
            self._turns.popleft()()

    def wait(self, conn: Connection, step: Step, events: int = selectors.EVENT_READ) -> None:
        """Do `step` when the client sends something, or with EVENT_WRITE when it takes something."""
        before = self.waiting.pop(conn, None)
        self.waiting[conn] = step, events
        if before is None:
            self._poller.register(conn.sock, events, partial(self._ready, conn))
        elif before[1] != events:
            self._poller.modify(conn.sock, events, partial(self._ready, conn))

    def _ready(self, conn: Connection) -> None:
        found = self.waiting.get(conn)
        if found is not None:  # nobody gave it up in the same turn
            self.do(found[0], conn)

    def do(self, step: Step, conn: Connection) -> None:
        """One step; an error with one client must not affect the others."""
        try:
            step(conn)
        except Exception:
            self._log.exception("Error with a client")
            self.drop(conn)

    def forget(self, conn: Connection) -> None:
        """Wait for the client no longer: it is worked with."""
        if self.waiting.pop(conn, None):
            self._poller.unregister(conn.sock)

    # Too many, or too slow.

    def overdue(self, now: float, idle_until: float) -> list[tuple[Connection, Step]]:
        """Clients that time out, or that are idle after `idle_until`, and what was waited for."""
        return [
            (conn, step)
            for conn, (step, _) in self.waiting.items()
            if conn.deadline <= now or conn.is_idle and now >= idle_until
        ]

    def bound(self, size: Callable[[Connection], int], most: int) -> None:
        """Drop clients, those that are waited for longest first, until the sizes are at most `most` in total."""
        excess = sum(map(size, [*self.waiting, *self.busy])) - most
        for conn in list(self.waiting):
            if excess <= 0:
                break
            if size(conn):
                excess -= size(conn)
                self.drop(conn)

    def make_room(self) -> None:
        """Drop the client that has been inactive longest."""
        conn = next(iter(self.waiting), None)
        if conn is not None:
            self.drop(conn)

    # The end.

    def refuse(self, conn: Connection, status: int, reason: str, detail: str) -> None:
        """Answer with an error, and let go."""
        util.write_error(conn, status, reason, detail)
        self.linger(conn)

    def close(self, conn: Connection) -> None:
        """Let go after an answer."""
        if conn.is_read:
            self.drop(conn)
        else:
            self.linger(conn)

    def linger(self, conn: Connection) -> None:
        """Close once the client has read the answer: what it still sends would reset the connection."""
        self._leave(conn)
        try:
            conn.linger(LINGER_SECONDS)
        except OSError:
            self.drop(conn)
        else:
            self.wait(conn, self._discard)

    def _discard(self, conn: Connection) -> None:
        try:
            if not conn.discard():
                return
        except OSError:
            pass
        self.drop(conn)

    def drop(self, conn: Connection) -> None:
        """Close at once."""
        self.forget(conn)
        self._leave(conn)
        conn.close()

    def _leave(self, conn: Connection) -> None:
        try:
            conn.end_answer()
        except Exception:
            self._log.exception("Error ending the answer to %s", conn.request.path)
