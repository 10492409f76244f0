"""An environment of its own for each peer, below build/, installed by uv from its lock at first use."""

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PLACE = ROOT / "build" / "serving"
LOCKS = Path(__file__).resolve().parent / "locks"


class NotInstalled(Exception):
    """An environment that could not be made, and why."""


@cache
def python_of(name: str) -> str:
    """The interpreter of an environment; ``slipway`` has what a container of Slipway has.

    Raises
    ------
    NotInstalled
        With the last line of what uv said.
    """
    folder = PLACE / "environments" / name
    lock = ROOT / "requirements.txt" if name == "slipway" else LOCKS / f"{name}.txt"
    stamp = folder / "installed.txt"
    python = str(folder / "bin" / "python")
    if not stamp.exists() or stamp.read_text() != lock.read_text():
        _run([_uv(), "venv", "--quiet", "--clear", "--python", "3.11", str(folder)])
        install = [_uv(), "pip", "install", "--quiet", "--compile-bytecode", "--python", python]
        _run([*install, "--require-hashes", "--requirement", str(lock)])
        stamp.write_text(lock.read_text())
    return python


def size_of(name: str) -> float:
    """Megabytes of the files in an environment, as if it shared none with uv's cache."""
    folder = PLACE / "environments" / name
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if found is None:
        raise SystemExit("bench/serving needs uv: pip install uv")
    return found


def _run(command: list[str]) -> None:
    ended = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"VIRTUAL_ENV": ""})
    if ended.returncode:
        raise NotInstalled(ended.stderr.strip().splitlines()[-1][:200] if ended.stderr.strip() else "uv gave no message")
