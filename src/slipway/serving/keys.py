"""API keys. Without ``SLIPWAY_API_KEYS`` and ``SLIPWAY_API_KEYS_FILE`` no key is required."""

import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path

from flask import Flask, current_app, g, request

from slipway.api_keys import FILE, MOST_BYTES, VARIABLE, listed_keys, parse_keys
from slipway.errors import ServingError
from slipway.serving.access import STDERR, write_line
from slipway.serving.refusal import PREDICTIONS, Refusal

HEADER = "X-API-Key"
FORM_FIELD = "slipway:api-key"
CLIENT = 8  # digits of its SHA-256 that stand for a key
GUARDED = {*PREDICTIONS, "api.what_if", "pages.ask", "pages.preview", "probes.metrics", "production.live"}


class Keys:
    """The keys that open the guarded addresses: those of the environment, and those of a file that may change meanwhile.

    Parameters
    ----------
    environ : mapping
        ``SLIPWAY_API_KEYS``: comma-separated keys. ``SLIPWAY_API_KEYS_FILE``: path of a file with one key per line.

    Raises
    ------
    ServingError
        If one of them is set but gives no key: a service that should be protected must not start unprotected.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        text = environ.get(VARIABLE, "")
        self._fixed = _digests(listed_keys(text))
        if text and not self._fixed:
            raise ServingError(f"{VARIABLE} is set but contains no key", "Set it to comma-separated keys, or unset it")
        self._file = KeysFile(Path(environ[FILE])) if environ.get(FILE) else None

    @property
    def needed(self) -> bool:
        return bool(self._fixed or self._file)

    def accept(self, key: str) -> str | None:
        """What the log calls who has this key, or None for a wrong one; takes as long for each of them, right or wrong."""
        digest = sha256(key.encode("utf-8", "surrogatepass")).digest()
        known = self._fixed + (self._file.digests() if self._file else ())
        accepted = any([hmac.compare_digest(digest, each) for each in known])  # noqa: C419 - any() must not stop early
        return digest.hex()[:CLIENT] if accepted else None


class KeysFile:
    """Keys in a file, read again at the first request after it changed. A file that cannot be read changes nothing.

    Raises
    ------
    ServingError
        If the file cannot be read at the start.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen = self._stamp()
        try:
            self._digests = self._read()
        except (OSError, ValueError) as error:
            raise ServingError(f"{FILE}: {path}: {_reason(error)}", "Write one key per line, or unset it") from error

    def digests(self) -> tuple[bytes, ...]:
        """SHA-256 of the keys that are valid now."""
        stamp = self._stamp()
        if stamp != self._seen:
            self._seen = stamp  # taken before reading: a change meanwhile is seen by the next request
            try:
                self._digests = self._read()
                write_line(STDERR, {"event": "API keys changed", "file": str(self._path), "keys": len(self._digests)})
            except (OSError, ValueError) as error:
                says = {"error": "API keys not read; the earlier ones stay valid", "reason": _reason(error)}
                write_line(STDERR, says | {"file": str(self._path), "keys": len(self._digests)})
        return self._digests

    def _stamp(self) -> tuple[int, ...]:
        try:
            found = self._path.stat()
        except OSError as error:
            return (error.errno or 0,)
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns  # the last one also when it becomes readable

    def _read(self) -> tuple[bytes, ...]:
        with self._path.open("rb") as file:
            return _digests(parse_keys(file.read(MOST_BYTES + 1)))


def _digests(keys: Sequence[str]) -> tuple[bytes, ...]:
    return tuple(sha256(key.encode()).digest() for key in keys)


def _reason(error: OSError | ValueError) -> str:
    return error.strerror or "cannot be read" if isinstance(error, OSError) else str(error)


def guard(app: Flask) -> None:
    """Require a key for predictions, metrics and the page of production."""
    app.before_request(_require_key)


def _require_key() -> None:
    keys = current_app.extensions["slipway"].keys
    if not keys.needed or request.endpoint not in GUARDED or request.method == "OPTIONS":
        return
    key = presented(request.headers.get("Authorization", ""), request.headers.get(HEADER, ""))
    if not key and request.blueprint in ("pages", "production"):
        key = request.form.get(FORM_FIELD, "").strip()
    client = keys.accept(key)
    if client is None:
        detail = f"Expected an API key: Authorization: Bearer KEY, or {HEADER}: KEY."
        raise Refusal(401, detail, headers={"WWW-Authenticate": 'Bearer realm="slipway"'})
    g.call.client = client


def presented(authorization: str, header: str) -> str:
    """The key in the two headers that may have it, of which ``Authorization: Bearer`` comes first; empty without one."""
    scheme, _, key = authorization.partition(" ")
    return (key if scheme.lower() == "bearer" else header).strip()
