"""The real server, gunicorn with its workers, in a process of its own."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEADLINE = 120  # for what takes a second or two: a machine may have much else to do


@dataclass
class Server:
    """A running server; `lines` ends it and tells what it logged."""

    process: subprocess.Popen
    port: int

    def call(self, method: str, path: str, body=None, **headers):
        """Status and body of one call on a connection of its own."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE)
        try:
            content = json.dumps(body).encode() if isinstance(body, (dict, list)) else body
            connection.request(method, path, content, {"Content-Type": "application/json"} | headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), DEADLINE)

    def workers(self, wanted: int = 0) -> list[int]:
        """Process ids of the workers, once there are at least so many: gunicorn forks one after another, and the first may
        answer before there is a second."""
        pid, deadline = self.process.pid, time.monotonic() + DEADLINE
        while True:
            found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
            if len(found) >= wanted or time.monotonic() > deadline:
                return found
            time.sleep(0.02)

    def stop(self) -> tuple[int, str, str]:
        """Exit code, standard output and standard error, after SIGTERM."""
        self.process.send_signal(signal.SIGTERM)
        out, err = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, out, err


@contextmanager
def start(folder: Path, *arguments: str, **environ: str) -> Iterator[subprocess.Popen]:
    """A process of this Python in the repository's root, with the problem of `folder`; ended at the end."""
    environment = dict(os.environ, SLIPWAY_PROBLEM=str(folder / "slipway.yaml"), PYTHONPATH="src", **environ)
    process = subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):  # the whole session: workers outlive a killed master for a second
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def free_port() -> int:
    """A port that is given to nobody else as long as this process lives; a server that is told its number may listen.

    The socket stays bound, without listening: a connection is refused, and the kernel chooses the port for no other socket.
    Servers set SO_REUSEADDR, which allows two sockets on a port of which one listens.
    """
    probe = socket.socket()
    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
    probe.detach()
    return port


@contextmanager
def serve(folder: Path, *arguments: str, **environ: str) -> Iterator[Server]:
    """A server that answers, killed at the end if it still runs; `arguments` after ``python``, by default app.py."""
    port = free_port()
    with start(folder, *(arguments or ("app.py",)), PORT=str(port), **environ) as process:
        server = Server(process, port)
        deadline = time.monotonic() + DEADLINE
        while not _answers(server):
            assert process.poll() is None and time.monotonic() < deadline, server.stop()
            time.sleep(0.02)
        yield server


def _answers(server: Server) -> bool:
    try:
        return server.call("GET", "/readyz")[0] == 200
    except OSError:
        return False
