"""The access log: one line of JSON per request on standard output, without values of rows."""

import os
import re
import secrets
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime

import msgspec
from flask import Flask, Response, current_app, g, request

STDOUT, STDERR = 1, 2
REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}", re.ASCII)
LONGEST_PATH = 200


def watch(app: Flask) -> None:
    """Give every request an id; log and count every answer once it is sent."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    g.started = time.perf_counter()
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
    g.rows = 0


def _end(response: Response) -> Response:
    response.headers["X-Request-ID"] = g.request_id
    service = current_app.extensions["slipway"]
    endpoint = request.url_rule.rule if request.url_rule else "unknown"
    facts = g._get_current_object()  # the context is gone when a streamed answer ends
    record = {
        "id": facts.request_id,
        "method": request.method,
        "path": request.path[:LONGEST_PATH],
        "status": response.status_code,
        "bundle": service.digest[:12],
    }

    @response.call_on_close
    def _sent() -> None:
        seconds = time.perf_counter() - facts.started
        service.metrics.count_answer(endpoint, record["method"], record["status"], seconds, facts.rows)
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        write_line(STDOUT, {"at": now} | record | {"ms": round(1000 * seconds, 2), "rows": facts.rows})

    return response


def log_failure(error: Exception, request_id: str | None) -> None:
    """Log what failed and where, on standard error; without the message, which may quote a row."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{os.path.basename(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]
    write_line(STDERR, {"id": request_id, "error": type(error).__name__, "trace": places})


def write_line(descriptor: int, record: Mapping[str, object]) -> None:
    """A record as a line."""
    write_bytes(descriptor, msgspec.json.encode(record) + b"\n")


def write_bytes(descriptor: int, line: bytes) -> bool:
    """One line in one write, so that lines of several workers do not mix; a closed pipe is ignored. Whether it was taken."""
    with suppress(OSError):
        return os.write(descriptor, line) == len(line)
    return False
