"""The command of slipway.yaml that writes the source's files where they are absent: in a fresh clone, on a runner."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import BinaryIO

from slipway.errors import TableError
from slipway.problem import Problem
from slipway.sources.local_files import LocalFiles
from slipway.sources.source import sources_of

SHOWN_LINES, SHOWN_BYTES = 3, 1_000


def fetch(problem: Problem, say: Callable[[str], None] = lambda line: None) -> None:
    """Run the problem's `fetch` when a file of its source is absent; what a failed one wrote is removed.

    Parameters
    ----------
    problem : Problem
    say : callable
        Told the line that announces it.

    Raises
    ------
    TableError
        When the command cannot be run, fails, or leaves a file absent.
    """
    absent = [source for source in local_sources(problem) if not source.found()]
    if not problem.fetch or not absent:
        return
    say(f"Fetching {', '.join(source.location for source in absent)}: {shlex.join(problem.fetch)}")
    before = _files(problem)
    try:
        _run(problem.fetch, problem.folder)
    except BaseException:  # Ctrl-C too: half a table would be taken for a whole one the next time
        for path in _files(problem) - before:
            path.unlink(missing_ok=True)
        raise
    for source in absent:
        if not source.found():
            cure = f"Let the command write it, relative to {problem.folder}"
            raise TableError(f"fetch succeeded, but {source.location} is still absent", cure)


def local_sources(problem: Problem) -> list[LocalFiles]:
    """The entries of the source that name files on the disk."""
    return [source for source in sources_of(problem) if isinstance(source, LocalFiles)]


def _files(problem: Problem) -> set[Path]:
    return {path for source in local_sources(problem) for path in source.found()}


def _run(command: Sequence[str], folder: Path) -> None:
    """Programs installed beside Slipway are found, on PATH or not."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    with TemporaryFile() as output:
        try:
            code = subprocess.run(
                command,
                cwd=folder,
                env=os.environ | {"PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            ).returncode
        except OSError as error:
            cure = "Install it, or change fetch in slipway.yaml"
            raise TableError(f"fetch: {command[0]} cannot be run ({error.strerror})", cure) from error
        if code:
            ended = f"ended with exit code {code}" if code > 0 else f"was ended by signal {-code}"
            cure = f"To see it all: cd {shlex.quote(str(folder))} && {shlex.join(command)}"
            raise TableError(f"fetch {ended}: {_last_lines(output)}", cure)


def _last_lines(output: BinaryIO) -> str:
    output.seek(max(0, output.seek(0, os.SEEK_END) - SHOWN_BYTES))
    lines = output.read().decode(errors="replace").splitlines()  # a line that was redrawn too
    shown = ("".join(filter(str.isprintable, line)).strip() for line in lines)
    return " | ".join(list(filter(None, shown))[-SHOWN_LINES:]) or "it printed nothing"
