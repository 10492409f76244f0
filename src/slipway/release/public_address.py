"""The address that users ask: which release answers there."""

import socket
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from slipway.errors import ReleaseError
from slipway.model.document import parsed_or_none
from slipway.release.clock import Clock

MOST_BYTES = 1 << 20
IN_A_ROW = 5
SECONDS = 60
REACH_SECONDS = 10
PAUSE = 1.0


@dataclass(frozen=True)
class PublicAddress:
    """Where a service answers.

    Parameters
    ----------
    host, port : str, int
        As users name them; over TLS the certificate must be the host's.
    secure : bool
    prefix : str
        Path that all its paths begin with, without a slash at its end.
    place : str
        Where to connect: the host, or the load balancer, so that a name can be checked before it leads there.
    headers : mapping of str to str
        Sent with each request, such as a token for a proxy that lets in nobody without; never printed.
    """

    host: str
    port: int
    secure: bool = False
    prefix: str = ""
    place: str = ""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __str__(self) -> str:
        return f"http{'s' * self.secure}://{self._named}{self.prefix}" + (f" at {self.place}" if self.place else "")

    @property
    def _named(self) -> str:
        return self.host if self.port == (443 if self.secure else 80) else f"{self.host}:{self.port}"

    def ask(self, seconds: float = 10) -> tuple[int, Any]:
        """Status and document of /readyz, on a connection of its own; None for what is not JSON.

        No proxy is asked and no redirect followed: both could answer for somebody else. OSError if nothing answers.
        """
        with closing(HTTPConnection(self.host, self.port, timeout=seconds)) as connection:
            connection.sock = self._connect(seconds)
            try:
                connection.request(
                    "GET", f"{self.prefix}/readyz", headers={**self.headers, "Host": self._named, "Connection": "close"}
                )
                answer = connection.getresponse()
                return answer.status, parsed_or_none(answer.read(MOST_BYTES))
            except HTTPException as error:
                raise OSError(f"the answer is not HTTP ({type(error).__name__})") from error

    def _connect(self, seconds: float) -> socket.socket:
        plain = socket.create_connection((self.place or self.host, self.port), seconds)
        if not self.secure:
            return plain
        try:
            return ssl.create_default_context().wrap_socket(plain, server_hostname=self.host)
        except OSError:
            plain.close()
            raise


def address_of(url: str, place: str = "") -> PublicAddress:
    """The address that a URL names; ValueError if it is not one of a service."""
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise ValueError(f"{url!r} is not the URL of a service")
    port = parts.port or {"https": 443, "http": 80}[parts.scheme]
    return PublicAddress(parts.hostname, port, parts.scheme == "https", parts.path.rstrip("/"), place)


def require_reachable(address: PublicAddress, clock: Clock) -> None:
    """ReleaseError if nothing answers at an address, so that it could not be checked after the release either."""
    deadline = clock.now() + REACH_SECONDS
    while True:
        try:
            address.ask()
            return
        except OSError as error:
            if clock.now() > deadline:
                cure = "Check the service's tags, the certificate, and that this machine may reach the address"
                raise ReleaseError(f"{address} does not answer ({_reason(error)}); nothing was changed", cure) from error
        clock.pause(PAUSE)


def require_release(address: PublicAddress, release: str, bundle: str | None, clock: Clock, seconds: float = SECONDS) -> None:
    """Ask until several answers in a row come from a release, ready and with the expected bundle, if one is named.

    Raises
    ------
    ReleaseError
        If they do not in time; at once if the release has another bundle, because that does not change.
    """
    deadline, good, said = clock.now() + seconds, 0, ""
    while good < IN_A_ROW:
        try:
            status, document = address.ask()
        except OSError as error:
            said = f"it does not answer ({_reason(error)})"
        else:
            said = _difference(status, document, release)
            if not said and bundle and document.get("bundle") != bundle:
                found = str(document.get("bundle"))[:12]
                wrong = f"it serves the bundle {found}, but the commit names {bundle[:12]}"
                raise ReleaseError(f"{address} does not serve release {release}: {wrong}")
        good = 0 if said else good + 1
        if said and clock.now() > deadline:
            raise ReleaseError(f"{address} does not serve release {release}: {said}")
        clock.pause(PAUSE if said else 0)


def _difference(status: int, document: Any, release: str) -> str:
    """What an answer of /readyz has else than expected; empty if nothing."""
    found = document if isinstance(document, dict) else {}
    if found.get("release") not in (None, release):
        return f"release {found['release']} answers"
    if status != 200 or not found.get("release"):
        return f"/readyz answers {status}"
    return ""


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or type(error).__name__
