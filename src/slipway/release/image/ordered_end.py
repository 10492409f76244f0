"""Programs that end with the job: a signal to this one ends the one that runs, before the next step."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import FrameType

from slipway.errors import ReleaseError
from slipway.release.signals import SIGNALS


class OrderedEnd:
    """Runs programs within a ``with``; what they print goes to standard error, and a signal ends them.

    Without it a cancelled job would leave docker building, and pushing, behind it.
    """

    def __init__(self) -> None:
        self._running: subprocess.Popen[bytes] | None = None
        self._ended = False

    def __enter__(self) -> "OrderedEnd":
        self._before = [signal.signal(number, self._end) for number in SIGNALS]
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in zip(SIGNALS, self._before):
            signal.signal(number, handler)

    def __call__(self, *command: str, cwd: Path | None = None, environ: Mapping[str, str] = os.environ) -> int:
        """The status that a program ended with.

        Raises
        ------
        ReleaseError
            If it is not there, or a signal came before it ended.
        """
        self._require_time(command)
        try:
            self._running = subprocess.Popen(command, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, stdout=sys.stderr)
        except OSError as error:
            raise ReleaseError(f"{command[0]} cannot be run ({error.strerror})", f"Install {command[0]}") from error
        if self._ended:  # the signal came before there was a program to end
            self._running.terminate()
        status = self._running.wait()
        self._require_time(command)
        return status

    def require(self, *command: str, cwd: Path | None = None, environ: Mapping[str, str] = os.environ) -> None:
        """Run a program; ReleaseError if it fails."""
        if status := self(*command, cwd=cwd, environ=environ):
            raise ReleaseError(f"{' '.join(command[:2])} ended with status {status}: its output is above")

    def _require_time(self, command: tuple[str, ...]) -> None:
        if self._ended:
            raise ReleaseError(f"cancelled at {' '.join(command[:2])}", "Run the job again: what it finished is found")

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._ended = True
        if self._running:
            self._running.terminate()
