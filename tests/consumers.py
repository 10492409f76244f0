"""`slipway consume` in a process of its own."""

import json
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from many_rows import many_rows
from servers import start
from slipway.streaming.broker import VARIABLE
from slipway.streaming.stream import Names

DEADLINE = 60
NAMES = Names("patients", "patients.answers", "patients.dead", "readers")
COUNT = 5000


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


def fill(client, count=COUNT):
    """Add rows to the stream of a Redis; their ids."""
    pipe = client.pipeline(transaction=False)
    for row in many_rows(count):
        pipe.xadd(NAMES.source, {"row": json.dumps(row)})
    return pipe.execute()


def answered(client) -> Counter:
    """How often each id was answered."""
    return Counter(fields["id"] for _, fields in client.xrange(NAMES.answers))


def leave_behind(client, group):
    """Let all pending messages look as if they had been read long ago."""
    while pending := [
        entry["message_id"]
        for entry in client.xpending_range(NAMES.source, group, "-", "+", COUNT)
        if entry["time_since_delivered"] < 60_000
    ]:
        client.xclaim(NAMES.source, group, "gone", 0, pending, idle=3_600_000, justid=True)
