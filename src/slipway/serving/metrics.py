"""The service's Prometheus metrics, right with several workers.

With ``PROMETHEUS_MULTIPROC_DIR`` set (slipway.serving.gunicorn_conf does it) every worker writes its numbers
to files there, and any of them can answer for all.
"""

import os
from collections.abc import Iterator

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Histogram,
    generate_latest,
    multiprocess,
)

MEDIA_TYPE = CONTENT_TYPE_LATEST
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

_requests = Counter("slipway_requests", "Requests answered.", ["call", "method", "status", "bundle"])
_seconds = Histogram("slipway_request_seconds", "Time to answer, in seconds.", ["call", "bundle"], buckets=SECONDS)
_rows = Counter("slipway_rows_predicted", "Rows answered.", ["bundle"])
_refused = Counter("slipway_rows_refused", "Rows that did not fit the schema.", ["bundle"])


def answered(call: str, method: str, status: int, seconds: float, bundle: str) -> None:
    """Count a request; `call` is the route, never the address, so that strangers cannot make new labels."""
    _requests.labels(call, method, str(status), bundle).inc()
    _seconds.labels(call, bundle).observe(seconds)


def predicted(bundle: str, rows: int) -> None:
    _rows.labels(bundle).inc(rows)


def refused(bundle: str, rows: int) -> None:
    _refused.labels(bundle).inc(rows)


def counting(batches: Iterator[tuple[bytes, int, int]], bundle: str) -> Iterator[bytes]:
    """Pass on what is streamed, counting its rows."""
    for body, good, bad in batches:
        predicted(bundle, good)
        refused(bundle, bad)
        yield body


def exposition() -> bytes:
    """All metrics as Prometheus reads them."""
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return generate_latest(REGISTRY)
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)
    return generate_latest(registry)
