"""The service at its address: what a client gets."""

import json
import socket
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from slipway.doctor.finding import FAILED, MISSING, OK, SKIPPED, Finding
from slipway.release.box.execution import same

SECONDS = 10
DAYS = 21  # certbot renews a certificate 30 days before its end
MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Seen:
    """What the service answered.

    Parameters
    ----------
    ready : mapping
        What ``/readyz`` says: ``bundle``, and on a box ``release`` and ``commit``. `silent` says why there is none.
    days : float or None
        Until the certificate ends; None without TLS.
    open : int
        Status of a golden row without an API key; `answer` is the document with a key, and `status` its status.
    """

    ready: Mapping[str, str] = field(default_factory=dict)
    silent: str = ""
    days: float | None = None
    open: int = 0
    status: int = 0
    answer: Mapping[str, Any] = field(default_factory=dict)


def look(address: str, row: Mapping[str, Any] | None, key: str) -> Seen:
    """Ask the service; `row` is a golden row of the champion, `key` one of its API keys, empty if none is known."""
    try:
        days = _days(address)
        status, ready = _ask(f"{address}/readyz")
        if status != 200 or not isinstance(ready.get("bundle"), str):
            return Seen(silent=f"/readyz answers {status}", days=days)
        if row is None:
            return Seen(ready, days=days)
        free, answer = _ask(f"{address}/predict", row)
        if free == 200 or not key:
            return Seen(ready, "", days, free, free, answer)
        return Seen(ready, "", days, free, *_ask(f"{address}/predict", row, key))
    except ssl.SSLCertVerificationError as error:
        return Seen(silent=f"its certificate is not valid: {error.verify_message}")
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(reason, ssl.SSLCertVerificationError):
            return Seen(silent=f"its certificate is not valid: {reason.verify_message}")
        return Seen(silent=f"it cannot be reached ({type(reason).__name__})")


def _ask(url: str, row: Mapping[str, Any] | None = None, key: str = "") -> tuple[int, Mapping[str, Any]]:
    """Status and JSON object of an answer; an empty one if it is anything else."""
    request = Request(url, None if row is None else json.dumps(row).encode())
    request.add_header("Content-Type", "application/json")
    if key:
        request.add_unredirected_header("X-API-Key", key)  # not for whom it leads on to
    try:
        with urlopen(request, timeout=SECONDS) as answer:
            return answer.status, _object(answer.read(MOST_BYTES))
    except HTTPError as error:
        return error.code, {}


def _object(content: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _days(address: str) -> float | None:
    parts = urlsplit(address)
    if parts.scheme != "https":
        return None
    context, place = ssl.create_default_context(), (parts.hostname or "", parts.port or 443)
    with (
        socket.create_connection(place, SECONDS) as connection,
        context.wrap_socket(connection, server_hostname=parts.hostname) as secured,
    ):
        found = secured.getpeercert() or {}
    return (ssl.cert_time_to_seconds(str(found["notAfter"])) - time.time()) / 86_400


def check(seen: Seen, champion: str | None, golden: Mapping[str, Any] | None) -> list[Finding]:
    """Judge the answers; `golden` is the recorded answer to the row that was asked."""
    if seen.silent:
        return [
            Finding("service", FAILED, seen.silent, "Check DNS, the box and its certificate; sudo slipway doctor on the box")
        ]
    return [certificate(seen.days), bundle(seen.ready["bundle"], champion), keys(seen), *answered(seen, golden)]


def certificate(days: float | None) -> Finding:
    """How long the certificate lasts."""
    if days is None:
        return Finding("certificate", MISSING, "plain HTTP: rows and API keys travel unencrypted", "Set DOMAIN (docs/ec2.md)")
    if days < DAYS:
        return Finding("certificate", FAILED, f"ends in {days:.0f} days: its renewal fails", "sudo certbot renew --dry-run")
    return Finding("certificate", OK, f"valid for {days:.0f} more days")


def bundle(served: str, champion: str | None) -> Finding:
    """Whether it serves the bundle that the pointer names."""
    if served == champion:
        return Finding("service", OK, f"is ready with the champion {served[:12]}")
    says = f"serves {served[:12]}, but the champion of this checkout is {(champion or 'none')[:12]}"
    return Finding("service", FAILED, says, "git pull, or release: the last commit on main decides what is served")


def keys(seen: Seen) -> Finding:
    """Whether predictions need a key."""
    if not seen.open:
        return Finding("keys", SKIPPED, "no row to ask with: the champion is not on this machine", "slipway pull")
    if seen.open == 401:
        return Finding("keys", OK, "predictions require an API key")
    if seen.open == 200:
        return Finding(
            "keys", MISSING, "anybody who reaches the address gets predictions", "Set SLIPWAY_API_KEYS_FILE (docs/api.md)"
        )
    return Finding("keys", FAILED, f"a golden row without a key gets status {seen.open}", "See the log of the release")


def answered(seen: Seen, golden: Mapping[str, Any] | None) -> list[Finding]:
    """Whether a golden row gets the answer that was recorded in training."""
    if golden is None or seen.open not in (200, 401):
        return []
    if seen.status == 401:
        return [Finding("answer", SKIPPED, "needs an API key", "Set SLIPWAY_API_KEYS here to one that is valid")]
    if seen.status != 200:
        return [Finding("answer", FAILED, f"a golden row gets status {seen.status}", "See the log of the release")]
    differ = [name for name, value in golden.items() if not same(value, seen.answer.get(name))]
    if differ:
        return [
            Finding("answer", FAILED, f"a golden row gets another {differ[0]} than in training", "Check what answers there")
        ]
    return [Finding("answer", OK, "a golden row gets the answer of its training")]
