"""``POST /predict`` answered in front of Flask, which takes longer than the model does.

The same functions answer as in Flask's route. What is not a plain call, or cannot be answered, goes on to that route, and
so does every call as soon as the application has hooks or a view that are not Slipway's.
"""

import re
from collections.abc import Iterable, Iterator
from types import FunctionType
from wsgiref.types import StartResponse, WSGIEnvironment

import flask.app
from flask import Request, Response, signals
from flask.sessions import SecureCookieSessionInterface

from slipway.serving.access import CALL, begin
from slipway.serving.api import arguments, predict, prediction
from slipway.serving.body import pieces
from slipway.serving.call import Call
from slipway.serving.headers import NOT_STORED, VARY, secured, shared
from slipway.serving.keys import presented
from slipway.serving.service import Service

PATH, ENDPOINT, METHOD = "/predict", "api.predict", "POST"
PLAIN = {
    "application/json",
    *(f"application/json;{space}charset={name}" for space in ("", " ") for name in ("utf-8", "UTF-8")),
}
LENGTH = re.compile(r"[0-9]{1,15}", re.ASCII)
STRANGE = frozenset(
    {"HTTP_CONTENT_ENCODING", "HTTP_TRANSFER_ENCODING", "HTTP_UPGRADE", "werkzeug.debug.preserve_context"}  # a test's `with`
)
BAD_HOST = re.compile(r"(^|\.)(\.|[^.]{63})")  # Flask finds no address under a host name that cannot be one
REGISTRIES = ("url_value_preprocessors", "before_request_funcs", "after_request_funcs", "teardown_request_funcs")
PARTS = ("session_interface", "request_class", "response_class")
SETTINGS = ("MAX_CONTENT_LENGTH", "SECRET_KEY", "TRUSTED_HOSTS")
SIGNALS = (
    signals.appcontext_pushed,
    signals.appcontext_popped,
    signals.appcontext_tearing_down,
    signals.request_started,
    signals.request_finished,
    signals.request_tearing_down,
)
STEPS = frozenset(  # Flask's methods that take a call
    {
        "create_url_adapter",
        "full_dispatch_request",
        "preprocess_request",
        "dispatch_request",
        "make_response",
        "finalize_request",
        "process_response",
        "do_teardown_request",
        "do_teardown_appcontext",
    }
)


def install(app: flask.app.Flask) -> None:
    """Put the shortcut in front, unless a tool that watches every Flask has its hands in `app` already."""
    hooks = [hook for name in REGISTRIES for each in getattr(app, name).values() for hook in each]
    is_ours = all(hook.__module__.startswith("slipway.") for hook in hooks) and not app.teardown_appcontext_funcs
    parts = type(app.session_interface), app.request_class, app.response_class
    is_set = bool(app.config["SECRET_KEY"] or app.config["TRUSTED_HOSTS"])
    is_usual = parts == (SecureCookieSessionInterface, Request, Response) and not is_set
    is_flasks = is_usual and all(map(_is_flasks, ("wsgi_app", *STEPS)))
    if type(app) is flask.app.Flask and is_flasks and is_ours and app.view_functions[ENDPOINT] is predict:
        app.wsgi_app = Shortcut(app)  # type: ignore[method-assign]  # as Flask documents


def _is_flasks(name: str) -> bool:
    """Whether a method of the class is Flask's own."""
    method = vars(flask.app.Flask).get(name)
    return type(method) is FunctionType and method.__globals__ is vars(flask.app)


class Shortcut:
    """Answers plain calls of ``POST /predict``; Flask answers the others.

    Parameters
    ----------
    app : Flask
        With everything that is Slipway's.
    """

    def __init__(self, app: flask.app.Flask) -> None:
        self._app = app
        self._flask = app.wsgi_app
        self._service: Service = app.extensions["slipway"]
        self._origins = self._service.problem.serving.cors_origins
        self._most = app.config["MAX_CONTENT_LENGTH"]
        more = {"Vary": VARY} if self._origins else {}
        headers = {"Content-Type": "application/json", "Cache-Control": NOT_STORED} | more
        self._headers = list((headers | secured(self._service.release)).items())
        self._around = _around(app)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ.get("PATH_INFO") != PATH or not self._is_plain(environ) or self._is_watched():
            return self._flask(environ, start_response)
        call = begin(environ.get("HTTP_X_REQUEST_ID", ""))
        if self._service.keys.needed:
            key = presented(environ.get("HTTP_AUTHORIZATION", ""), environ.get("HTTP_X_API_KEY", ""))
            client = self._service.keys.accept(key)
            if client is None:
                return self._flask(environ, start_response)
            call.client = client
        try:
            content = self._answer(environ, call)
        except Exception as error:
            call.failure = error
        if call.failure:
            return self._refuse(environ, call, start_response)
        own = [("Content-Length", str(len(content))), ("X-Request-ID", call.request_id)]
        if self._origins:
            own += shared(self._origins, environ.get("HTTP_ORIGIN")).items()
        start_response("200 OK", self._headers + own)
        return _Sent(content, self._service, call)

    def _refuse(self, environ: WSGIEnvironment, call: Call, start_response: StartResponse) -> Iterable[bytes]:
        """Let Flask's route raise the failure, and its handlers word it."""
        environ[CALL] = call
        try:
            return self._flask(environ, start_response)
        finally:
            call.failure = None  # its traceback leads back to the call: the body would wait for the garbage collector

    def _is_plain(self, environ: WSGIEnvironment) -> bool:
        """Whether it is a call whose body is JSON of a permitted length, without anything special."""
        length = environ.get("CONTENT_LENGTH", "")
        return (
            environ["REQUEST_METHOD"] == METHOD
            and environ.get("CONTENT_TYPE") in PLAIN
            and LENGTH.fullmatch(length) is not None
            and int(length) <= self._most
            and STRANGE.isdisjoint(environ)
            and not BAD_HOST.search(environ.get("HTTP_HOST", ""))
        )

    def _is_watched(self) -> bool:
        """Whether somebody else is to see the call. Who listens to signals may have begun before the application was made."""
        is_heard = any(signal.receivers for signal in SIGNALS)
        return is_heard or not STEPS.isdisjoint(vars(self._app)) or _around(self._app) != self._around

    def _answer(self, environ: WSGIEnvironment, call: Call) -> bytes:
        body = b"".join(pieces(environ["wsgi.input"], int(environ["CONTENT_LENGTH"])))
        query = arguments(Request(environ, populate_request=False)) if environ.get("QUERY_STRING") else {}
        return prediction(self._service, call, body, query)


class _Sent:
    """An answer; counted and logged when the server closes it, after its last byte."""

    def __init__(self, content: bytes, service: Service, call: Call) -> None:
        self._content = content
        self._service = service
        self._call = call

    def __iter__(self) -> Iterator[bytes]:
        yield self._content

    def close(self) -> None:
        self._service.sent(self._call, PATH, METHOD, PATH, 200)


def _around(app: flask.app.Flask) -> tuple[object, ...]:
    """All that Flask would do around the view and might have to do with the answer; it may change at any time."""
    hooks = [tuple(getattr(app, name).get(scope, ())) for name in REGISTRIES for scope in (None, "api")]
    parts = [getattr(app, name) for name in PARTS]
    settings = [app.config[name] for name in SETTINGS]
    return hooks, tuple(app.teardown_appcontext_funcs), app.view_functions[ENDPOINT], parts, settings
