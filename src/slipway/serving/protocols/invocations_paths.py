"""MLflow's protocol in the specification of the API."""

from slipway.model.intervals import levels
from slipway.model.scoring import added_names
from slipway.serving.definitions import Document
from slipway.serving.examples import answer_example, example_row
from slipway.serving.service import Service

INVOCATIONS = "/invocations"
ERROR: Document = {
    "type": "object",
    "required": ["error_code", "message"],
    "properties": {"error_code": {"type": "string"}, "message": {"type": "string"}},
}
TEXT: Document = {"type": "string"}


def paths(service: Service) -> Document:
    """Its addresses."""
    ready = {
        "200": {"description": "It does", "schema": TEXT, "examples": {"text/plain": "\n"}},
        "503": _error("It does not; message has the reason", "TEMPORARILY_UNAVAILABLE"),
    }
    says = "Whether the bundle answers its golden rows as in training"
    version = {"200": {"description": "The version", "schema": TEXT}}
    return {
        INVOCATIONS: {"post": _invoke(service)},
        "/ping": {"get": _get(says, ready)},
        "/health": {"get": _get(says, ready)},
        "/version": {"get": _get("The version of MLflow whose protocol this is", version)},
    }


def predicting(service: Service) -> dict[str, str]:
    """The address that predicts, which is its name in the metrics too."""
    return {INVOCATIONS: INVOCATIONS}


def _get(summary: str, responses: Document) -> Document:
    return {"summary": summary, "tags": ["MLflow"], "produces": ["text/plain", "application/json"], "responses": responses}


def _invoke(service: Service) -> Document:
    serving = service.problem.serving
    call: Document = {
        "summary": f"Predict {service.predictor.target} for the rows of a table, as mlflow models serve does",
        "description": (
            f"The body is a table of up to {serving.max_rows:,} rows in exactly one of the forms; all rows are answered, or "
            "none. It may also be text/csv with a header that names every field; its other columns are ignored."
        ),
        "tags": ["MLflow"],
        "produces": ["application/json"],
        "parameters": [{"in": "body", "name": "table", "required": True, "schema": _table(service)}],
        "responses": {
            "200": {
                "description": "A record per row",
                "schema": {
                    "type": "object",
                    "required": ["predictions"],
                    "properties": {"predictions": {"type": "array", "items": {"type": "object"}}},
                },
                "examples": {"application/json": {"predictions": [_record(service)]}},
            },
            "400": _error("Not JSON in UTF-8, not a table, or rows that cannot be answered; message names them"),
            "413": _error(f"More than {serving.max_body_bytes:,} bytes or {serving.max_rows:,} rows"),
            "415": _error("The body is neither application/json nor text/csv"),
            "503": _error("The model cannot answer; or, with Retry-After, too many calls at once", "TEMPORARILY_UNAVAILABLE"),
        },
    }
    if service.keys.needed:
        call["security"] = [{"key": []}]
        call["responses"]["401"] = _error("No key, or a wrong one", "UNAUTHENTICATED")
    return call


def _table(service: Service) -> Document:
    row = example_row(service.schema)
    rows = {"$ref": "#/definitions/Rows"}
    columns = {"type": "array", "items": {"type": "string"}}
    data = {"type": "array", "items": {"type": "array", "items": {}}}
    split = {"columns": columns, "data": data, "index": {"type": "array", "items": {}}}
    forms: Document = {
        "dataframe_split": {
            "type": "object",
            "required": ["columns", "data"],
            "properties": split,
            "additionalProperties": False,
            "example": {"columns": [*row], "data": [[*row.values()]]},
        },
        "dataframe_records": rows,
        "instances": rows,
        "inputs": {
            "type": "object",
            "description": "Column → list of its values. Or column → value, for one row",
            "example": {name: [value] for name, value in row.items()},
        },
    }
    interval = {"type": "number", "enum": list(levels(service.intervals)), "description": "Adds low and high to a number"}
    params = {"type": "object", "properties": {"interval": interval}} if levels(service.intervals) else {"type": "object"}
    return {
        "type": "object",
        "minProperties": 1,
        "properties": forms | {"params": params | {"additionalProperties": False}},
        "additionalProperties": False,
        "example": {"dataframe_records": [row]},
    }


def _record(service: Service) -> Document:
    answer = answer_example(service)
    return dict(zip(added_names(service.predictor), [answer["prediction"], *answer.get("probabilities", {}).values()]))


def _error(description: str, code: str = "BAD_REQUEST") -> Document:
    example = {"error_code": code, "message": description}
    return {"description": description, "schema": ERROR, "examples": {"application/json": example}}
