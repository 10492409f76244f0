"""Read, answer, write, acknowledge; again and again, until a signal."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType
from typing import Protocol, TypeVar

from slipway.errors import StreamError
from slipway.serving.service import Service
from slipway.streaming.replies import replies
from slipway.streaming.stream import Away, Stream

BATCH = 500
AWAY_SECONDS = 60.0
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
LOOK_SECONDS = 0.1
TOLD_SECONDS = 60.0

Found = TypeVar("Found")


class _Asked(Exception):
    """It was asked to end while the broker was away."""


class Ending(Protocol):
    """Whether the consumer is to end."""

    asked: bool

    def pause(self, seconds: float) -> None:
        """Wait, but not beyond the moment when it is asked for."""


class Signals:
    """Asked to end by SIGTERM or SIGINT; a second one ends the process at once."""

    def __init__(self) -> None:
        self.asked = False

    def pause(self, seconds: float) -> None:
        """Wait; an `Event` could be set while its own lock is held, for a handler runs between any two steps."""
        end = time.monotonic() + seconds
        while not self.asked and (left := end - time.monotonic()) > 0:
            time.sleep(min(LOOK_SECONDS, left))

    def _ask(self, number: int, _: FrameType | None) -> None:
        self.asked = True
        signal.signal(number, signal.SIG_DFL)


@contextmanager
def ending_by_signal() -> Iterator[Signals]:
    """Until the end of the block the signals only ask."""
    signals = Signals()
    before = {number: signal.signal(number, signals._ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield signals
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@dataclass
class Tally:
    """What was done so far."""

    answered: int = 0
    dead: int = 0


def consume(
    stream: Stream, service: Service, ending: Ending, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
) -> Tally:
    """Answer the messages of a stream until it is asked to end.

    Parameters
    ----------
    stream : Stream
        Closed at the end.
    service : Service
        Its log is closed at the end.
    ending : Ending
    say : callable
        Takes a line for a person.
    clock : callable
        Seconds.

    Raises
    ------
    StreamError
        When the broker stays away for a minute, or refuses.
    BundleError
        When the model is broken.
    """
    run = _Run(stream, service, ending, say, clock)
    try:
        service.require_ready()
        run.until_asked()
    finally:
        stream.close()
        service.recorder.close()
    return run.tally


class _Run:
    def __init__(
        self, stream: Stream, service: Service, ending: Ending, say: Callable[[str], None], clock: Callable[[], float]
    ) -> None:
        self._stream, self._service, self._ending, self._say, self._clock = stream, service, ending, say, clock
        self._most = min(BATCH, service.decoder.max_rows)
        self._told = clock()
        self.tally = Tally()

    def until_asked(self) -> None:
        with suppress(_Asked):
            while not self._ending.asked:
                self._once()
                if self._clock() - self._told >= TOLD_SECONDS:
                    self._tell()

    def _once(self) -> None:
        """One batch: nothing is read before all of the last one is settled."""
        messages = self._persist(lambda: self._stream.read(self._most))
        if not messages:
            return
        found = replies(self._service, messages)
        try:
            self._persist(lambda: self._stream.settle(found))
        except _Asked:
            self._say(f"{len(found):,} messages are not acknowledged: they will be answered again")
            raise
        dead = sum(reply.refused for reply in found)
        if dead and not self.tally.dead:
            self._say("a message was refused: see the dead letters for the reason")
        self.tally.dead += dead
        self.tally.answered += len(found) - dead

    def _persist(self, do: Callable[[], Found]) -> Found:
        """What it gives, tried again while the broker is away."""
        since, pause = None, FIRST_PAUSE
        while True:
            try:
                found = do()
            except Away as away:
                now = self._clock()
                if since is None:
                    since = now
                    self._say(f"the broker is away ({away}); trying for {AWAY_SECONDS:.0f} seconds")
                if now - since >= AWAY_SECONDS:
                    raise StreamError(f"the broker stayed away for {now - since:.0f} seconds ({away})") from away
                self._ending.pause(pause)
                if self._ending.asked:
                    raise _Asked from None
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                if since is not None:
                    self._say(f"the broker is back after {self._clock() - since:.0f} seconds")
                return found

    def _tell(self) -> None:
        self._told = self._clock()
        waiting = self._persist(self._stream.waiting)
        behind = "" if waiting is None else f", {waiting:,} waiting"
        self._say(f"{self.tally.answered:,} answered, {self.tally.dead:,} dead letters{behind}")
