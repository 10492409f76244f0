"""The part of the specification that tells of the Open Inference Protocol, with working examples."""

from typing import Any
from urllib.parse import quote

from slipway import __version__
from slipway.model.scoring import added_names
from slipway.serving.definitions import Document
from slipway.serving.examples import answer_example, example_row
from slipway.serving.protocols.tensors import DATATYPES, OF_FIELDS, datatype_of, outputs_of
from slipway.serving.service import Service

DIGITS = 12  # of the bundle's digest, as in the access log
SERVER = {"name": "slipway", "version": __version__, "extensions": []}
PLATFORM = "slipway_onnx"
TAGS = ["open inference protocol"]
TEXT: Document = {"type": "string"}
INTEGER: Document = {"type": "integer"}
BOOLEAN: Document = {"type": "boolean"}
DATATYPE: Document = {"type": "string", "enum": list(DATATYPES)}
PARAMETERS: Document = {"type": "object", "x-nullable": True, "description": "Not read"}
ERROR: Document = {"type": "object", "required": ["error"], "properties": {"error": TEXT}}


def version_of(service: Service) -> str:
    """The version of the model."""
    return service.digest[:DIGITS]


def metadata_of(service: Service) -> Document:
    """What the model takes and gives."""
    classes = service.predictor.classes
    inputs = {field.name: OF_FIELDS[field.type] for field in service.schema}
    outputs = {name: datatype_of(name, classes) for name in added_names(service.predictor)}
    return {
        "name": service.problem.name,
        "versions": [version_of(service)],
        "platform": PLATFORM,
        "inputs": _described(inputs),
        "outputs": _described(outputs),
    }


def _described(datatypes: dict[str, str]) -> list[Document]:
    return [{"name": name, "datatype": datatype, "shape": [-1]} for name, datatype in datatypes.items()]


def paths(service: Service) -> Document:
    """All calls; those of the model under its name, and under its name and version."""
    alive = _object({"live": BOOLEAN})
    ready = _object({"live": BOOLEAN, "ready": BOOLEAN})
    server = _object({"name": TEXT, "version": TEXT, "extensions": _list(TEXT)})
    unready = {"503": _error("It does not; error has the reason")}
    gone = {"404": _error("The service has another model or version")}
    found = {
        "/v2/health/live": {"get": _call("Whether the process answers", alive, {"live": True})},
        "/v2/health/ready": {"get": _call("Whether the model answers", ready, {"live": True, "ready": True}, unready)},
        "/v2": {"get": _call("What serves", server, SERVER)},
    }
    for path in _models(service):
        found |= {
            path: {"get": _call("What the model takes and gives", _metadata(), metadata_of(service), gone)},
            f"{path}/ready": {"get": _ready(service, gone | unready)},
            f"{path}/infer": {"post": _infer(service, gone)},
        }
    return found


def _models(service: Service) -> tuple[str, str]:
    model = f"/v2/models/{quote(service.problem.name, safe='')}"
    return model, f"{model}/versions/{version_of(service)}"


def predicting(service: Service) -> dict[str, str]:
    """The addresses that predict, and their names in the metrics."""
    plain, versioned = _models(service)
    return {
        f"{plain}/infer": "/v2/models/<model>/infer",
        f"{versioned}/infer": "/v2/models/<model>/versions/<version>/infer",
    }


def _ready(service: Service, errors: Document) -> Document:
    schema = _object({"name": TEXT, "ready": BOOLEAN})
    return _call("Whether the model answers", schema, {"name": service.problem.name, "ready": True}, errors)


def _metadata() -> Document:
    tensor = _object({"name": TEXT, "datatype": DATATYPE, "shape": _list(INTEGER)})
    names = {"name": TEXT, "versions": _list(TEXT), "platform": TEXT}
    return _object(names | {"inputs": _list(tensor), "outputs": _list(tensor)})


def _infer(service: Service, errors: Document) -> Document:
    serving = service.problem.serving
    errors = errors | {
        "400": _error("Not an inference request, or invalid rows; error names the first rows and fields"),
        "413": _error(f"More than {serving.max_body_bytes:,} bytes or {serving.max_rows:,} rows"),
        "415": _error("The body is not application/json, is compressed, or has binary data"),
        "503": _error("The model cannot answer; or, with Retry-After, too many calls at once"),
    }
    call = _call(f"Predict {service.predictor.target}", _answer(service), _example(service), errors)
    call["description"] = (
        "One tensor for each field, of shape [rows] or [rows, 1]. null is a missing cell; a field that may be missing may be "
        "left out. A tensor may have another datatype than in the model's metadata if the field can be read from it. Tensors "
        "of ids are logged. outputs names the tensors of the answer; by default all are sent."
    )
    call["parameters"] = [{"in": "body", "name": "request", "required": True, "schema": _request(service)}]
    if service.keys.needed:
        call["security"] = [{"key": []}]
        call["responses"]["401"] = _error("No key, or a wrong one")
    return call


def _request(service: Service) -> Document:
    row = example_row(service.schema)
    tensors = [
        {"name": field.name, "shape": [1], "datatype": OF_FIELDS[field.type], "data": [row[field.name]]}
        for field in service.schema
        if field.name in row
    ]
    shape = {"type": "array", "items": INTEGER | {"minimum": 1}, "minItems": 1, "maxItems": 2}
    data: Document = {"type": "array", "minItems": 1, "maxItems": service.problem.serving.max_rows, "items": {}}
    tensor = _object({"name": TEXT, "shape": shape, "datatype": DATATYPE, "data": data}, {"parameters": PARAMETERS})
    wanted = {"type": "string", "enum": list(added_names(service.predictor))}
    outputs = _list(_object({"name": wanted}, {"parameters": PARAMETERS})) | {"x-nullable": True}
    more = {"id": {"type": "string", "x-nullable": True}, "outputs": outputs, "parameters": PARAMETERS}
    schema = _object({"inputs": _list(tensor) | {"minItems": 1}}, more)
    return schema | {"example": {"id": "1", "inputs": tensors}}


def _answer(service: Service) -> Document:
    names = {"type": "string", "enum": list(added_names(service.predictor))}
    tensor = _object({"name": names, "shape": _list(INTEGER), "datatype": DATATYPE, "data": _list({})})
    return _object({"model_name": TEXT, "model_version": TEXT, "outputs": _list(tensor)}, {"id": TEXT})


def _example(service: Service) -> Document:
    answer = answer_example(service)
    cells: list[Any] = [answer["prediction"], *answer.get("probabilities", {}).values()]
    columns = {name: [cell] for name, cell in zip(added_names(service.predictor), cells)}
    outputs = outputs_of(columns, service.predictor.classes)
    return {"model_name": service.problem.name, "model_version": version_of(service), "id": "1", "outputs": outputs}


def _call(summary: str, schema: Document, example: Document, more: Document | None = None) -> Document:
    good = {"description": "OK", "schema": schema, "examples": {"application/json": example}}
    responses = {"200": good, **(more or {})}
    return {"summary": summary, "tags": TAGS, "produces": ["application/json"], "responses": responses}


def _error(description: str) -> Document:
    example = {"error": f"{description}."}
    return {"description": description, "schema": ERROR | {"example": example}, "examples": {"application/json": example}}


def _object(required: Document, more: Document | None = None) -> Document:
    return {"type": "object", "required": list(required), "properties": required | (more or {})}


def _list(items: Document) -> Document:
    return {"type": "array", "items": items}
