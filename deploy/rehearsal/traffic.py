"""Traffic that notices everything: every request is sent once, never again, and every answer is kept.

    python -m rehearsal.traffic HOST PORT RATE ROW PATH < /dev/null

Half of the clients keep their connection, half open one for each request. Ends with its standard input; then prints one
JSON list [sent, answered, status, release, bundle, error, kept] for each request, with the seconds of the monotonic clock.
"""

import http.client
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

CLIENTS = 8
SECONDS = 30
HEADERS = {"Content-Type": "application/json"}


@dataclass(frozen=True)
class Request:
    """One request and what became of it; times in seconds of the monotonic clock."""

    sent: float
    answered: float
    status: int
    release: str
    bundle: str
    error: str
    kept: bool


@dataclass
class Traffic:
    """What was sent, filled when the traffic ends."""

    requests: list[Request] = field(default_factory=list)

    @property
    def failed(self) -> list[Request]:
        """All requests without a good answer."""
        return [each for each in self.requests if each.status != 200]

    @property
    def rate(self) -> float:
        """Requests a second."""
        if len(self.requests) < 2:
            return 0.0
        first, last = min(each.sent for each in self.requests), max(each.answered for each in self.requests)
        return len(self.requests) / (last - first)

    def bundles(self) -> list[str]:
        """Digests of the bundles that answered, in the order they were first seen."""
        ordered = sorted(self.requests, key=lambda each: each.answered)
        return list(dict.fromkeys(each.bundle for each in ordered if each.bundle))


@contextmanager
def traffic(host: str, port: int, row: dict, rate: int = 300, path: str = "/predict") -> Iterator[Traffic]:
    """Traffic of `rate` requests a second in a process of its own, as long as the block lasts."""
    command = [sys.executable, "-m", "rehearsal.traffic", host, str(port), str(rate), json.dumps(row), path]
    process = subprocess.Popen(
        command, cwd=Path(__file__).resolve().parents[1], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    found = Traffic()
    try:
        assert process.stdout.readline() == "started\n"
        yield found
        out, _ = process.communicate(timeout=2 * SECONDS)
        found.requests += [Request(*json.loads(line)) for line in out.splitlines()]
    finally:
        process.kill()
        process.communicate()


class Client(threading.Thread):
    """One client that sends `rate` requests a second, each as soon as its time has come and the last one is answered."""

    def __init__(self, place: tuple[str, int, str], body: bytes, rate: float, keep: bool, ended: threading.Event) -> None:
        super().__init__()
        self.requests: list[Sequence] = []
        *self._address, self._path = place
        self._body, self._pause, self._keep, self._ended = body, 1 / rate, keep, ended
        self._connection: http.client.HTTPConnection | None = None

    def run(self) -> None:
        due = time.monotonic()
        while not self._ended.wait(max(0.0, due - time.monotonic())):
            self.requests.append(self._ask())
            due = max(due + self._pause, time.monotonic() - 1)
        self._close()

    def _ask(self) -> Sequence:
        sent = time.monotonic()
        status, release, bundle, error = 0, "", "", ""
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection(*self._address, timeout=SECONDS)
            self._connection.request("POST", self._path, self._body, HEADERS)
            answer = self._connection.getresponse()
            content = answer.read()
            status, release = answer.status, answer.headers.get("Slipway-Release", "")
            bundle = json.loads(content).get("bundle", "") if status == 200 else ""
        except (OSError, http.client.HTTPException, ValueError) as failure:
            error = f"{type(failure).__name__}: {failure}"
            self._close()
        if not self._keep:
            self._close()
        return sent, time.monotonic(), status, release, bundle, error, self._keep

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def main() -> None:
    """Send until standard input ends."""
    host, port, rate, row, path = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), json.loads(sys.argv[4]), sys.argv[5]
    ended = threading.Event()
    body = json.dumps(row).encode()
    clients = [Client((host, port, path), body, rate / CLIENTS, number % 2 == 0, ended) for number in range(CLIENTS)]
    for client in clients:
        client.start()
    print("started", flush=True)
    sys.stdin.read()
    ended.set()
    for client in clients:
        client.join()
    for client in clients:
        for request in client.requests:
            print(json.dumps(request))


if __name__ == "__main__":
    main()
