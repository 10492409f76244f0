"""What a registry has, and one more tag for it: requests for manifests, which ECR and all other registries answer."""

import base64
import os
import re
from collections.abc import Mapping
from email.message import Message
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
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
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


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
    digest, _, _ = _manifest(registry, name, tag, "HEAD", environ) or ("", "", b"")
    return digest or None


def add_tag(registry: str, name: str, digest: str, tag: str, environ: Mapping[str, str] = os.environ) -> None:
    """Give an image of the registry one more tag, without pulling it: its manifest is put again, byte for byte.

    Raises
    ------
    ReleaseError
        If the image is not there, or the registry refuses.
    """
    found = _manifest(registry, name, digest, "GET", environ)
    if found is None:
        raise ReleaseError(f"{registry}/{name}@{digest} is not in the registry")
    _, kind, content = found
    request = _request(registry, name, tag, "PUT", environ)
    request.data = content
    request.add_header("Content-Type", kind)
    try:
        _answer(request)
    except HTTPError as error:
        if find_image(registry, name, tag, environ) != digest:  # tags never change: another run may have been faster
            raise _refused(registry, name, tag, error) from error


def _manifest(
    registry: str, name: str, reference: str, method: str, environ: Mapping[str, str]
) -> tuple[str, str, bytes] | None:
    """Digest, media type and content of a manifest; None if there is none."""
    request = _request(registry, name, reference, method, environ)
    try:
        headers, content = _answer(request)
    except HTTPError as error:
        if error.code == 404:
            return None
        raise _refused(registry, name, reference, error) from error
    digest = headers.get("Docker-Content-Digest", "")
    if not DIGEST.fullmatch(digest):
        raise ReleaseError(f"{registry}: sent no digest for {name}:{reference}")
    return digest, headers.get("Content-Type", ""), content


def _request(registry: str, name: str, reference: str, method: str, environ: Mapping[str, str]) -> Request:
    scheme = "http" if registry.rpartition(":")[0] in LOCAL or registry in LOCAL else "https"
    request = Request(f"{scheme}://{registry}/v2/{name}/manifests/{reference}", method=method)
    request.add_header("Accept", ", ".join(MANIFESTS))
    login = credentials(registry, environ)
    if login:
        request.add_unredirected_header("Authorization", f"Basic {login}")  # it is this host's alone
    return request


def _answer(request: Request) -> tuple[Message, bytes]:
    """Headers and body; HTTPError for a status of failure, ReleaseError if nothing answers."""
    try:
        with urlopen(request, timeout=SECONDS) as answer:
            return answer.headers, answer.read()
    except HTTPError:
        raise
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        raise ReleaseError(f"{request.host}: cannot be reached ({reason})", "Check AWS_ECR_LOGIN_URI") from error


def _refused(registry: str, name: str, reference: str, error: HTTPError) -> ReleaseError:
    cure = "Run docker login first, as a user with permission to pull" if error.code in (401, 403) else "Try again later"
    return ReleaseError(f"{registry}: the request for {name}:{reference} failed with status {error.code}", cure)


def credentials(registry: str, environ: Mapping[str, str] = os.environ) -> str:
    """The credentials that ``docker login`` stored for a registry: user and password in base64; empty if none."""
    folder = Path(environ.get("DOCKER_CONFIG") or Path(environ.get("HOME", "/")) / ".docker")
    try:
        noted: str = parse((folder / "config.json").read_bytes()).get("auths", {}).get(registry, {}).get("auth", "")
        base64.b64decode(noted, validate=True)
    except (OSError, ValueError, AttributeError, TypeError):
        return ""
    return noted
