"""The API's specification (Swagger 2), made from the schema that also decodes the requests, shown by Flasgger.

Flasgger only shows it: its own validation is off. The page is ours, because Flasgger's loads inline scripts. It is imported
when somebody reads that page: with the libraries that it needs for validation it would take a tenth of the start.
"""

from importlib.util import find_spec
from pathlib import Path

from flask import Blueprint, Flask, current_app, jsonify, redirect, request, url_for
from flask.json.provider import DefaultJSONProvider
from werkzeug.wrappers import Response

from slipway import __version__
from slipway.model.curves import FIELDS, POINTS
from slipway.model.intervals import levels
from slipway.serving.definitions import Document, definitions, row_parameters
from slipway.serving.examples import answer_example, example_table, refusal_example
from slipway.serving.keys import HEADER
from slipway.serving.refusal import MEDIA_TYPE, PROTOCOLS, problem_document
from slipway.serving.service import Service

CONFIG = {"specs": [{"endpoint": "apispec", "title": "API"}]}  # as Flasgger's view reads it


def install(app: Flask) -> None:
    """Serve ``/apidocs/`` and ``/apispec.json``; ``/docs`` redirects there."""
    found = find_spec("flasgger")
    assert found and found.origin
    static = Path(found.origin).parent / "ui3" / "static"
    # Flasgger's view asks for these names; its own registration would import it, and add a hook to every request.
    views = Blueprint("flasgger", __name__, static_folder=static, static_url_path="/flasgger_static")
    views.add_url_rule("/apidocs/", "apidocs", _page)
    views.add_url_rule("/apispec.json", "apispec", _specification)
    app.register_blueprint(views)
    if isinstance(app.json, DefaultJSONProvider):
        app.json.sort_keys = False  # predictions before operations, and fields in the order of the table
    # Flask's own redirect names the host, which is wrong behind a proxy that does not pass it on.
    app.add_url_rule("/apidocs", "apidocs", _to_apidocs)
    app.add_url_rule("/docs", "docs", _to_apidocs)  # the address in FastAPI


def _page() -> str:
    from flasgger.base import APIDocsView

    page: str = APIDocsView(view_args={"config": CONFIG}).get()
    return page


def _specification() -> Response:
    return jsonify(specification(current_app.extensions["slipway"], request.script_root))


def _to_apidocs() -> Response:
    return redirect(url_for("flasgger.apidocs"), 308)


def specification(service: Service, prefix: str = "") -> Document:
    """The whole specification; `prefix` is the path in front of the service."""
    document: Document = {
        "swagger": "2.0",
        "info": {
            "title": f"{service.problem.name}: predict {service.predictor.target}",
            "version": __version__,
            "description": (
                f"Served by bundle {service.digest}. Errors are problem documents (RFC 9457) that name every wrong row "
                "and field. If a key occurs twice, the last one counts."
            ),
        },
        "basePath": prefix or "/",
        "consumes": ["application/json"],
        "produces": ["application/json", MEDIA_TYPE],
        "paths": _paths(service),
        "definitions": definitions(service),
    }
    if service.keys.needed:
        document["securityDefinitions"] = {"key": {"type": "apiKey", "in": "header", "name": HEADER}}
        guarded = [("/predict", method) for method in document["paths"]["/predict"]]
        for path, method in (*guarded, ("/predict/file", "post"), ("/what-if", "post"), ("/metrics", "get")):
            call = document["paths"][path][method]
            call["security"] = [{"key": []}]
            call["responses"]["401"] = _problem(401, "No key, or a wrong one")
    return document


def _paths(service: Service) -> Document:
    serving, spoken = service.problem.serving, current_app.extensions[PROTOCOLS].values()
    status = {"type": "object", "required": ["status"], "properties": {"status": {"type": "string"}}}
    text = {"description": "Prometheus text format", "schema": {"type": "string"}}
    return {
        "/predict": {"post": _predict(service)} | ({"get": _predict_cached(service)} if serving.cache_seconds else {}),
        "/predict/file": {"post": _predict_file(service)},
        "/what-if": {"post": _what_if(service)},
        "/healthz": {"get": _get("Whether the process answers", _good("It does", status, {"status": "alive"}))},
        "/readyz": {
            "get": _get(
                "Whether the bundle answers its golden rows as in training",
                _good("It does", status, {"status": "ready", "bundle": service.digest}),
                {"503": _problem(503, "It does not; detail has the reason")},
            )
        },
        "/metrics": {"get": _get("Metrics of all workers", text) | {"produces": ["text/plain", MEDIA_TYPE]}},
        **{path: calls for protocol in spoken for path, calls in protocol.paths(service).items()},
    }


def _get(summary: str, good: Document, more: Document | None = None) -> Document:
    return {"summary": summary, "tags": ["operations"], "responses": {"200": good, **(more or {})}}


def _good(description: str, schema: Document, example: Document) -> Document:
    return {"description": description, "schema": schema, "examples": {"application/json": example}}


