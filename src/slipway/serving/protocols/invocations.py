"""The protocol of ``mlflow models serve``, which SageMaker calls too.

What is asked and answered is that of the model that ``slipway export mlflow`` writes. Rows that cannot be answered are
refused with 400, as MLflow does, where ``POST /predict`` answers 422.
"""

from typing import Any

from flask import Blueprint, Response, g, request

from slipway.model.intervals import ENDS
from slipway.model.scoring import Answers, added_names
from slipway.serving.api import level_of
from slipway.serving.body import pieces, require_type
from slipway.serving.probes import json_answer, require_ready
from slipway.serving.protocols import tabular
from slipway.serving.protocols.invocations_paths import paths, predicting
from slipway.serving.protocols.protocol import Protocol, wrong_cell
from slipway.serving.refusal import Refusal, shown_name
from slipway.serving.service import Service, current_service

VERSION = "3.17.2"  # of MLflow, whose protocol this is
CODES = {  # of MLflow, mlflow.exceptions.ERROR_CODE_TO_HTTP_STATUS; all else is BAD_REQUEST
    401: "UNAUTHENTICATED",
    404: "ENDPOINT_NOT_FOUND",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
}

invocations = Blueprint("invocations", __name__)


@invocations.get("/ping")
@invocations.get("/health")
def ping() -> Response:
    """The bundle answers its golden rows as recorded."""
    require_ready(current_service())
    return Response("\n", mimetype="text/plain")


@invocations.get("/version")
def version() -> Response:
    """Which MLflow's protocol is spoken."""
    return Response(VERSION, mimetype="text/plain")


@invocations.post("/invocations")
def invoke() -> Response:
    """Answer all rows of a table, or none."""
    service = current_service()
    rows, params = _asked(service)
    level = _level(service, params)
    found = service.answer(service.asked(service.decoder.decode_rows(rows), whole=True), g.call)
    document = {"predictions": _records(service, found.answers.between(service.intervals, level))}
    response = json_answer(document)
    response.headers["Slipway-Bundle"] = service.digest
    return response


def _asked(service: Service) -> tuple[list[Any], Any]:
    """The rows of the request, and its parameters.

    Raises
    ------
    Refusal
    """
    readers = tabular.READERS if tabular.reads_parquet() else {tabular.CSV: tabular.READERS[tabular.CSV]}
    if request.mimetype == tabular.PARQUET and tabular.PARQUET not in readers:
        raise Refusal(415, f"Parquet needs pyarrow, which is not installed here. Send application/json or {tabular.CSV}.")
    require_type("application/json", *readers)
    unknown = sorted(request.mimetype_params.keys() - {"charset"})
    if unknown:
        raise Refusal(415, f"Content-Type: there is no parameter {shown_name(unknown[0])}; expected charset at most.")
    body = pieces(request.stream, request.content_length)
    if request.mimetype != "application/json":
        return readers[request.mimetype](service, body), None
    document = service.decoder.document(b"".join(body))
    return tabular.rows_of(document), document.get("params")


def _level(service: Service, params: Any) -> float | None:
    """Which prediction interval the parameters ask for."""
    if params is None:
        return None
    if not isinstance(params, dict):
        raise Refusal(422, "params: expected an object.")
    unknown = [name for name in params if name != "interval"]
    if unknown:
        raise Refusal(422, f"params: there is no parameter {shown_name(unknown[0])}; expected interval at most.")
    level = params.get("interval")
    if level is not None and type(level) not in (int, float):
        raise Refusal(422, "params.interval: expected a number.")
    return level_of(service, None if level is None else str(level))


def _records(service: Service, answers: Answers) -> list[dict[str, Any]]:
    """Per row ``prediction`` and ``probability_LABEL`` for each label, or the ends of the interval."""
    names = added_names(service.predictor, *(() if answers.ends is None else ENDS))
    return [dict(zip(names, cells)) for _, cells in answers.rows()]


def refused(problem: dict[str, Any]) -> dict[str, Any]:
    """A problem as MLflow words it: wrong rows are told in the message."""
    listed = problem.get("errors", [])
    code = "INVALID_PARAMETER_VALUE" if listed else CODES.get(problem["status"], "BAD_REQUEST")
    message = problem["detail"]
    if listed:
        more = " …" if problem["errors_total"] > len(listed) else ""
        message = f"{message} {'; '.join(map(wrong_cell, listed))}{more}"
    return {"error_code": code, "message": message}


MLFLOW = Protocol(invocations, paths, refused, predicting)
