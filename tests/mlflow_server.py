"""A real MLflow server, and a Python that loads its models: both of the image of deploy/compose, in a venv of their own."""

import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from servers import free_port

DEADLINE = 120
VENV = Path(os.environ.get("MLFLOW_VENV") or Path(sys.prefix, "mlflow"))  # make engines fills .venv/mlflow
PROGRAM, PYTHON = VENV / "bin" / "mlflow", VENV / "bin" / "python"
SOURCE = Path(__file__).resolve().parent.parent / "src"


@contextmanager
def serving(folder: Path, *arguments: str, health: str = "/health", **own: str) -> Iterator[str]:
    """The address of ``mlflow ARGUMENTS``, once it answers; the program ends with the block. `own` is its environment."""
    port, log = free_port(), folder / "mlflow.log"
    environ = os.environ | {"MLFLOW_DISABLE_TELEMETRY": "true", "PATH": f"{VENV / 'bin'}{os.pathsep}{os.environ['PATH']}"}
    environ |= {"PYTHONPATH": beside(folder), "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"} | own  # seven idle programs
    with log.open("wb") as out:
        command = [PROGRAM, *arguments, "--host", "127.0.0.1", "--port", str(port)]
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=out, stderr=out, start_new_session=True)
    try:
        _wait(f"http://127.0.0.1:{port}{health}", process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def call(folder: Path, code: str, *arguments: str, **environ: str) -> str:
    """What a program of the venv prints, which finds there what this Python has and the venv lacks."""
    done = subprocess.run(
        [PYTHON, "-c", code, *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": beside(folder), "MLFLOW_DISABLE_TELEMETRY": "true"} | environ,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def slipway(folder: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Call ``slipway`` in this Python, which finds MLflow in the venv, as if mlflow-skinny were installed here."""
    environ = os.environ | {"PYTHONPATH": os.pathsep.join([str(SOURCE), with_mlflow(folder)])} | environ
    command = [sys.executable, "-m", "slipway", *arguments]
    return subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=DEADLINE)


def program(folder: Path) -> Path:
    """A folder with that ``slipway`` as a program, for the PATH."""
    there = folder / "bin" / "slipway"
    there.parent.mkdir()
    there.write_text(
        f'#!/bin/sh\nPYTHONPATH={SOURCE}{os.pathsep}{with_mlflow(folder)} exec {sys.executable} -m slipway "$@"\n'
    )
    there.chmod(0o755)
    return there.parent


def beside(folder: Path) -> str:
    """A folder on the path of Python that appends this Python's libraries, so that those of the venv come first."""
    return _appending(folder / "site", sysconfig.get_paths()["purelib"])


def with_mlflow(folder: Path) -> str:
    """The same the other way round: this Python's libraries come first, and MLflow from the venv."""
    (site,) = VENV.glob("lib/python*/site-packages")
    return _appending(folder / "with", str(site))


def _appending(folder: Path, libraries: str) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.path.append({libraries!r})\n")
    return str(folder)


def _wait(address: str, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + DEADLINE
    while True:
        try:
            with urlopen(address, timeout=DEADLINE):
                return
        except (URLError, ConnectionError):
            assert process.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