def _predict(service: Service) -> Document:
    serving = service.problem.serving
    return {
        "summary": f"Predict {service.predictor.target} for one row or many",
        "description": (
            f"The body is one row, or a list of up to {serving.max_rows:,} rows (Rows); for a list the answer is "
            "an object with the member predictions, a list of such answers in the order of the rows. Cells may also be what a "
            "CSV file has: numbers as strings, NA etc. for a missing cell. Columns of the training table that are not "
            "features, such as the target, are ignored with a warning; ids are echoed."
        ),
        "tags": ["predictions"],
        "parameters": [
            {"in": "body", "name": "row", "required": True, "schema": {"$ref": "#/definitions/Row"}},
            {
                "in": "query",
                "name": "partial",
                "type": "boolean",
                "default": False,
                "description": (
                    "In a list, answer the valid rows. Every other row has a null prediction, and errors; "
                    "rejected counts them."
                ),
            },
            *_interval(service),
        ],
        "responses": {
            "200": _good("The answer", {"$ref": "#/definitions/Answer"}, answer_example(service)),
            "400": _problem(400, "The body is not JSON in UTF-8"),
            "413": _problem(413, f"More than {serving.max_body_bytes:,} bytes or {serving.max_rows:,} rows"),
            "415": _problem(415, "The body is not application/json"),
            "422": _problem(422, "Invalid rows; errors names each row and field", refusal_example(service)),
        },
    }


def _predict_cached(service: Service) -> Document:
    seconds, columns = service.problem.serving.cache_seconds, row_parameters(service)
    names = {column["name"] for column in columns}  # an argument that is named like a column is none
    return {
        "summary": f"Predict {service.predictor.target} for one row; caches may keep the answer for {seconds:,} s",
        "description": (
            "The query has the row, its cells written as in a CSV file; an empty one is missing. The answer is that of POST "
            "/predict. Its ETag changes with the bundle, and a call with If-None-Match computes nothing if it still holds."
        ),
        "tags": ["predictions"],
        "parameters": [*columns, *(each for each in _interval(service) if each["name"] not in names)],
        "responses": {
            "200": _good("The answer", {"$ref": "#/definitions/Answer"}, answer_example(service)),
            "304": {"description": "The answer with the ETag of If-None-Match still holds"},
            "400": _problem(400, "The query is not UTF-8"),
            "422": _problem(422, "An invalid row, or a name twice; errors names each field", refusal_example(service)),
        },
    }


def _interval(service: Service) -> list[Document]:
    """The parameter that asks for prediction intervals, where the bundle has some."""
    known = levels(service.intervals)
    says = "Add low and high: the truth lies between them in this share of all cases."
    return [{"in": "query", "name": "interval", "type": "number", "enum": list(known), "description": says}] if known else []


def _predict_file(service: Service) -> Document:
    most = service.problem.serving.max_upload_bytes
    return {
        "summary": f"Predict {service.predictor.target} for every row of a CSV file",
        "description": (
            "The answer is the same table with added columns: prediction, one probability_LABEL for each label, warning, and "
            "error, the reason why a row has no prediction. Columns that are not fields are kept. You can also send a form "
            "(multipart/form-data) with the table in its field file."
        ),
        "tags": ["predictions"],
        "consumes": ["text/csv"],
        "produces": ["text/csv", MEDIA_TYPE],
        "parameters": [
            {
                "in": "body",
                "name": "table",
                "required": True,
                "schema": {"type": "string", "pattern": r"\S", "example": example_table(service.schema)},
            },
            *_interval(service),
        ],
        "responses": {
            "200": {"description": "The table with its predictions", "schema": {"type": "string"}},
            "400": _problem(400, "The body arrived incomplete or malformed"),
            "413": _problem(413, f"More than {most:,} bytes"),
            "415": _problem(415, "The body is not text/csv"),
            "422": _problem(422, "Not UTF-8, or fields are missing in the header; errors names them"),
        },
    }


def _what_if(service: Service) -> Document:
    names = list(service.schema.names)
    return {
        "summary": f"Show how {service.predictor.target} moves when one field of a row moves",
        "description": (
            f"The body is one row. Each curve has up to {POINTS} values of one field, within the range of training, and the "
            "answers to the row with these values: numbers, or probabilities of label. Not counted as a prediction."
        ),
        "tags": ["predictions"],
        "parameters": [
            {"in": "body", "name": "row", "required": True, "schema": {"$ref": "#/definitions/Row"}},
            {
                "in": "query",
                "name": "field",
                "type": "array",
                "items": {"type": "string", "enum": names},
                "collectionFormat": "multi",
                "maxItems": FIELDS,
                "description": f"The fields to move; without it the {min(FIELDS, len(names))} most important ones.",
            },
            *_interval(service),
        ],
        "responses": {
            "200": {"description": "The prediction and the curves", "schema": {"$ref": "#/definitions/WhatIf"}},
            "400": _problem(400, "The body is not JSON in UTF-8"),
            "413": _problem(413, f"More than {service.problem.serving.max_body_bytes:,} bytes"),
            "415": _problem(415, "The body is not application/json"),
            "422": _problem(422, "An invalid row, or no such field", refusal_example(service)),
        },
    }


def _problem(status: int, description: str, example: Document | None = None) -> Document:
    example = example or problem_document(status, description)
    # Swagger UI looks for `examples` of the first media type alone, and for the rest at the schema.
    schema = {"allOf": [{"$ref": "#/definitions/Problem"}], "example": example}
    return {"description": description, "schema": schema, "examples": {MEDIA_TYPE: example}}
