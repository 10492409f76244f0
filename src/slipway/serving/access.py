"""The access log: one line of JSON per request on standard output, without values of rows."""

import os
import re
import secrets
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from functools import lru_cache, partial

import msgspec
from flask import Flask, Response, current_app, g, request

from slipway.serving.call import Call

CALL = "slipway.call"  # in a WSGI environment, where it began in front of Flask
STDOUT, STDERR = 1, 2
REQUEST_ID = re.compile(r"[A-Za-z0-9._:+/=-]{1,128}", re.ASCII)
LONGEST_PATH = 200


def watch(app: Flask) -> None:
    """Give every request an id; log and count every answer once it is sent."""
    app.before_request(_begin)
    app.after_request(_end)


def begin(given: str) -> Call:
    """The call that arrives now, under the id that its client gave or, if that is not a sane one, a random id."""
    return Call(given if REQUEST_ID.fullmatch(given) else secrets.token_hex(8), time.perf_counter())


def _begin() -> None:
    g.call = request.environ.get(CALL) or begin(request.headers.get("X-Request-ID", ""))


def _end(response: Response) -> Response:
    call = g.call  # the context is gone when a streamed answer ends
    response.headers["X-Request-ID"] = call.request_id
    endpoint = request.url_rule.rule if request.url_rule else "unknown"
    facts = endpoint, request.method, request.path, response.status_code
    response.call_on_close(partial(current_app.extensions["slipway"].sent, call, *facts))
    return response


def write_access(call: Call, method: str, path: str, status: int, bundle: str, seconds: float) -> None:
    """Log an answer that was sent."""
    write_bytes(STDOUT, access_line(call, method, path, status, bundle, seconds))


def access_line(call: Call, method: str, path: str, status: int, bundle: str, seconds: float) -> bytes:
    """The line of an answer."""
    record = {
        "at": f"{moment()}+00:00",
        "id": call.request_id,
        "method": method,
        "path": path[:LONGEST_PATH],
        "status": status,
        "bundle": bundle[:12],
        "ms": round(1000 * seconds, 2),
        "rows": call.rows,
    }
    return _line(record)


def moment() -> str:
    """Now, to the millisecond, in UTC. The seconds are written once each: that takes as long as to encode a row."""
    second, millisecond = divmod(int(time.time() * 1000), 1000)
    return f"{_written(second)}.{millisecond:03d}"


@lru_cache(maxsize=1)
def _written(second: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))


def log_failure(error: Exception, request_id: str | None) -> None:
    """Log what failed and where, on standard error; without the message, which may quote a row."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{os.path.basename(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]
    write_line(STDERR, {"id": request_id, "error": type(error).__name__, "trace": places})


def write_line(descriptor: int, record: Mapping[str, object]) -> None:
    """A record as a line."""
    write_bytes(descriptor, _line(record))


def _line(record: Mapping[str, object]) -> bytes:
    return msgspec.json.encode(record) + b"\n"


def write_bytes(descriptor: int, line: bytes) -> bool:
    """One line in one write, so that lines of several workers do not mix; a closed pipe is ignored. Whether it was taken."""
    with suppress(OSError):
        return os.write(descriptor, line) == len(line)
    return False
