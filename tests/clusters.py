"""A real standalone cluster on loopback: a master and two workers of one core each, in processes of their own."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

DEADLINE = 60
WORKERS = 2


@dataclass(frozen=True)
class Cluster:
    """A running cluster."""

    url: str
    workers: tuple[subprocess.Popen, ...]

    def executors(self) -> list[int]:
        """Process ids of the executors that there are now."""
        return [pid for worker in self.workers for pid in _children(worker.pid) if b"ExecutorBackend" in _command(pid)]

    def kill_executor(self) -> int:
        """End one of the executors with -9, once there is one; its process id."""
        deadline = time.monotonic() + DEADLINE
        while not (found := self.executors()):
            assert time.monotonic() < deadline, "no executor came"
            time.sleep(0.05)
        os.kill(found[0], signal.SIGKILL)
        return found[0]


def _children(pid: int) -> list[int]:
    """Those that any thread of a process has started."""
    return [int(child) for each in Path(f"/proc/{pid}/task").glob("*/children") for child in each.read_text().split()]


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def home() -> Path:
    """The folder of pyspark, which is a whole Spark."""
    found = find_spec("pyspark")
    assert found and found.origin
    return Path(found.origin).parent


@contextmanager
def serve_cluster(folder: Path, **environ: str) -> Iterator[Cluster]:
    """A cluster that is ready; `environ` is that of its workers, and so of what the executors start."""
    with ExitStack() as stack:
        master = stack.enter_context(
            _daemon("master.Master", folder / "master", ["--host", "127.0.0.1", "--port", "0"], environ)
        )
        url = _said(folder / "master", r"Starting Spark master at (spark://\S+)", master)
        workers = []
        for number in range(WORKERS):
            # Each a host of its own: Spark never has a task twice, as speculation does, on one host.
            own = ["--host", f"127.0.0.{number + 1}", "-c", "1", "-m", "1g", url]
            log = folder / f"worker{number}"
            workers.append(
                stack.enter_context(_daemon("worker.Worker", log, ["-d", str(folder / f"work{number}"), *own], environ))
            )
        for number, worker in enumerate(workers):
            _said(folder / f"worker{number}", r"Successfully registered with master (\S+)", worker)
        yield Cluster(url, tuple(workers))


@contextmanager
def _daemon(name: str, log: Path, arguments: list[str], environ: dict[str, str]) -> Iterator[subprocess.Popen]:
    environment = os.environ | {
        "SPARK_HOME": str(home()),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_MASTER_WEBUI_PORT": "0",
        "SPARK_WORKER_WEBUI_PORT": "0",
        "PYSPARK_PYTHON": sys.executable,
    }
    command = [home() / "bin" / "spark-class", f"org.apache.spark.deploy.{name}", *arguments]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, env=environment | environ, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _said(log: Path, pattern: str, process: subprocess.Popen) -> str:
    deadline = time.monotonic() + DEADLINE
    while not (found := re.search(pattern, log.read_text(errors="replace"))):
        assert process.poll() is None and time.monotonic() < deadline, log.read_text(errors="replace")[-2000:]
        time.sleep(0.05)
    return found[1]
