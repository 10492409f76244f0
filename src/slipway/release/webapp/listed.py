"""Which digest the registry lists under a release key, asked with the login of `az`."""

from collections.abc import Callable
from typing import Any

from slipway.errors import ReleaseError
from slipway.release.image.registry import find_image
from slipway.release.image.registry_login import own_login
from slipway.release.request import Request, require_same_digest

AZURE = ".azurecr.io"
NOBODY = "00000000-0000-0000-0000-000000000000"  # the user of a token
NEEDED = "Set SLIPWAY_REGISTRY and SLIPWAY_REPOSITORY"


def require_listed(az: Callable[..., Any], repository: str, request: Request) -> None:
    """ReleaseError if an image is not what ``HOST/REPO`` lists under its release key: no other may run."""
    host, _, name = repository.partition("/")
    if not host or not name:
        raise ReleaseError(f"the repository {repository!r} is not HOST/REPO", NEEDED)
    found = _found(az, host, name, request.key) if host.endswith(AZURE) else find_image(host, name, request.key)
    require_same_digest(found, repository, request)


def _found(az: Callable[..., Any], host: str, name: str, key: str) -> str | None:
    """With a token that may do no more than the login: AcrPull is enough.

    Where a registry is NAME-HASH.azurecr.io, az refuses both as a name, and without the hash looks for NAME.azurecr.io.
    """
    registry, _, label = host.removesuffix(AZURE).partition("-")
    suffix = ("--suffix", label) if label else ()
    token = az("acr", "login", "--name", registry, *suffix, "--expose-token")["accessToken"]
    with own_login(host, NOBODY, token) as environ:
        return find_image(host, name, key, environ)
