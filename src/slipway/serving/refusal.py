"""Errors: RFC 9457 problem details, or a page for people. They never repeat the data."""

from collections.abc import Mapping, Sequence
from typing import IO, Any

import msgspec
from flask import Response, current_app, g, render_template, request
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES
from werkzeug.wrappers import Response as BaseResponse
from werkzeug.wsgi import LimitedStream

from slipway.errors import SlipwayError
from slipway.serving.access import log_failure
from slipway.table.faults import FieldProblem

MEDIA_TYPE = "application/problem+json"
PREDICTIONS = {"api.predict", "api.predict_file", "api.cached", "invocations.invoke", "open_inference.infer"}
PROTOCOLS = "slipway-protocols"  # extension of the app: blueprint → the protocol that it speaks
SWITCHED = {"invocations": "mlflow", "ping": "mlflow", "v2": "open-inference"}  # how an address begins → its protocol
LONGEST_NAME = 100
DETAILS = {
    404: "Nothing at this address; /apidocs lists the valid ones.",
    405: "This address does not support this method; the Allow header lists the supported ones.",
    500: "The service failed, not your request. Find the error in the log by the request id.",
}


class Refusal(ValueError):
    """A request that is answered with a problem.

    Parameters
    ----------
    status : int
    detail : str
        A sentence for a person.
    problems : sequence of FieldProblem
        The first of them.
    counts : mapping of str to int
        ``field/reason`` → number of problems, listed or not.
    headers : mapping of str to str
    """

    def __init__(
        self,
        status: int,
        detail: str,
        problems: Sequence[FieldProblem] = (),
        counts: Mapping[str, int] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.problems = list(problems)
        self.counts = dict(counts or {})
        self.headers = dict(headers or {})


def shown_name(name: str) -> str:
    """A name from a request as an answer may repeat it: short, and valid as UTF-8."""
    short = name if len(name) <= LONGEST_NAME else name[:LONGEST_NAME] + "…"
    return short.encode("utf-8", "replace").decode()


def problem_document(status: int, detail: str, problems: Sequence[FieldProblem] = (), total: int = 0) -> dict[str, Any]:
    """The members of a problem; ``errors`` and their number only where there are some."""
    document = {"type": "about:blank", "title": HTTP_STATUS_CODES[status], "status": status, "detail": detail}
    if problems:
        document |= {"errors": [problem.to_json() for problem in problems], "errors_total": total}
    return document


def answer_refusal(refusal: Refusal) -> Response:
    """The answer to a refused request."""
    current_app.extensions["slipway"].refused(refusal.counts, g.call, request.endpoint in PREDICTIONS)
    total = sum(refusal.counts.values())
    return _answer(problem_document(refusal.status, refusal.detail, refusal.problems, total), refusal.headers)


def answer_http_error(error: HTTPException) -> BaseResponse:
    """The answer to what Flask and Werkzeug refuse themselves."""
    if error.code is None or error.code < 400:  # a redirect travels as an exception too
        return error.get_response()
    detail = DETAILS.get(error.code) or error.description or ""
    if error.code == 404:
        detail = _switched_off() or detail
    if error.code == 413:
        detail = _excess()
    headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return _answer(problem_document(error.code, detail), headers)


def _switched_off() -> str:
    """Which protocol this address would speak; empty if none, or if it is on."""
    name = SWITCHED.get(request.path.split("/")[1])
    if name is None or name in current_app.extensions["slipway"].problem.serving.protocols:
        return ""
    return f"Switched off: serving.protocols in slipway.yaml does not list {name}."


def _excess() -> str:
    """Which limit a body exceeds: Werkzeug refuses a form for its parts as it refuses any body for its length."""
    most, length = request.max_content_length, request.content_length
    if most is None or (length <= most if length is not None else not _is_exhausted(request.stream)):
        parts, letters = request.max_form_parts, request.max_form_memory_size
        return f"The form has more than {parts} parts, or a field of more than {letters} bytes."
    return f"The body is larger than {most} bytes, the limit of this address."


def _is_exhausted(body: IO[bytes]) -> bool:
    """Whether a body without a length was read up to its limit."""
    return isinstance(body, LimitedStream) and body.is_exhausted


def answer_failure(error: Exception) -> Response:
    """The answer to anything unexpected; the client's broken body is the client's, the rest is ours."""
    if type(error).__module__.startswith("gunicorn.http"):
        return _answer(problem_document(400, "The body arrived incomplete or malformed."))
    log_failure(error, g.call.request_id if "call" in g else None)
    if isinstance(error, SlipwayError):
        return _answer(problem_document(503, "The model cannot answer; see /readyz for the reason."))
    return _answer(problem_document(500, DETAILS[500]))


def _answer(document: dict[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    status = document["status"]
    protocol = current_app.extensions[PROTOCOLS].get(request.blueprint)
    if protocol:
        status = 400 if status == 422 else status  # the protocols know no 422
        return Response(msgspec.json.encode(protocol.refused(document)), status, headers, mimetype="application/json")
    if for_a_person():
        page = render_template(
            "error.html",
            status=status,
            title=document["title"],
            detail=document["detail"],
        )
        return Response(page, status, headers, mimetype="text/html")
    return Response(msgspec.json.encode(document), status, headers, mimetype=MEDIA_TYPE)


def for_a_person() -> bool:
    """Whether a browser asked for a page; calls of the API are answered as data whatever they accept.

    So is a Host header that no host can have: Flask makes no links then, and a page has some.
    """
    wants_page = request.blueprint != "api" and "text/html" in request.headers.get("Accept", "")
    return wants_page and request_ctx.url_adapter is not None
