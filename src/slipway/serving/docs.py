"""The API's specification (Swagger 2), made from the schema that also decodes the requests, shown by Flasgger.

Flasgger only shows it: its own validation is off. The page is ours, because Flasgger's loads inline scripts.
"""

from collections.abc import Mapping

from flasgger import Swagger
from flask import Flask, current_app, request

from slipway import __version__
from slipway.problem import Serving
from slipway.schema import Field, Schema, show_date
from slipway.serving.decoder import LARGEST, expectation
from slipway.serving.problems import MEDIA_TYPE
from slipway.serving.service import Service

CONFIG = {
    "headers": [],
    "specs": [{"endpoint": "apispec", "route": "/apispec.json", "title": "API", "rule_filter": lambda rule: False}],
    "static_url_path": "/flasgger_static",
    "specs_route": "/apidocs/",
}


class ApiDocs(Swagger):
    """Flasgger with a specification that is built at once, not gathered from docstrings."""

    def get_apispecs(self, endpoint: str = "apispec") -> dict:
        service = current_app.extensions["slipway"]
        return specification(service, request.script_root, bool(current_app.config["API_KEYS"]))


def install(app: Flask) -> None:
    """Serve ``/apidocs/`` and ``/apispec.json``."""
    ApiDocs(app, config=dict(CONFIG))


def specification(service: Service, prefix: str, keyed: bool) -> dict:
    """The whole specification; `prefix` is the path in front of the service."""
    document = {
        "swagger": "2.0",
        "info": {
            "title": f"{service.problem.name}: predict {service.predictor.target}",
            "version": __version__,
            "description": f"Served by bundle {service.digest}. Of a key given twice the last one counts.",
        },
        "basePath": prefix or "/",
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "paths": _paths(service),
        "definitions": _definitions(service),
    }
    if keyed:
        document["securityDefinitions"] = {
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        for path in ("/predict", "/predict/file"):
            document["paths"][path]["post"]["security"] = [{"key": []}]
            document["paths"][path]["post"]["responses"]["401"] = _problem("A key is needed")
    return document


def _paths(service: Service) -> dict:
    text = {"description": "Prometheus text format", "schema": {"type": "string"}}
    plain = {"type": "object", "properties": {"status": {"type": "string"}, "bundle": {"type": "string"}}}
    return {
        "/predict": {"post": _predict(service)},
        "/predict/file": {"post": _predict_file(service)},
        "/healthz": {"get": _get("Whether the process answers", {"description": "It does", "schema": plain})},
        "/readyz": {"get": _get(
            "Whether the bundle answers its golden rows as in training", {"description": "It does", "schema": plain},
            {"503": _problem("It does not, or cannot be read")},
        )},
        "/metrics": {"get": _get("Metrics of all workers", text) | {"produces": ["text/plain"]}},
    }


def _get(summary: str, good: dict, more: Mapping = {}) -> dict:  # noqa: B006 (never changed)
    return {"summary": summary, "tags": ["operations"], "responses": {"200": good, **more}}


def _predict(service: Service) -> dict:
    serving = service.problem.serving
    many = {"type": "array", "minItems": 1, "maxItems": serving.max_rows, "items": {"$ref": "#/definitions/Row"}}
    return {
        "summary": f"Predict {service.predictor.target} for one row or many",
        "description": "The body is one row (an object) or a list of rows; the answer has the same form.",
        "tags": ["predictions"],
        "parameters": [{
            "in": "body", "name": "rows", "required": True,
            "schema": {"$ref": "#/definitions/Row", "x-anyOf": [{"$ref": "#/definitions/Row"}, many]},
        }],
        "responses": {
            "200": {"description": "The answer, or answers", "schema": {"$ref": "#/definitions/Answer"}},
            "400": _problem("The body is not JSON in UTF-8"),
            "413": _problem(f"More than {serving.max_body_bytes:,} bytes or {serving.max_rows:,} rows"),
            "415": _problem("The body is not application/json"),
            "422": _problem("Rows do not fit the schema; errors names each row and field"),
        },
    }


def _predict_file(service: Service) -> dict:
    row = example_row(service.schema)
    header, cells = ",".join(map(_quoted, row)), ",".join(_quoted(value) for value in row.values())
    return {
        "summary": f"Predict {service.predictor.target} for every row of a CSV file",
        "description": "The same rows come back with the columns prediction, one probability per label, and error: "
                       "why a row was not answered. Further columns of the file are kept.",
        "tags": ["predictions"],
        "consumes": ["text/csv"],
        "produces": ["text/csv", MEDIA_TYPE],
        "parameters": [{
            "in": "body", "name": "table", "required": True,
            "schema": {"type": "string", "example": f"{header}\n{cells}\n"},
        }],
        "responses": {
            "200": {"description": "The table with answers", "schema": {"type": "string"}},
            "400": _problem("The body is not a CSV table in UTF-8"),
            "413": _problem(f"More than {service.problem.serving.max_upload_bytes:,} bytes"),
            "415": _problem("The body is not text/csv"),
            "422": _problem("The header lacks a field"),
        },
    }


def _quoted(value) -> str:
    text = "" if value is None else str(value)
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\r\n') else text


def _problem(description: str) -> dict:
    return {"description": description, "schema": {"$ref": "#/definitions/Problem"}}


def _definitions(service: Service) -> dict:
    answer = {
        "prediction": {"type": "number"} if service.predictor.task == "regression" else {
            "type": "string", "enum": list(service.predictor.classes),
        },
        "bundle": {"type": "string", "description": "Digest of the bundle that answered"},
        "predictions": {"type": "array", "items": {"type": "object"}, "description": "For a list of rows"},
        "warnings": {"type": "array", "items": {"type": "object"}},
    }
    if service.predictor.classes:
        answer["probabilities"] = {"type": "object", "additionalProperties": {"type": "number"}}
    return {
        "Row": row_schema(service.schema, service.problem.serving),
        "Answer": {"type": "object", "required": ["bundle"], "properties": answer},
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status"],
            "properties": {
                "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
                "detail": {"type": "string"}, "total": {"type": "integer"},
                "errors": {"type": "array", "items": {"type": "object", "properties": {
                    "row": {"type": "integer"}, "field": {"type": "string", "x-nullable": True},
                    "pointer": {"type": "string"}, "detail": {"type": "string"},
                }}},
            },
        },
    }


def row_schema(schema: Schema, serving: Serving) -> dict:
    """The JSON schema of a row under a policy: exactly what the decoder takes."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [field.name for field in schema if not field.optional],
        "properties": {field.name: _field(field, serving) for field in schema},
        "example": example_row(schema),
    }


def _field(field: Field, serving: Serving) -> dict:
    described = {"description": expectation(field, serving)} | ({"x-nullable": True} if field.optional else {})
    if field.type == "category":
        levels = {"enum": list(field.levels)} if serving.unknown_levels == "reject" else {}
        return {"type": "string"} | levels | described
    if field.type == "date":
        return {"type": "string", "format": "date" if _whole(field) else "date-time"} | described
    low, high = (field.minimum, field.maximum) if serving.out_of_range == "reject" else (-LARGEST, LARGEST)
    return {"type": field.type, "minimum": low, "maximum": high} | described


def _whole(field: Field) -> bool:
    return float(field.minimum).is_integer() and float(field.maximum).is_integer()


def example_row(schema: Schema) -> dict:
    """A typical row that the service takes as it stands."""
    return {field.name: show_date(field.minimum) if field.example is None and field.type == "date" else field.example
            for field in schema}
