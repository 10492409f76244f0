"""What a worker has no time for: 503 before the request is begun, at a tenth of what an answer costs.

The refusals of a turn are counted and logged together when it ends.
"""

import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgspec
from gunicorn.util import http_date

from slipway.serving.access import STDOUT, access_line, begin, write_bytes
from slipway.serving.call import Call
from slipway.serving.headers import NOT_STORED, VARY, shared
from slipway.serving.refusal import MEDIA_TYPE, problem_document

LATE_SECONDS = 0.4  # of work on other requests; twice as much is the longest wait, in this turn and before it
LONGEST_STEP = 0.05
LINES = 8  # a pipe takes 4 kB in one piece
STATUS = 503
DETAIL = "Too many requests at once: this one waited too long, and was not begun. Ask again in a second."


class Backlog:
    """How long the requests that wait in one turn of the worker have waited for others.

    Of a step in which nothing was computed `LONGEST_STEP` counts at most: a machine that stood still for a moment is not
    overloaded. The times are those of `time.monotonic` and, for what the worker computed, of `time.thread_time`.
    """

    def __init__(self) -> None:
        self._at = self._worked = self._seconds = 0.0

    def begin(self, now: float, worked: float) -> None:
        """A turn: all that is read in it was there before it, or has only just come."""
        self._at, self._worked, self._seconds = now, worked, 0.0

    def is_late(self, now: float, worked: float) -> bool:
        """Whether the request that is next has waited too long."""
        self._seconds += min(now - self._at, max(LONGEST_STEP, worked - self._worked))
        self._at, self._worked = now, worked
        return self._seconds > LATE_SECONDS


class Overload:
    """Makes the refusals.

    Parameters
    ----------
    bundle : str
        Its digest.
    headers : mapping of str to str
        What every answer has.
    count : callable
        Told how many were refused.
    origins : collection of str
        Whose pages may read the answer.
    prefix : str
        Of paths, and not logged with them.
    """

    def __init__(
        self,
        bundle: str,
        headers: Mapping[str, str],
        count: Callable[[int], None],
        origins: Collection[str] = (),
        prefix: str = "",
    ) -> None:
        self._bundle, self._count, self._origins, self._prefix = bundle, count, origins, prefix
        body = msgspec.json.encode(problem_document(STATUS, DETAIL))
        fields = {"Content-Type": MEDIA_TYPE, "Content-Length": len(body), "Retry-After": 1, "Cache-Control": NOT_STORED}
        if origins:
            fields["Vary"] = VARY
        self._fields = _lines(fields | dict(headers))
        self._body = body
        self._head, self._second = "", 0
        self._refused: list[tuple[Call, str, float]] = []  # with their paths, and the seconds that they took

    def refuse(self, request: Any, closes: bool) -> bytes:
        """The answer to a POST that was read."""
        given = dict(request.headers)
        call = begin(given.get("X-REQUEST-ID", ""))
        fields = {"Connection": "close" if closes else "keep-alive", "X-Request-ID": call.request_id}
        if self._origins:
            fields |= shared(self._origins, given.get("ORIGIN"))
        head = f"{self._start()}{_lines(fields)}\r\n"
        self._refused.append((call, request.path.removeprefix(self._prefix), time.perf_counter() - call.started))
        return head.encode("latin-1") + self._body

    def tell(self) -> None:
        """Count and log what was refused since the last time."""
        if not self._refused:
            return
        refused, self._refused = self._refused, []
        self._count(len(refused))
        lines = [access_line(call, "POST", path, STATUS, self._bundle, seconds) for call, path, seconds in refused]
        for start in range(0, len(lines), LINES):
            write_bytes(STDOUT, b"".join(lines[start : start + LINES]))

    def _start(self) -> str:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._head = f"HTTP/1.1 503 Service Unavailable\r\nDate: {http_date(second)}\r\n{self._fields}"
        return self._head


def _lines(fields: Mapping[str, object]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items())
