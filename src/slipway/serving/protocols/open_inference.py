"""The Open Inference Protocol (version 2) over REST: what KServe, Triton and MLServer speak.

The model is called as the problem is, and its version is how its bundle's digest begins.
"""

from typing import Any

from flask import Blueprint, Response, g, request

from slipway.model.scoring import added_names, answer_columns
from slipway.serving.body import pieces, require_plain, require_type
from slipway.serving.probes import json_answer, require_ready
from slipway.serving.protocols.inference_paths import SERVER, metadata_of, paths, predicting, version_of
from slipway.serving.protocols.protocol import Protocol, wrong_cell
from slipway.serving.protocols.tensors import columns_of, names_of, outputs_of, request_of
from slipway.serving.refusal import Refusal, shown_name
from slipway.serving.service import Service, current_service

open_inference = Blueprint("open_inference", __name__, url_prefix="/v2")
MODEL, VERSION = "/models/<model>", "/models/<model>/versions/<version>"
JSON_LENGTH = "Inference-Header-Content-Length"  # that of the JSON in front of binary data
LISTED = 5  # problems in the text of an error


@open_inference.get("/health/live")
def live() -> Response:
    """The process answers."""
    return json_answer({"live": True})


@open_inference.get("/health/ready")
def ready() -> Response:
    """The bundle answers its golden rows as recorded."""
    require_ready(_service())
    return json_answer({"live": True, "ready": True})  # the specification says live, KServe's client reads ready


@open_inference.get("", strict_slashes=False)
def server() -> Response:
    """What serves."""
    return json_answer(SERVER)


@open_inference.get(MODEL)
@open_inference.get(VERSION)
def metadata(model: str, version: str | None = None) -> Response:
    """What the model takes and gives."""
    return json_answer(metadata_of(_service(model, version)))


@open_inference.get(f"{MODEL}/ready")
@open_inference.get(f"{VERSION}/ready")
def model_ready(model: str, version: str | None = None) -> Response:
    """As `ready`, of the model that is named."""
    service = _service(model, version)
    require_ready(service)
    return json_answer({"name": service.problem.name, "ready": True})


@open_inference.post(f"{MODEL}/infer")
@open_inference.post(f"{VERSION}/infer")
def infer(model: str, version: str | None = None) -> Response:
    """Answer rows that come as a tensor for each column."""
    service = _service(model, version)
    asked = request_of(service.decoder.document(_body()))
    known = added_names(service.predictor)
    names = names_of(asked.outputs, known)
    decoded = service.decoder.decode_columns(columns_of(asked.inputs))
    found = answer_columns(service.answer(service.asked(decoded, whole=True), g.call).answers, known)
    outputs = outputs_of({name: found[name] for name in names}, service.predictor.classes)
    given = {} if asked.id is None else {"id": asked.id}
    answer = json_answer(
        {"model_name": service.problem.name, "model_version": version_of(service), **given, "outputs": outputs}
    )
    answer.headers["Slipway-Bundle"] = service.digest
    return answer


def _body() -> bytes:
    """The body, which is JSON alone.

    Raises
    ------
    Refusal
        415 when it is not, 400 when the length of its JSON is none.
    """
    require_plain()
    body = b"".join(pieces(request.stream, request.content_length))
    if JSON_LENGTH in request.headers:
        length = request.headers.get(JSON_LENGTH, -1, type=int)
        if not 0 <= length <= len(body):
            raise Refusal(400, f"{JSON_LENGTH} is not a number of bytes of the body.")
        if length < len(body):  # before the type: KServe's client sends it as application/octet-stream
            raise Refusal(415, "Expected tensors in JSON, not binary. In the clients of Triton and KServe: binary_data=False.")
    if request.content_type:  # tritonclient names none
        require_type("application/json")
    return body


def _service(model: str | None = None, version: str | None = None) -> Service:
    """The service, if its model is called so.

    Raises
    ------
    Refusal
        404 when it is not.
    """
    service = current_service()
    if model not in (None, service.problem.name):
        raise Refusal(404, f"There is no model {shown_name(model)}; this service has {service.problem.name}.")
    if version not in (None, version_of(service)):
        raise Refusal(404, f"There is no version {shown_name(version)}; this service has {version_of(service)}.")
    return service


def refused(document: dict[str, Any]) -> dict[str, Any]:
    """A problem document as the protocol words it: in one text, with the first wrong rows and fields."""
    told = list(map(wrong_cell, document.get("errors", ())[:LISTED]))
    if not told:
        return {"error": document["detail"]}
    more = document["errors_total"] - len(told)
    rest = f"; and {more} more" if more > 0 else ""
    return {"error": f"{document['detail'].removesuffix('.')}: {'; '.join(told)}{rest}"}


OPEN_INFERENCE = Protocol(open_inference, paths, refused, predicting)
