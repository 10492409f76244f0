"""Headers of every answer: what a browser may do with it, and the request's id."""

import re
import secrets

from flask import Flask, Response, current_app, g, request

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# Swagger UI writes style attributes; nothing else on its page differs.
DOCS_POLICY = POLICY.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def install(app: Flask) -> None:
    """Set them on every answer of `app`."""
    app.before_request(_take_request_id)
    app.after_request(_secure)
    if app.config["CORS_ORIGINS"]:
        app.after_request(_share)
        app.before_request(_preflight)


def _take_request_id() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)


def _secure(response: Response) -> Response:
    headers = response.headers
    headers.setdefault("Content-Security-Policy", DOCS_POLICY if request.path.startswith("/apidocs") else POLICY)
    headers["X-Content-Type-Options"] = "nosniff"
    headers["X-Frame-Options"] = "DENY"
    headers["Referrer-Policy"] = "same-origin"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=()"
    headers["X-Request-ID"] = g.get("request_id", "")
    if not request.path.startswith(("/static/", "/flasgger_static/")):
        headers.setdefault("Cache-Control", "no-store")
    return response


def _share(response: Response) -> Response:
    """Let the pages of the configured origins read the answer; never with credentials."""
    response.headers.add("Vary", "Origin")
    origin = request.headers.get("Origin", "")
    if origin in current_app.config["CORS_ORIGINS"]:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = "X-Request-ID, X-Bundle"
    return response


def _preflight() -> Response | None:
    if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers:
        return None
    allowed = {
        "Access-Control-Allow-Methods": "GET, POST",
        "Access-Control-Allow-Headers": "Authorization, Content-Type, X-API-Key, X-Request-ID",
        "Access-Control-Max-Age": "600",
    }
    return Response(status=204, headers=allowed)
