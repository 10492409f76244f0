"""A bystander of an overload: one more client, who asks on a fresh connection each time, during it and after it."""

import http.client
import statistics
import time

AFTER = 3.0  # seconds that are watched after the overload
PATIENCE = 10.0


class Watcher:
    """Asks until `AFTER` seconds after the overload ended, and keeps when each answer came, its status and its seconds."""

    def __init__(self, port: int, path: str, body: bytes) -> None:
        self._asked = (port, path, body)
        self._ended = float("inf")
        self._seen: list[tuple[float, int, float, bool]] = []  # begun, status or 0, seconds, whether told when to come again

    def overloaded_until(self) -> None:
        """The overload ends now."""
        self._ended = time.monotonic()

    def watch(self) -> None:
        while time.monotonic() < self._ended + AFTER:
            begun = time.monotonic()
            status, again = self._ask()
            self._seen.append((begun, status, time.monotonic() - begun, again))
            time.sleep(0.005)

    def _ask(self) -> tuple[int, bool]:
        port, path, body = self._asked
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            client.request("POST", path, body, {"Content-Type": "application/json"})
            answer = client.getresponse()
            answer.read()
            return answer.status, answer.getheader("Retry-After") is not None
        except (OSError, http.client.HTTPException):
            return 0, False
        finally:
            client.close()

    def figures(self) -> dict:
        """What it saw: p99 of answers and of refusals in ms, shares, and the seconds until all was well again."""
        during = [one for one in self._seen if one[0] < self._ended]
        after = [one for one in self._seen if one[0] >= self._ended]
        bad = [begun + seconds for begun, status, seconds, _ in after if status != 200]
        refused = [one for one in during if one[1] == 503]
        return {
            "bystander_answered_p99": _p99([seconds for _, status, seconds, _ in during if status == 200]),
            "bystander_refused_p99": _p99([seconds for _, _, seconds, _ in refused]),
            "bystander_refused": len(refused) / max(len(during), 1),
            "bystander_unanswered": sum(status not in (200, 503) for _, status, _, _ in during),
            "bystander_told_when": sum(again for *_, again in refused) / len(refused) if refused else None,
            "recovered": max(bad, default=self._ended) - self._ended,
            "p99_after": _p99([seconds for begun, status, seconds, _ in after if begun < self._ended + 1 and status == 200]),
        }


def _p99(seconds: list[float]) -> float | None:
    """In milliseconds."""
    return 1_000 * statistics.quantiles(seconds, n=100)[98] if len(seconds) > 1 else None
