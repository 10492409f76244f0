"""Every error of the service in one shape: RFC 9457 problem JSON, or a page for a browser. Nothing echoes the data."""

import logging

import msgspec
from flask import Flask, Response, current_app, render_template, request
from werkzeug.exceptions import HTTPException

from slipway.errors import SlipwayError
from slipway.serving.decoder import InvalidRows, Malformed, TooManyRows

MEDIA_TYPE = "application/problem+json"
API = ("/predict", "/healthz", "/readyz", "/metrics", "/apispec.json")

log = logging.getLogger("slipway")


class Problem(Exception):
    """An answer that is an error.

    Parameters
    ----------
    status : int
    title, detail : str
    more : mapping
        Further members of the problem document.
    headers : mapping
    """

    def __init__(self, status: int, title: str, detail: str = "", more=None, headers=None) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail
        self.more = more or {}
        self.headers = headers or {}


def install(app: Flask) -> None:
    """Let `app` answer each kind of error as a problem."""
    app.register_error_handler(Problem, _answer)
    app.register_error_handler(Malformed, lambda error: _answer(Problem(400, "The body is not valid", str(error))))
    app.register_error_handler(TooManyRows, lambda error: _answer(Problem(413, "Too many rows", str(error))))
    app.register_error_handler(InvalidRows, _invalid_rows)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(SlipwayError, _unready)
    app.register_error_handler(Exception, _unexpected)


def _invalid_rows(error: InvalidRows) -> Response:
    more = {
        "errors": [wrong.to_json(error.single) for wrong in error.problems],
        "total": error.total,
    }
    named = f"{error.total} values are wrong" if error.total > 1 else "1 value is wrong"
    return _answer(Problem(422, "Rows do not fit the schema", f"{named}; errors names them", more))


def _http(error: HTTPException) -> Response:
    if error.code is None or error.code < 400:
        return error.get_response()
    details = {
        404: "There is no such page; /apidocs lists the calls",
        405: "The call does not take this method; /apidocs lists the calls",
        413: "The body is larger than this service takes",
    }
    headers = {"Allow": ", ".join(sorted(error.valid_methods))} if getattr(error, "valid_methods", None) else {}
    return _answer(Problem(error.code, error.name, details.get(error.code, ""), headers=headers))


def _unready(error: SlipwayError) -> Response:
    log.error("not ready: %s", error)
    return _answer(Problem(503, "The service is not ready", str(error)))


def _unexpected(error: Exception) -> Response:
    log.error("unexpected %s", type(error).__name__, exc_info=not isinstance(error, MemoryError))
    return _answer(Problem(500, "Internal error", "The log has the details under this request id"))


def _answer(problem: Problem) -> Response:
    if _wants_page():
        page = render_template("error.html", status=problem.status, title=problem.title, detail=problem.detail)
        return Response(page, problem.status, problem.headers, mimetype="text/html")
    document = {"type": "about:blank", "title": problem.title, "status": problem.status}
    if problem.detail:
        document["detail"] = problem.detail
    body = msgspec.json.encode(document | problem.more)
    return Response(body, problem.status, problem.headers, mimetype=MEDIA_TYPE)


def _wants_page() -> bool:
    if request.path.startswith(API) or "pages" not in current_app.blueprints:
        return False
    return request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"
