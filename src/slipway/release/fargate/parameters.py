"""The service's settings in Parameter Store: which there are, and whether they changed. Values are never read."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from slipway.errors import ReleaseError
from slipway.release.request import OURS

VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


@dataclass(frozen=True)
class Settings:
    """The parameters of a service.

    Parameters
    ----------
    prefix : str
        ``/slipway/NAME/``.
    names : tuple of str
        Of the parameters, without the prefix: the names of environment variables.
    mark : str
        Hash of names and versions: another one when a parameter was added, removed, changed or made anew.
    """

    prefix: str
    names: tuple[str, ...]
    mark: str


def read_settings(aws: Callable[..., Any], service: str) -> Settings:
    """The settings of a service; ReleaseError if a name cannot be that of an environment variable."""
    prefix = f"/slipway/{service}/"
    filters = f"Key=Path,Option=OneLevel,Values={prefix.rstrip('/')}"
    found = aws("ssm", "describe-parameters", "--parameter-filters", filters)["Parameters"]
    versions = sorted((each["Name"], each["Version"], str(each.get("LastModifiedDate"))) for each in found)
    names = tuple(name.removeprefix(prefix) for name, *_ in versions)
    for name in names:
        if not VARIABLE.fullmatch(name):
            raise ReleaseError(f"the parameter {prefix}{name} does not name an environment variable", "Rename or delete it")
        if name in OURS:
            raise ReleaseError(f"the parameter {prefix}{name} sets what each release sets itself", "Delete it")
    return Settings(prefix, names, hashlib.sha256(json.dumps(versions).encode()).hexdigest()[:16])
