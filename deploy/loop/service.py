"""`slipway serve` in a process of its own, and clients that remember what they were told."""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from itertools import cycle, islice
from pathlib import Path
from queue import Empty, Queue

from loop.parcels import Parcel

CLIENTS = 8
DEADLINE = 120
COUNTED = re.compile(r"^slipway_log_dropped_rows_total\{.*?reason=\"(\w+)\".*?\} (\S+)$", re.MULTILINE)


@dataclass
class Heard:
    """What became of the parcels that were asked about; a call is never repeated.

    Parameters
    ----------
    answered : set of str
        Ids of those that a client has an answer for.
    unknown : set of str
        Of those whose connection broke, or that got another answer: nobody knows whether the log has them.
    """

    answered: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)

    def add(self, other: "Heard") -> None:
        self.answered |= other.answered
        self.unknown |= other.unknown


@dataclass(frozen=True)
class Service:
    """A service that answers on `port`."""

    process: subprocess.Popen
    port: int

    def ask(self, parcels: Sequence[Parcel], meanwhile: Callable[[], object] = lambda: None) -> Heard:
        """Ask about all, one to three in a call, from several clients at once; `meanwhile` is called when half are asked."""
        rest, calls = iter(parcels), Queue()
        for size in cycle((1, 2, 3)):
            if not (call := list(islice(rest, size))):
                break
            calls.put(call)
        half, left = threading.Event(), calls.qsize() // 2
        with ThreadPoolExecutor(CLIENTS) as pool:
            clients = [pool.submit(self._client, calls, left, half) for _ in range(CLIENTS)]
            half.wait(DEADLINE)
            meanwhile()
        heard = Heard()
        for client in clients:
            heard.add(client.result())
        return heard

    def _client(self, calls: "Queue[Sequence[Parcel]]", left: int, half: threading.Event) -> Heard:
        """Make calls until there are none, on one connection as long as it holds; `half` is set when so many are left."""
        heard, connection = Heard(), self._connect()
        with suppress(Empty):
            while True:
                asked = calls.get_nowait()
                body = json.dumps([each.row for each in asked])
                try:
                    answered = _call(connection, "POST", "/predict", body)[0] == 200
                except (OSError, HTTPException):
                    answered = False
                    connection.close()  # the next call opens another
                (heard.answered if answered else heard.unknown).update(each.id for each in asked)
                if calls.qsize() <= left:
                    half.set()
        connection.close()
        return heard

    def workers(self) -> list[int]:
        pid = self.process.pid
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

    def kill_a_worker(self) -> None:
        """kill -9."""
        os.kill(self.workers()[0], signal.SIGKILL)

    def dropped(self) -> dict[str, int]:
        """Answered rows that the log has not, by reason, as /metrics counts them."""
        status, page = self._get("/metrics")
        if status != 200:
            raise RuntimeError(f"/metrics answered {status}")
        found: dict[str, int] = {}
        for reason, count in COUNTED.findall(page.decode()):
            found[reason] = found.get(reason, 0) + round(float(count))
        return found

    def is_ready(self) -> bool:
        with suppress(OSError, HTTPException):
            return self._get("/readyz")[0] == 200
        return False

    def _get(self, path: str) -> tuple[int, bytes]:
        with closing(self._connect()) as connection:
            return _call(connection, "GET", path)

    def _connect(self) -> HTTPConnection:
        return HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)


def _call(connection: HTTPConnection, method: str, path: str, body: str | None = None) -> tuple[int, bytes]:
    connection.request(method, path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read()


@contextmanager
def serving(folder: Path, environ: Mapping[str, str], told: Path) -> Iterator[Service]:
    """The champion of a checkout, served by two workers; `told` is the file of what they say."""
    port = free_port()
    command = [sys.executable, "-m", "slipway", "serve", "--port", str(port), "--workers", "2"]
    with told.open("wb") as file:
        process = subprocess.Popen(
            command, cwd=folder, env=environ, stdin=subprocess.DEVNULL, stdout=file, stderr=file, start_new_session=True
        )
    service = Service(process, port)
    try:
        try:
            wait(service.is_ready, "the service does not answer", lambda: process.poll() is None)
        except RuntimeError as error:
            raise RuntimeError(f"{error}: {told.read_text()}") from error
        yield service
    finally:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(DEADLINE)
        with suppress(ProcessLookupError):  # the whole session: workers outlive a killed master for a second
            os.killpg(process.pid, signal.SIGKILL)


def settled(raw: Path) -> bool:
    """Whether no living process still writes to a file of this folder of raw files."""
    return not any(map(_is_locked, raw.glob("*/*.open")))


def _is_locked(path: Path) -> bool:
    with suppress(FileNotFoundError), path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def wait(condition: Callable[[], bool], says: str, lives: Callable[[], bool] = lambda: True) -> None:
    """Wait until a condition holds; RuntimeError when it does not in time, or never can."""
    until = time.monotonic() + DEADLINE
    while not condition():
        if not lives() or time.monotonic() > until:
            raise RuntimeError(says)
        time.sleep(0.05)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
