"""Whether an image is in a registry: a HEAD on its manifest, as ECR and every other registry understand it."""

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
    "application/vnd.docker.distribution.manifest.v2+json", "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json",
)
LOCAL = ("localhost", "127.0.0.1", "[::1]")
SECONDS = 30


def find_image(registry: str, name: str, tag: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """Digest of an image, ``sha256:…``; None when it is not there.

    Parameters
    ----------
    registry : str
        Host, with a port if need be: ``AWS_ECR_LOGIN_URI``. One on this machine is asked without TLS, as Docker does.
    name, tag : str
        Repository and tag.

    Raises
    ------
    ReleaseError
        When the registry cannot be reached, or does not let us in.
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
        cure = "docker login first, with the right to pull" if error.code in (401, 403) else "Try again later"
        raise ReleaseError(f"{registry}: asked for {name}:{tag}, it says {error.code}", cure) from error
    except (URLError, OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ReleaseError(f"{registry}: cannot be reached ({reason})", "Check AWS_ECR_LOGIN_URI") from error
    if not digest:
        raise ReleaseError(f"{registry}: names no digest for {name}:{tag}")
    return digest


def credentials(registry: str, environ: Mapping[str, str] = os.environ) -> str:
    """What ``docker login`` noted for a registry: user and password in base64; empty when nothing."""
    folder = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/")) / ".docker")
    try:
        noted: str = parse((folder / "config.json").read_bytes()).get("auths", {}).get(registry, {}).get("auth", "")
        base64.b64decode(noted, validate=True)
    except (OSError, ValueError, AttributeError, TypeError):
        return ""
    return noted
