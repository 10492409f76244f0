"""A service's own settings on the box, release.toml: which images may run, their limits, and where they answer."""

import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from slipway.errors import ReleaseError

REPOSITORY = re.compile(r"[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+")
MEMORY = re.compile(r"[1-9][0-9]*[mg]")
LABEL = "[a-z0-9]([a-z0-9-]*[a-z0-9])?"
BUCKET = "s3://[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"


@dataclass(frozen=True)
class Configuration:
    """The settings, with their defaults.

    Parameters
    ----------
    repository : str
        ``host/name`` of the only images that may run.
    keep : int
        How many images to keep on the disk; the live and the previous release's are always kept.
    memory : str
        Memory limit of a release, as for Docker (``512m``).
    pids : int
        Limit of processes and threads of a release.
    ready_seconds : int
        How long a release may take to become ready.
    drain_seconds : int
        How long a release that is neither the live nor the previous one may take to finish its answers.
    draining : int
        How many such releases may run at once.
    webhook : str
        URL that receives every result; empty for none.
    host : str
        Domain name that the service answers under, with HTTPS; empty for every name that no other service has.
    prefix : str
        Path in front of the service, as in ``/churn``; empty for all paths that no other service has.
    email : str
        Address for mails of the certificate authority; empty for none.
    sockets_mount : str
        Path of the sockets folder for the Docker engine, if it differs; otherwise empty.
    log_mount : str
        Folder of the prediction log, for the Docker engine; empty for none.
    log_remote : str
        ``s3://bucket/prefix``, the ``remote`` of slipway.yaml, to which that log is shipped; empty for nowhere.
    """

    repository: str
    keep: int = 3
    memory: str = "512m"
    pids: int = 256
    ready_seconds: int = 60
    drain_seconds: int = 3_600
    draining: int = 1
    webhook: str = ""
    host: str = ""
    prefix: str = ""
    email: str = ""
    sockets_mount: str = ""
    log_mount: str = ""
    log_remote: str = ""

    @property
    def mebibytes(self) -> int:
        """The memory limit of a release."""
        return int(self.memory[:-1]) * (1024 if self.memory.endswith("g") else 1)


def _integer(least: int, most: int) -> tuple[str, Callable[[Any], bool]]:
    return f"an integer from {least} to {most}", lambda value: type(value) is int and least <= value <= most


def _text(expected: str, form: str) -> tuple[str, Callable[[Any], bool]]:
    return expected, lambda value: isinstance(value, str) and re.fullmatch(form, value) is not None


RULES = {
    "repository": _text("host/name without a tag", REPOSITORY.pattern),
    "keep": _integer(2, 100),
    "memory": _text("a size like 512m or 1g", MEMORY.pattern),
    "pids": _integer(16, 32_768),
    "ready_seconds": _integer(1, 3_600),
    "drain_seconds": _integer(1, 86_400),
    "draining": _integer(0, 16),
    "webhook": _text("an http:// or https:// URL, or empty", r"(https?://\S+)?"),
    "host": _text("a domain name, or empty", rf"({LABEL}(\.{LABEL})+)?"),
    "prefix": _text("a path like /churn, or empty", r"(/[a-z0-9_-]+)*"),
    "email": _text("an address, or empty", r"([^@\s]+@[^@\s]+)?"),
    "sockets_mount": _text("an absolute path, or empty", r"(/\S+)?"),
    "log_mount": _text("an absolute path, or empty", r"(/\S+)?"),
    "log_remote": _text("an address like s3://bucket/prefix, or empty", rf"({BUCKET}(/[A-Za-z0-9._-]+)*/?)?"),
}


def read_configuration(path: Path) -> Configuration:
    """The settings in `path`.

    Raises
    ------
    ReleaseError
        Names the file, the setting and what was expected; or says that other users than root can write the file.
    """
    try:
        facts = path.stat()
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise ReleaseError(f"{path}: cannot be read ({error.strerror})", "Run the bootstrap (docs/ec2.md)") from error
    except ValueError as error:
        raise ReleaseError(f"{path}: invalid TOML ({error})") from error
    if facts.st_uid != 0 or facts.st_mode & 0o022:
        raise ReleaseError(f"{path}: other users than root can write it", f"chown root {path}; chmod 600 {path}")
    known = {field.name for field in fields(Configuration)}
    for name, value in values.items():
        if name not in known:
            raise ReleaseError(f"{path}: unknown setting {name}", f"Valid settings: {', '.join(sorted(known))}")
        expected, fits = RULES[name]
        if not fits(value):
            raise ReleaseError(f"{path}: {name}: expected {expected}, got {value!r}")
    if "repository" not in values:
        raise ReleaseError(f"{path}: repository is missing", "Set it to the registry and the repository: host/name")
    return Configuration(**values)
