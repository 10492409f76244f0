"""What a registry has, and one more tag for it: requests for manifests, which all registries answer."""

import os
import re
from collections.abc import Mapping
from email.message import Message
from urllib.request import Request

from slipway.errors import ReleaseError
from slipway.release.image.challenge import LOG_IN, ask, authorization, is_local
from slipway.release.image.registry_login import HUB, login_at

MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


class Registry:
    """A registry, and the authorizations that it gave last.

    Parameters
    ----------
    host : str
        With an optional port. As in Docker, a registry on this machine is used without TLS.
    environ : mapping
        Says where Docker keeps its logins.
    """

    def __init__(self, host: str, environ: Mapping[str, str] = os.environ) -> None:
        self.host = host
        self._login = login_at(host, environ)
        self._given: dict[str, str] = {}  # by what is allowed: a token to read is none to write

    def find(self, name: str, tag: str) -> str | None:
        """Digest of an image, ``sha256:…``; None if the registry does not have it.

        Raises
        ------
        ReleaseError
            If the registry cannot be reached, or denies access.
        """
        found = self._manifest(name, tag, "HEAD")
        return found[0] if found else None

    def add_tag(self, name: str, digest: str, tag: str) -> None:
        """Give an image one more tag, without pulling it: its manifest is put again, byte for byte.

        Raises
        ------
        ReleaseError
            If the image is not there, or the registry refuses.
        """
        found = self._manifest(name, digest, "GET")
        if found is None:
            raise ReleaseError(f"{self.host}/{name}@{digest} is not in the registry")
        _, kind, content = found
        status, _, _ = self._answer(name, tag, "PUT", content, kind)
        if status >= 300 and self.find(name, tag) != digest:  # tags never change: another run may have been faster
            raise self._refused(name, tag, status)

    def _manifest(self, name: str, reference: str, method: str) -> tuple[str, str, bytes] | None:
        """Digest, media type and content of a manifest; None if there is none."""
        status, headers, content = self._answer(name, reference, method)
        if status == 404:
            return None
        if status >= 300:
            raise self._refused(name, reference, status)
        digest = headers.get("Docker-Content-Digest", "")
        if not DIGEST.fullmatch(digest):
            raise ReleaseError(f"{self.host}: sent no digest for {name}:{reference}")
        return digest, headers.get("Content-Type", ""), content

    def _answer(
        self, name: str, reference: str, method: str, content: bytes | None = None, kind: str = ""
    ) -> tuple[int, Message, bytes]:
        """Status, headers and body. What a registry asks for is given once: a token may be old."""
        allowed = "pull,push" if method == "PUT" else "pull"
        shown = self._given.get(allowed, "")
        answered = ask(self._request(name, reference, method, content, kind, shown))
        status, headers, _ = answered
        if status != 401:
            return answered
        challenges = headers.get_all("WWW-Authenticate", [])
        given = authorization(self.host, challenges, self._login, f"repository:{name}:{allowed}")
        self._given[allowed] = given
        return ask(self._request(name, reference, method, content, kind, given)) if given else answered

    def _request(self, name: str, reference: str, method: str, content: bytes | None, kind: str, shown: str) -> Request:
        host = HUB[-1] if self.host in HUB else self.host
        url = f"http{'' if is_local(host) else 's'}://{host}/v2/{name}/manifests/{reference}"
        request = Request(url, content, {"Content-Type": kind} if kind else {}, method=method)
        request.add_header("Accept", ", ".join(MANIFESTS))
        if shown:
            request.add_unredirected_header("Authorization", shown)  # it is this host's alone
        return request

    def _refused(self, name: str, reference: str, status: int) -> ReleaseError:
        cure = LOG_IN if status in (401, 403) else "Try again later"
        return ReleaseError(f"{self.host}: the request for {name}:{reference} failed with status {status}", cure)


def find_image(registry: str, name: str, tag: str, environ: Mapping[str, str] = os.environ) -> str | None:
    """`Registry.find`, asked once."""
    return Registry(registry, environ).find(name, tag)
