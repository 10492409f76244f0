"""What docker login stored for a registry: in its file, or with the helper program that the file names."""

import base64
import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from slipway.model.document import parse

HUB = ("docker.io", "index.docker.io", "registry-1.docker.io")
HUB_ADDRESS = "https://index.docker.io/v1/"  # under which Docker stores the login of all three
TOKEN_USER = "<token>"  # of a helper whose secret is an identity token
SECONDS = 30


@dataclass(frozen=True)
class Login:
    """A login, as one of two.

    Parameters
    ----------
    basic : str
        User and password in base64; empty if there are none.
    identity : str
        An identity token, which registries such as Azure's give in the place of a password.
    """

    basic: str = ""
    identity: str = ""


def login_at(registry: str, environ: Mapping[str, str] = os.environ) -> Login:
    """The login of a registry; an empty one if there is none."""
    folder = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/")) / ".docker")
    try:
        config = parse((folder / "config.json").read_bytes())
        helper = config.get("credHelpers", {}).get(registry) or config.get("credsStore")
        noted = config.get("auths", {})
        hosts = HUB if registry in HUB else (registry,)
        found: Mapping[str, Any] = next((entry for address, entry in noted.items() if _host(address) in hosts), {})
        return (_of_helper(helper, registry, environ) if helper else None) or _of_file(found)
    except (OSError, ValueError, AttributeError, TypeError, KeyError):
        return Login()


@contextmanager
def own_login(registry: str, user: str, password: str) -> Iterator[dict[str, str]]:
    """An environment in which Docker's file holds this login alone: nobody else can read it, and it is gone afterwards."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "config.json"
        path.touch(mode=0o600)
        path.write_text(json.dumps({"auths": {registry: {"auth": _basic(user, password)}}}), encoding="utf-8")
        yield {"DOCKER_CONFIG": folder}


def _basic(user: str, password: str) -> str:
    return base64.b64encode(f"{user}:{password}".encode()).decode()


def _host(address: str) -> str:
    return address.partition("://")[2].partition("/")[0] if "://" in address else address.partition("/")[0]


def _of_file(entry: Mapping[str, Any]) -> Login:
    basic = str(entry.get("auth", ""))
    _, _, password = base64.b64decode(basic, validate=True).partition(b":")
    return Login(basic if password else "", str(entry.get("identitytoken", "")))


def _of_helper(helper: str, registry: str, environ: Mapping[str, str]) -> Login | None:
    """None if the helper has none, or is not there."""
    address = HUB_ADDRESS if registry in HUB else registry
    command = [f"docker-credential-{helper}", "get"]
    try:
        done = subprocess.run(command, input=address.encode(), env=environ, capture_output=True, timeout=SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    if done.returncode:
        return None
    said = parse(done.stdout)
    if said["Username"] == TOKEN_USER:
        return Login(identity=said["Secret"])
    return Login(_basic(said["Username"], said["Secret"]))
