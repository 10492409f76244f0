"""What the tests of swaps share: requests, traffic, and what nobody may notice."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from bundles import ROWS
from rehearsal.box import Box
from rehearsal.traffic import Traffic, traffic

RATE = 300


def request(digest: str, run_number: int) -> dict:
    """A request of the release program; in tests an image's key is its digest's hexadecimal digits."""
    return {"digest": digest, "key": digest.removeprefix("sha256:"), "commit": f"{run_number:040x}", "run_number": run_number}


@contextmanager
def under_traffic(box: Box, floor: float = 200) -> Iterator[Traffic]:
    """Traffic on the box as long as the block lasts, of which no request may fail and `floor` a second must be sent."""
    with traffic("127.0.0.1", box.port, ROWS[0], RATE) as found:
        yield found
    assert found.failed == []
    assert found.rate >= floor


class Reports:
    """When which release was reported live, against when which release answered."""

    def __init__(self) -> None:
        self._periods: list[tuple[float, str]] = []

    def reported(self, box: Box) -> None:
        """A switch was reported just now."""
        self._periods.append((time.monotonic(), box.live()))

    def late(self, found: Traffic) -> list:
        """Requests sent after a switch was reported and before the next one was, that another release answered.

        The next switch is made before it is reported, so its release may answer too.
        """
        wrong = []
        for (start, release), (end, following) in zip(self._periods, [*self._periods[1:], (float("inf"), "")]):
            sent = [each for each in found.requests if start < each.sent < end]
            wrong += [each for each in sent if each.release not in (release, following)]
        return wrong
