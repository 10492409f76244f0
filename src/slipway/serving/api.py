"""The calls that predict: rows as JSON, and whole tables as CSV."""

from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any
from urllib.parse import unquote_to_bytes

import msgspec
from flask import Blueprint, Request, Response, g, request

from slipway.model.curves import FIELDS, curves
from slipway.model.intervals import levels
from slipway.serving import csv_upload as table
from slipway.serving.body import PIECE, pieces, require_type
from slipway.serving.call import Call
from slipway.serving.decoder import is_single
from slipway.serving.refusal import Refusal, shown_name
from slipway.serving.service import Service, current_service

api = Blueprint("api", __name__)


@api.post("/predict")
def predict() -> Response:
    """Answer one row (an object) or many (a list); with ``?partial=true`` the good rows of a list.

    With ``?interval=0.9`` a number comes with the ends of its prediction interval.
    """
    if g.call.failure:
        raise g.call.failure
    require_type("application/json")
    body = b"".join(pieces(request.stream, request.content_length))
    return Response(prediction(current_service(), g.call, body, arguments(request)), mimetype="application/json")


def prediction(service: Service, call: Call, body: bytes, query: Mapping[str, str]) -> bytes:
    """The answer to a body of JSON, as JSON; `query` has the arguments.

    Raises
    ------
    Refusal
    """
    single = is_single(body)
    partial = _flag(query, "partial") and not single
    level = level_of(service, query.get("interval"))
    decoded = service.decoder.decode(body, partial)
    answered = service.answer(service.asked(decoded, whole=not partial), call)
    answers = service.told(answered.answers, decoded, level)
    document: dict[str, Any] = answers[0] if single else {"predictions": answers}
    if partial:
        document["rejected"] = sum("errors" in answer for answer in answers)
    document["bundle"] = service.digest
    warnings = service.decoder.warnings(decoded, answered.unlike, answered.answers.chosen)
    if warnings:
        document["warnings"] = [warning.to_json() for warning in warnings]
    return msgspec.json.encode(document)


def arguments(asked: Request) -> Mapping[str, str]:
    """Those of the query.

    Raises
    ------
    Refusal
        400 when it is not UTF-8.
    """
    if not asked.query_string:
        return {}  # to parse an empty one takes as long as to decode a row
    try:
        unquote_to_bytes(asked.query_string).decode()  # Werkzeug would take %FF for its own three letters
        return asked.args
    except UnicodeDecodeError as error:
        raise Refusal(400, "The query is not UTF-8; write its bytes as %XX.") from error


def _flag(query: Mapping[str, str], name: str) -> bool:
    """An argument that is true or false."""
    text = query.get(name, "false").lower()
    if text not in ("true", "false"):
        raise Refusal(422, f"Expected {name}=true or {name}=false.")
    return text == "true"


def level_of(service: Service, text: str | None) -> float | None:
    """Which prediction interval is asked for; None when none is.

    Raises
    ------
    Refusal
        422 when the bundle does not have it.
    """
    if text is None:
        return None
    if service.predictor.classes:
        raise Refusal(422, "Prediction intervals are for numbers; this model answers with the probability of each label.")
    known = levels(service.intervals)
    if not known:
        raise Refusal(422, "This bundle has no prediction intervals. Train again to get them.")
    with suppress(ValueError):
        if float(text) in known:
            return float(text)
    raise Refusal(422, f"Expected interval={' or interval='.join(f'{level:g}' for level in known)}.")


@api.post("/what-if")
def what_if() -> Response:
    """How the answer to one row moves with each field; with ``?field=NAME``, once or more, with these alone.

    ``?interval=0.9`` is as in ``predict``, of the row as it stands.
    """
    require_type("application/json")
    service = current_service()
    level = level_of(service, arguments(request).get("interval"))
    body = b"".join(pieces(request.stream, request.content_length))
    decoded = service.decoder.decode(body)
    if not is_single(body):
        raise Refusal(422, "Expected one row, an object.")
    document = service.answers(decoded, level)[0]
    found = curves(service.predictor, service.rules, decoded.columns, _fields(service))
    if found.label:
        document["label"] = found.label
    lines = [{"field": one.field.name, "values": one.values, "answers": one.answers} for one in found.fields]
    return Response(msgspec.json.encode(document | {"curves": lines, "bundle": service.digest}), mimetype="application/json")


def _fields(service: Service) -> list[str]:
    """The fields that the query names; without any, the most important ones.

    Raises
    ------
    Refusal
        422 for a name that is no field, or for too many.
    """
    named = request.args.getlist("field")
    unknown = [name for name in named if name not in service.schema.names]
    if unknown:
        raise Refusal(422, f"There is no field {shown_name(unknown[0])}.")
    if len(named) > FIELDS:
        raise Refusal(422, f"Expected at most {FIELDS} fields.")
    return named or service.by_importance[:FIELDS]


@api.post("/predict/file")
def predict_file() -> Response:
    """Answer a CSV table with the same table and its predictions; ``?interval=0.9`` is as in ``predict``."""
    service = current_service()
    level = level_of(service, arguments(request).get("interval"))
    request.max_content_length = service.problem.serving.max_upload_bytes
    require_type("text/csv", "multipart/form-data")
    file = _upload()
    try:
        sheet = table.open_sheet(file, service.rules)
    except Refusal:
        file.close()
        raise
    response = Response(table.answer(sheet, service, g.call, level), mimetype="text/csv")
    response.call_on_close(file.close)
    response.headers["Content-Disposition"] = 'attachment; filename="predictions.csv"'
    response.headers["Slipway-Bundle"] = service.digest
    return response


def _upload() -> IO[bytes]:
    """The table of this request, on disk if it is large; the file has no name, so nothing can be left behind."""
    try:
        if request.mimetype == "text/csv":
            return table.spool(pieces(request.stream, request.content_length))
        files = request.files.getlist("file")
        if len(files) != 1:
            raise Refusal(422, f"Expected one file in the form's field named file, not {len(files)}.")
        return table.spool(iter(lambda: files[0].stream.read(PIECE), b""))
    except OSError as error:
        raise Refusal(503, "There is no space for the upload; try a smaller one, or try again later.") from error
