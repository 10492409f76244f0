"""`slipway consume` in a process of its own."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from servers import start
from slipway.streaming.broker import VARIABLE

DEADLINE = 60


@contextmanager
def consuming(folder: Path, url: str, *options: str) -> Iterator[subprocess.Popen]:
    """Consume the stream patients with the problem of a folder; killed at the end if it still runs."""
    with start(folder, "-m", "slipway", "consume", "--from", "patients", *options, **{VARIABLE: url}) as process:
        yield process


def wait(done: Callable[[], object], *processes: subprocess.Popen) -> None:
    """Return once it is done, while these processes run."""
    deadline = time.monotonic() + DEADLINE
    while not done():
        assert time.monotonic() < deadline and all(process.poll() is None for process in processes), [
            process.communicate() for process in processes if process.poll() is not None
        ]
        time.sleep(0.01)
