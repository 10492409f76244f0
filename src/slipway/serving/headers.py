"""Response headers: what a browser may do with an answer, and which other origins may ask."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from flask import Flask, Response, current_app, request

from slipway.errors import ServingError
from slipway.serving.refusal import PROTOCOLS

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# A page as a file carries its styles in itself; nothing else may run or load in it.
DOCUMENT_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; sandbox"
SECURITY = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
NOT_STORED = "no-store"
VARY = "Origin"
EXPOSED = "X-Request-ID, Slipway-Bundle, Retry-After"
RELEASE = "Slipway-Release"
ORIGIN = re.compile(r"https?://[^/*?#\s]+", re.ASCII)
PREFLIGHT = {
    "Access-Control-Allow-Methods": "POST",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, X-API-Key, X-Request-ID",
    "Access-Control-Max-Age": "600",
}


def protect(app: Flask, origins: tuple[str, ...], release: str = "") -> None:
    """Set the headers on every answer; `origins` may call the API from their pages, `release` is named when there is one.

    Raises
    ------
    ServingError
        When an origin is not scheme and host, or a wildcard.
    """
    for origin in origins:
        if not ORIGIN.fullmatch(origin):
            raise ServingError(f"serving.cors_origins: {origin!r} is not an origin", "Write it like https://example.com")
    app.wsgi_app = _Secured(app.wsgi_app, secured(release))  # type: ignore[method-assign]  # as Flask documents
    app.after_request(_limit_storing)
    app.after_request(_share)


def secured(release: str) -> dict[str, str]:
    """The headers that every answer has, unless it has its own."""
    return SECURITY | ({RELEASE: release} if release else {})


class _Secured:
    """Adds the headers that an answer does not have yet; below Flask, where it takes a tenth of the time."""

    def __init__(self, application: WSGIApplication, headers: Mapping[str, str]) -> None:
        self._application = application
        self._headers = list(headers.items())

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        def start(status: str, headers: list[tuple[str, str]], failure: Any = None, /) -> Callable[[bytes], object]:
            present = {name.lower() for name, _ in headers}
            added = [(name, value) for name, value in self._headers if name.lower() not in present]
            return start_response(status, headers + added, failure)

        return self._application(environ, start)


def _limit_storing(response: Response) -> Response:
    """Answers must not be stored; browsers must revalidate pages, because they change with the release."""
    page = request.blueprint in ("flasgger", "installable", "pages") and request.method != "POST"
    response.headers.setdefault("Cache-Control", "no-cache" if page else NOT_STORED)
    return response


def shared(origins: Collection[str], origin: str | None) -> dict[str, str]:
    """The headers with which an answer of the API is shared with the page that asked, if it is of one of these origins."""
    if origin is None or origin not in origins:
        return {}
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSED}


def _share(response: Response) -> Response:
    origins = current_app.extensions["slipway"].problem.serving.cors_origins
    if not origins or request.blueprint not in ("api", *current_app.extensions[PROTOCOLS]):
        return response
    response.vary.add(VARY)
    found = shared(origins, request.headers.get("Origin"))
    response.headers.update(found)
    if found and request.method == "OPTIONS":
        response.headers.update(PREFLIGHT)
    return response
