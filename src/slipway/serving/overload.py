"""What a worker has no time for: 503 before the request is begun, at a tenth of what an answer costs.

The refusals of a turn are counted and logged together when it ends.
"""

import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
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
PREDICT = "/predict"
DETAIL = "Too many requests at once: this one waited too long, and was not begun. Ask again in a second."


@dataclass(frozen=True)
class Wording:
    """How the calls of an address are refused.

    Parameters
    ----------
    endpoint : str
        As the metrics call it.
    media_type : str
    body : bytes
    """

    endpoint: str
    media_type: str
    body: bytes


def wording_of(
    endpoint: str, media_type: str = MEDIA_TYPE, worded: Callable[[dict[str, Any]], dict[str, Any]] = dict
) -> Wording:
    """That of an address whose protocol words a problem so."""
    return Wording(endpoint, media_type, msgspec.json.encode(worded(problem_document(STATUS, DETAIL))))


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
        Told how many were refused of an endpoint.
    origins : collection of str
        Whose pages may read the answer.
    prefix : str
        Of paths, and not logged with them.
    others : mapping of str to Wording
        Further addresses, without the prefix, of other protocols.
    """

    def __init__(
        self,
        bundle: str,
        headers: Mapping[str, str],
        count: Callable[[str, int], None],
        origins: Collection[str] = (),
        prefix: str = "",
        others: Mapping[str, Wording] | None = None,
    ) -> None:
        self._bundle, self._count, self._origins, self._prefix = bundle, count, origins, prefix
        self._wordings = {PREDICT: wording_of(PREDICT)} | dict(others or {})
        fields = {"Retry-After": 1, "Cache-Control": NOT_STORED} | ({"Vary": VARY} if origins else {}) | dict(headers)
        self._fields = _lines(fields)
        self._head, self._second = "", 0
        self._refused: list[tuple[Call, str, float]] = []  # with their paths, and the seconds that they took

    def refuse(self, request: Any, closes: bool) -> bytes:
        """The answer to a POST that was read."""
        given = dict(request.headers)
        call = begin(given.get("X-REQUEST-ID", ""))
        path = request.path.removeprefix(self._prefix)
        wording = self._wording(path)
        fields = {
            "Content-Type": wording.media_type,
            "Content-Length": len(wording.body),
            "Connection": "close" if closes else "keep-alive",
            "X-Request-ID": call.request_id,
        }
        if self._origins:
            fields |= shared(self._origins, given.get("ORIGIN"))
        head = f"{self._start()}{_lines(fields)}\r\n"
        self._refused.append((call, path, time.perf_counter() - call.started))
        return head.encode("latin-1") + wording.body

    def tell(self) -> None:
        """Count and log what was refused since the last time."""
        if not self._refused:
            return
        refused, self._refused = self._refused, []
        for endpoint, times in Counter(self._wording(path).endpoint for _, path, _ in refused).items():
            self._count(endpoint, times)
        lines = [access_line(call, "POST", path, STATUS, self._bundle, seconds) for call, path, seconds in refused]
        for start in range(0, len(lines), LINES):
            write_bytes(STDOUT, b"".join(lines[start : start + LINES]))

    def _wording(self, path: str) -> Wording:
        return self._wordings.get(path) or self._wordings[PREDICT]

    def _start(self) -> str:
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._head = f"HTTP/1.1 503 Service Unavailable\r\nDate: {http_date(second)}\r\n{self._fields}"
        return self._head


def _lines(fields: Mapping[str, object]) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in fields.items())
