"""The access log: one JSON object a request on standard output, without query strings and row values."""

import logging
import sys
import time
from datetime import datetime, timezone

import msgspec
from flask import Flask, Response, current_app, g, request

from slipway.serving import metrics

access_log = logging.getLogger("slipway.access")
QUIET = ("/healthz", "/readyz", "/metrics")


def install(app: Flask) -> None:
    """Log and count every answer of `app`."""
    if not access_log.handlers:
        handler = logging.StreamHandler(sys.stdout)
        handler.setFormatter(logging.Formatter("%(message)s"))
        access_log.addHandler(handler)
        access_log.setLevel(logging.INFO)
        access_log.propagate = False
    app.before_request(_start)
    app.after_request(_log)


def _start() -> None:
    g.started = time.perf_counter()


def _log(response: Response) -> Response:
    seconds = time.perf_counter() - g.get("started", time.perf_counter())
    digest = current_app.extensions["slipway"].digest
    call = request.url_rule.rule if request.url_rule else "unknown"
    metrics.answered(call, request.method, response.status_code, seconds, digest)
    if response.status_code < 400 and request.path in QUIET:
        return response
    line = {
        "at": datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        "request_id": g.get("request_id"), "method": request.method, "path": request.path,
        "status": response.status_code, "ms": round(1000 * seconds, 2), "bundle": digest[:12],
    }
    if "rows" in g:
        line["rows"] = g.rows
    access_log.info(msgspec.json.encode(line).decode())
    return response
