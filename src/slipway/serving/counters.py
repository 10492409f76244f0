"""Counters for Prometheus. With several workers each writes its own files and a scrape adds them up."""

import os
from collections.abc import Mapping
from functools import cache, cached_property
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from slipway.serving.live_gauges import LiveGauges

MEDIA_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
METHODS = {"GET", "HEAD", "POST", "OPTIONS"}


class Metrics:
    """The counters of one service, labelled with its bundle.

    Parameters
    ----------
    problem : str
    digest : str
    """

    def __init__(self, problem: str, digest: str) -> None:
        self.registry = CollectorRegistry()
        self._live: LiveGauges | None = None
        self._bundle = digest[:12]
        self._requests = Counter(
            "slipway_requests",
            "Answers by endpoint, method and status.",
            ["endpoint", "method", "status", "bundle"],
            registry=self.registry,
        )
        self._seconds = Histogram(
            "slipway_request_seconds",
            "From the request's arrival to the last byte of its answer.",
            ["endpoint", "bundle"],
            buckets=SECONDS,
            registry=self.registry,
        )
        self._rows = Counter(
            "slipway_rows_predicted",
            "Rows that were answered with a prediction.",
            ["endpoint", "bundle"],
            registry=self.registry,
        )
        self._rejected = Counter(
            "slipway_fields_rejected",
            "Wrong fields of refused rows, by reason.",
            ["reason", "bundle"],
            registry=self.registry,
        )
        self._warned = Counter(
            "slipway_fields_warned",
            "Fields unlike training that were answered with a warning, by reason.",
            ["reason", "bundle"],
            registry=self.registry,
        )
        self._logged = Counter(
            "slipway_logged_rows", "Answered rows that were written to the prediction log.", ["bundle"], registry=self.registry
        )
        self._dropped = Counter(
            "slipway_log_dropped_rows",
            "Answered rows that were not written to the prediction log, by reason.",
            ["reason", "bundle"],
            registry=self.registry,
        )
        self._synced = Gauge(
            "slipway_log_synced_timestamp_seconds",
            "When the prediction log was last brought to the disk.",
            ["bundle"],
            registry=self.registry,
            multiprocess_mode="max",
        )
        Gauge(
            "slipway_bundle_info",
            "The bundle that answers.",
            ["problem", "bundle"],
            registry=self.registry,
            multiprocess_mode="max",
        ).labels(problem, self._bundle).set(1)
        # Of each combination of labels once: to look them up takes longer than to count. There are few of them.
        self._of_answers = cache(self._find_of_answers)
        self._of_rows = cache(lambda endpoint: self._rows.labels(endpoint, self._bundle))

    def count_answer(self, endpoint: str, method: str, status: int, seconds: float, rows: int) -> None:
        """One answer was sent."""
        method = method if method in METHODS else "other"  # a client must not invent labels
        requests, durations = self._of_answers(endpoint, method, status)
        requests.inc()
        durations.observe(seconds)
        if rows:
            self._of_rows(endpoint).inc(rows)

    def _find_of_answers(self, endpoint: str, method: str, status: int) -> tuple[Counter, Histogram]:
        return self._requests.labels(endpoint, method, status, self._bundle), self._seconds.labels(endpoint, self._bundle)

    def count_not_begun(self, endpoint: str, times: int) -> None:
        """So many requests were refused unread, because too many came at once."""
        self._requests.labels(endpoint, "POST", 503, self._bundle).inc(times)

    def count_rejected(self, counts: Mapping[str, int]) -> None:
        """Fields were refused, by reason."""
        for reason, count in counts.items():
            self._rejected.labels(reason, self._bundle).inc(count)

    def count_warned(self, counts: Mapping[str, int]) -> None:
        """Fields were answered with a warning, by reason."""
        for reason, count in counts.items():
            self._warned.labels(reason, self._bundle).inc(count)

    @cached_property
    def _logged_rows(self) -> Counter:
        """Found once, not for each answer; and only where there is a log."""
        found: Counter = self._logged.labels(self._bundle)
        return found

    def count_logged(self, rows: int) -> None:
        """Rows were written to the prediction log."""
        self._logged_rows.inc(rows)

    def count_dropped(self, rows: int, reason: str) -> None:
        """Rows were not written to the prediction log: ``disk_full``, ``log_full`` or ``unwritable``."""
        self._dropped.labels(reason, self._bundle).inc(rows)

    def note_synced(self, at: float) -> None:
        """The prediction log is on the disk, up to this time in seconds since 1970."""
        self._synced.labels(self._bundle).set(at)

    def show_last_look(self, folder: Path) -> None:
        """Show what the last look at the log in `folder` found, too."""
        self._live = LiveGauges(folder)

    def page(self) -> bytes:
        """The metrics for a scrape: of all workers, or of this process if there is only one; and of the last look."""
        together = CollectorRegistry()
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            MultiProcessCollector(together)
        else:
            together.register(self.registry)
        if self._live:
            together.register(self._live)
        return generate_latest(together)
