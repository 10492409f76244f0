"""API keys. Without ``SLIPWAY_API_KEYS`` no key is required."""

import hmac
from hashlib import sha256

from flask import Flask, current_app, request

from slipway.errors import ServingError
from slipway.serving.refusal import Refusal

VARIABLE = "SLIPWAY_API_KEYS"
HEADER = "X-API-Key"
FORM_FIELD = "slipway:api-key"
GUARDED = {"api.predict", "api.predict_file", "api.what_if", "pages.ask", "pages.preview", "probes.metrics"}


class Keys:
    """The keys that open the guarded addresses.

    Parameters
    ----------
    text : str or None
        Comma-separated keys; None or empty when none is needed.

    Raises
    ------
    ServingError
        If the text contains no key: a service that should be protected must not start unprotected.
    """

    def __init__(self, text: str | None) -> None:
        keys = [key.strip() for key in (text or "").split(",")]
        self._digests = [sha256(key.encode()).digest() for key in keys if key]
        if text and not self._digests:
            raise ServingError(f"{VARIABLE} is set but contains no key", "Set it to comma-separated keys, or unset it")

    @property
    def needed(self) -> bool:
        return bool(self._digests)

    def accept(self, key: str) -> bool:
        """Whether this is one of the keys; takes as long for each of them, right or wrong."""
        digest = sha256(key.encode("utf-8", "surrogatepass")).digest()
        return any([hmac.compare_digest(digest, known) for known in self._digests])  # noqa: C419 - any() must not stop early


def guard(app: Flask) -> None:
    """Require a key for predictions and metrics."""
    app.before_request(_require_key)


def _require_key() -> None:
    keys = current_app.extensions["slipway"].keys
    if not keys.needed or request.endpoint not in GUARDED or request.method == "OPTIONS":
        return
    if not keys.accept(_presented()):
        detail = f"Expected an API key: Authorization: Bearer KEY, or {HEADER}: KEY."
        raise Refusal(401, detail, headers={"WWW-Authenticate": 'Bearer realm="slipway"'})


def _presented() -> str:
    scheme, _, key = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        key = request.headers.get(HEADER, "")
    if not key and request.blueprint == "pages":
        key = request.form.get(FORM_FIELD, "")
    return key.strip()
