"""The signals that a cancelled job sends."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@contextmanager
def on_cancel(end: Callable[[], None]) -> Iterator[None]:
    """Call `end` for each of these signals, while the block runs."""
    before = [signal.signal(number, lambda number, frame: end()) for number in SIGNALS]
    try:
        yield
    finally:
        for number, handler in zip(SIGNALS, before):
            signal.signal(number, handler)
