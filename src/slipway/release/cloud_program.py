"""The program of a cloud, such as `aws`: a call of it is whole, bounded in time, and fails with a cure."""

import json
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.errors import ReleaseError

LATER = "Run the job again later"


class CallError(ReleaseError):
    """A call that failed.

    Parameters
    ----------
    passing : bool
        Whether the same call may succeed a little later.
    """

    def __init__(self, cause: str, cure: str, passing: bool = False) -> None:
        super().__init__(cause, cure)
        self.passing = passing


@dataclass(frozen=True)
class CloudProgram:
    """How one is called.

    Parameters
    ----------
    name : str
    install : str
        The cure where it is not installed.
    error : type of CallError
        Of a call without an answer.
    failure : callable
        The error of a call that failed, from how the call is named and what the program wrote to standard error.
    """

    name: str
    install: str
    error: type[CallError]
    failure: Callable[[str, str], CallError]

    def text(self, named: str, *arguments: str, seconds: float, environ: Mapping[str, str] | None = None) -> str:
        """What it prints; CallError if the call fails or takes too long."""
        try:
            done = subprocess.run(
                (self.name, *arguments),
                env=environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                start_new_session=True,  # a signal to the job must not end a call half-way
            )
        except FileNotFoundError as error:
            raise self.error(f"the program {self.name} is not installed", self.install) from error
        except subprocess.TimeoutExpired as error:
            raise self.error(f"{named}: no answer within {seconds:g} s", LATER, passing=True) from error
        if done.returncode:
            raise self.failure(named, done.stderr.decode(errors="replace"))
        return done.stdout.decode().strip()

    def json(self, named: str, *arguments: str, seconds: float, environ: Mapping[str, str] | None = None) -> Any:
        """The same, read as JSON; nothing as None."""
        text = self.text(named, *arguments, seconds=seconds, environ=environ)
        try:
            return json.loads(text) if text else None
        except ValueError as error:
            raise self.error(f"{named}: the answer is not JSON ({error})", LATER, passing=True) from error
