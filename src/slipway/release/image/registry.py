"""Whether a registry has an image: a HEAD request for its manifest, which ECR and all other registries support."""

import base64
import os
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from slipway.errors import ReleaseError
from slipway.model.document import parse

MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
LOCAL = ("localhost", "127.0.0.1", "[::1]")
SECONDS = 30


def find_image(registry: str, name: str, tag: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Digest of an image, ``sha256:…``; None if the registry does not have it.

    Parameters
    ----------
    registry : str
        Host, with an optional port: ``AWS_ECR_LOGIN_URI``. As in Docker, a registry on this machine is used without TLS.
    name, tag : str
        Repository and tag.

    Raises
    ------
    ReleaseError
        If the registry cannot be reached, or denies access.
    """
    scheme = "http" if registry.rpartition(":")[0] in LOCAL or registry in LOCAL else "https"
    request = Request(f"{scheme}://{registry}/v2/{name}/manifests/{tag}", method="HEAD")
    request.add_header("Accept", ", ".join(MANIFESTS))
    login = credentials(registry, environ)
    if login:
        request.add_header("Authorization", f"Basic {login}")
    try:
        with urlopen(request, timeout=SECONDS) as answer:
            digest: str | None = answer.headers.get("Docker-Content-Digest")
    except HTTPError as error:
        if error.code == 404:
            return None
        cure = "Run docker login first, as a user with permission to pull" if error.code in (401, 403) else "Try again later"
        raise ReleaseError(f"{registry}: the request for {name}:{tag} failed with status {error.code}", cure) from error
    except (URLError, OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ReleaseError(f"{registry}: cannot be reached ({reason})", "Check AWS_ECR_LOGIN_URI") from error
    if not digest:
        raise ReleaseError(f"{registry}: sent no digest for {name}:{tag}")
    return digest


def credentials(registry: str, environ: Mapping[str, str] = os.environ) -> str:
    """The credentials that ``docker login`` stored for a registry: user and password in base64; empty if none."""
    folder = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/")) / ".docker")
    try:
        noted: str = parse((folder / "config.json").read_bytes()).get("auths", {}).get(registry, {}).get("auth", "")
        base64.b64decode(noted, validate=True)
    except (OSError, ValueError, AttributeError, TypeError):
        return ""
    return noted
