"""The calls: predictions for rows and files, health, readiness, metrics."""

import hmac
from functools import wraps

import msgspec
import numpy as np
from flask import Blueprint, Response, current_app, g, request

from slipway.predictor import Prediction
from slipway.serving import metrics
from slipway.serving.decoder import Decoded, InvalidRows, Wrong
from slipway.serving.problems import Problem
from slipway.serving.service import Service
from slipway.serving.upload import answers, open_rows, spool

api = Blueprint("api", __name__)


def service() -> Service:
    """The service of the app that answers."""
    return current_app.extensions["slipway"]


def keyed(view):
    """Ask for one of the keys, when there are any: ``Authorization: Bearer KEY`` or ``X-API-Key: KEY``."""
    @wraps(view)
    def guarded(*args, **kwargs):
        require_key()
        return view(*args, **kwargs)

    return guarded


def require_key() -> None:
    """Problem 401 unless the request carries one of the keys; every key is compared, in constant time."""
    keys = current_app.config["API_KEYS"]
    if not keys:
        return
    scheme, _, bearer = request.headers.get("Authorization", "").partition(" ")
    given = bearer if scheme.lower() == "bearer" else request.headers.get("X-API-Key", "")
    known = [hmac.compare_digest(given.strip().encode(), key.encode()) for key in keys]
    if not any(known):
        detail = "Send one of the keys as Authorization: Bearer KEY, or as X-API-Key: KEY"
        raise Problem(401, "A key is needed", detail, headers={"WWW-Authenticate": "Bearer"})


@api.post("/predict")
@keyed
def predict() -> Response:
    """Answer one row or many."""
    here = service()
    request.max_content_length = here.problem.serving.max_body_bytes
    _require_json()
    try:
        decoded = here.decoder.decode(request.get_data(cache=False))
    except InvalidRows as error:
        metrics.refused(here.digest, len({wrong.row for wrong in error.problems}))
        raise
    prediction = answered(here, decoded)
    g.rows = decoded.rows
    metrics.predicted(here.digest, decoded.rows)
    body = _single(here, prediction) if decoded.single else _many(here, prediction)
    body["bundle"] = here.digest
    if decoded.warnings:
        body["warnings"] = [warning.to_json(decoded.single) for warning in decoded.warnings]
    return Response(msgspec.json.encode(body), mimetype="application/json")


def answered(here: Service, decoded: Decoded) -> Prediction:
    """The prediction; InvalidRows where numbers far outside the range leave no finite answer."""
    with np.errstate(over="ignore", invalid="ignore"):
        prediction = here.predictor.predict(decoded.columns)
    values = prediction.values if prediction.probabilities is None else prediction.probabilities.sum(axis=1)
    odd = np.nonzero(~np.isfinite(values))[0]
    if len(odd):
        detail = "has no finite answer; its numbers are too far outside the range"
        raise InvalidRows([Wrong(int(row) + 1, None, detail) for row in odd[:100]], len(odd), decoded.single)
    return prediction


def _single(here: Service, prediction: Prediction) -> dict:
    return _items(here, prediction)[0]


def _many(here: Service, prediction: Prediction) -> dict:
    return {"predictions": _items(here, prediction)}


def _items(here: Service, prediction: Prediction) -> list[dict]:
    if prediction.probabilities is None:
        return [{"prediction": value} for value in prediction.values]
    classes = here.predictor.classes
    return [
        {"prediction": value, "probabilities": dict(zip(classes, row))}
        for value, row in zip(prediction.values, prediction.probabilities.tolist())
    ]


def _require_json() -> None:
    charset = request.mimetype_params.get("charset", "utf-8").lower().replace("_", "-")
    if request.mimetype != "application/json" or charset not in ("utf-8", "utf8"):
        raise Problem(415, "Unsupported media type", "Send the rows as application/json in UTF-8")


@api.post("/predict/file")
@keyed
def predict_file() -> Response:
    """Answer a CSV file, row by row, as it comes in."""
    here = service()
    request.max_content_length = here.problem.serving.max_upload_bytes
    if request.mimetype not in ("text/csv", "application/csv"):
        raise Problem(415, "Unsupported media type", "Send the table as text/csv in UTF-8: curl --data-binary @table.csv")
    spooled = spool(request.stream)
    upload = open_rows(spooled, here.schema)
    counted = metrics.counting(answers(upload, here), here.digest)
    response = Response(counted, mimetype="text/csv", headers={"X-Bundle": here.digest})
    response.call_on_close(spooled.close)
    return response


@api.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return Response(b'{"status":"ok"}', mimetype="application/json")


@api.get("/readyz")
def readyz() -> Response:
    """The bundle answers its golden rows as it did in training."""
    here = service()
    here.require_ready()
    return Response(msgspec.json.encode({"status": "ready", "bundle": here.digest}), mimetype="application/json")


@api.get("/metrics")
def exposition() -> Response:
    """Prometheus metrics of all workers."""
    return Response(metrics.exposition(), content_type=metrics.MEDIA_TYPE)
