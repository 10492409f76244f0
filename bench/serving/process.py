"""A service as a process: started, waited for, watched in /proc, and ended with all its children."""

import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

DEADLINE = 90  # seconds to the first answer
GRACE = 10  # seconds to end by itself
TICK = os.sysconf("SC_CLK_TCK")


class NotAnswering(Exception):
    """A service that ended or did not answer in time; its last words."""


@contextmanager
def running(command: Sequence[str], where: Path, environ: Mapping[str, str], said: Path | None = None) -> Iterator[int]:
    """The id of a process that is ended with its children; `said` keeps its standard error."""
    with open(said or os.devnull, "wb") as error:
        process = subprocess.Popen(
            command, cwd=where, env=environ, stdout=subprocess.DEVNULL, stderr=error, start_new_session=True
        )
    try:
        yield process.pid
    finally:
        members = family(process.pid)
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE)
        for member in members:
            with suppress(ProcessLookupError):
                os.kill(member, signal.SIGKILL)
        process.wait()


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def wait(pid: int, port: int, path: str, body: bytes) -> str:
    """The first prediction, as soon as it is answered.

    Raises
    ------
    NotAnswering
        If the process ended, or answered nothing but errors until the deadline.
    """
    deadline, last = time.monotonic() + DEADLINE, "no answer"
    while time.monotonic() < deadline and not _ended(pid):
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
        try:
            client.request("POST", path, body, {"Content-Type": "application/json"})
            answer = client.getresponse()
            told = answer.read().decode(errors="replace")
            if answer.status == 200:
                return told
            last = f"{answer.status}: {told[:300]}"
        except (OSError, http.client.HTTPException):
            pass
        finally:
            client.close()
        time.sleep(0.01)
    raise NotAnswering(last)


def _ended(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"


def family(pid: int) -> list[int]:
    """A process and its children, of all its threads."""
    found = [pid]
    with suppress(FileNotFoundError, ProcessLookupError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += family(int(child))
    return found


def cpu_seconds(pid: int) -> float:
    """User and system time of a family so far."""
    total = 0
    for member in family(pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            fields = Path(f"/proc/{member}/stat").read_text().rpartition(")")[2].split()
            total += int(fields[11]) + int(fields[12])
    return total / TICK


def resident(pid: int) -> float:
    """Megabytes of a family: what it shares is counted once (Pss)."""
    total = 0
    for member in family(pid):
        with suppress(FileNotFoundError, ProcessLookupError):
            for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines():
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
    return total / 1024
