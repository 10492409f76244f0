"""The box's own settings, /etc/slipway/release.toml: what may run there, and within which limits."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from slipway.errors import ReleaseError

FILE = Path("/etc/slipway/release.toml")
REPOSITORY = re.compile(r"[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+")
MEMORY = re.compile(r"[1-9][0-9]*[mg]")


@dataclass(frozen=True)
class Configuration:
    """The settings, with their defaults.

    Parameters
    ----------
    repository : str
        ``host/name`` of the only images that may run.
    keep : int
        How many images stay on the disk; the live and the previous release's always do.
    memory : str
        Most memory of a release, as Docker writes it (``512m``).
    pids : int
        Most processes and threads of a release.
    ready_seconds : int
        How long a release may take to get ready.
    drain_seconds : int
        How long a release that is neither the live nor the previous one may take to finish its answers.
    draining : int
        How many such releases may run at once.
    webhook : str
        URL that is told every result; empty for none.
    sockets_mount : str
        The folder of the sockets as the engine sees it, where that is another path; empty when it is the same.
    """

    repository: str
    keep: int = 3
    memory: str = "512m"
    pids: int = 256
    ready_seconds: int = 60
    drain_seconds: int = 3_600
    draining: int = 1
    webhook: str = ""
    sockets_mount: str = ""

    @property
    def service(self) -> str:
        """The last part of the repository's name."""
        return self.repository.rpartition("/")[2]


def _integer(least: int, most: int) -> tuple[str, Callable[[Any], bool]]:
    return f"an integer from {least} to {most}", lambda value: type(value) is int and least <= value <= most


def _text(expected: str, form: str) -> tuple[str, Callable[[Any], bool]]:
    return expected, lambda value: isinstance(value, str) and re.fullmatch(form, value) is not None


RULES = {
    "repository": _text("host/name without a tag", REPOSITORY.pattern),
    "keep": _integer(2, 100),
    "memory": _text("such as 512m or 1g", MEMORY.pattern),
    "pids": _integer(16, 32_768),
    "ready_seconds": _integer(1, 3_600),
    "drain_seconds": _integer(1, 86_400),
    "draining": _integer(0, 16),
    "webhook": _text("an http:// or https:// address, or empty", r"(https?://\S+)?"),
    "sockets_mount": _text("an absolute path, or empty", r"(/\S+)?"),
}


def read_configuration(path: Path = FILE) -> Configuration:
    """The settings in `path`.

    Raises
    ------
    ReleaseError
        Naming the file, the setting and what was expected; or that others than root could have written it.
    """
    try:
        facts = path.stat()
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise ReleaseError(f"{path}: cannot be read ({error.strerror})", "deploy/ec2/bootstrap writes it") from error
    except ValueError as error:
        raise ReleaseError(f"{path}: is not TOML ({error})") from error
    if facts.st_uid != 0 or facts.st_mode & 0o022:
        raise ReleaseError(f"{path}: others than root can write it", f"chown root {path}; chmod 600 {path}")
    known = {field.name for field in fields(Configuration)}
    for name, value in values.items():
        if name not in known:
            raise ReleaseError(f"{path}: {name} is no setting", f"Those there are: {', '.join(sorted(known))}")
        expected, fits = RULES[name]
        if not fits(value):
            raise ReleaseError(f"{path}: {name}: expected {expected}, got {value!r}")
    if "repository" not in values:
        raise ReleaseError(f"{path}: repository is missing", "Name the registry and the repository: host/name")
    return Configuration(**values)
