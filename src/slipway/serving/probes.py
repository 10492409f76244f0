"""Probes for machines: liveness, readiness and metrics."""

from collections.abc import Mapping
from typing import Any

import msgspec
from flask import Blueprint, Response, current_app

from slipway.errors import SlipwayError
from slipway.serving.counters import MEDIA_TYPE
from slipway.serving.refusal import Refusal
from slipway.serving.service import Service

probes = Blueprint("probes", __name__)


@probes.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return json_answer({"status": "alive"})


@probes.get("/readyz")
def readyz() -> Response:
    """The bundle answers its golden rows as recorded."""
    service = current_app.extensions["slipway"]
    require_ready(service)
    names = {"release": service.release, "commit": service.commit}
    return json_answer({"status": "ready", "bundle": service.digest} | {name: text for name, text in names.items() if text})


def require_ready(service: Service) -> None:
    """Refuse with 503, and the reason, unless the model answers as in training."""
    try:
        service.require_ready()
    except SlipwayError as error:
        raise Refusal(503, f"The model is not ready: {error.cause}.") from error


@probes.get("/metrics")
def metrics() -> Response:
    """Counters of all workers, for Prometheus."""
    return Response(current_app.extensions["slipway"].metrics.page(), content_type=MEDIA_TYPE)


def json_answer(document: Mapping[str, Any]) -> Response:
    """A document as JSON."""
    return Response(msgspec.json.encode(document), mimetype="application/json")
