"""``POST /predict`` in front of Flask: the same answer as by Flask's route, and not with hooks that are not Slipway's."""

import functools
import gc
import io
import weakref

import flask
import pytest
from flask import signals
from flask.sessions import SecureCookieSessionInterface
from flask.testing import EnvironBuilder

from bundles import ROWS
from slipway.serving.refusal import Refusal

JSON = "application/json"


@pytest.fixture
def alone(client, monkeypatch):
    """A client of an app whose Flask answers nothing."""

    def refuse(*_):
        raise AssertionError("Flask was asked")

    monkeypatch.setattr(flask.Flask, "full_dispatch_request", refuse)
    return client


@pytest.mark.parametrize("rows", [ROWS[0], ROWS])
@pytest.mark.parametrize("query", ["", "?interval=0.9", "?partial=true&other=1"])
@pytest.mark.parametrize("kind", [JSON, f"{JSON}; charset=utf-8", f"{JSON};charset=UTF-8"])
def test_a_plain_call_is_answered_without_flask(alone, rows, query, kind):
    assert alone.post(f"/predict{query}", json=rows, content_type=kind).status_code == 200


def test_what_is_called_under_a_prefix_is_so_too(serve, monkeypatch):
    client = serve(environ={"SLIPWAY_URL_PREFIX": "/models", "SLIPWAY_TRUSTED_PROXIES": "1"}).test_client()
    monkeypatch.setattr(flask.Flask, "full_dispatch_request", None)
    assert client.post("/models/predict", json=ROWS[0]).status_code == 200


def test_an_answer_is_counted_when_it_was_sent(app, capfd):
    environ = EnvironBuilder(app, "/predict", method="POST", json=ROWS[0]).get_environ()
    answer = app(environ, lambda status, headers: None)
    content = b"".join(answer)
    assert b"prediction" in content and capfd.readouterr().out == ""
    answer.close()
    assert '"rows":1' in capfd.readouterr().out


def test_a_call_that_is_refused_is_counted_and_logged_once(app, client, capfd):
    refused = client.post("/predict", json={"age": "x"}, headers={"X-Request-ID": "r-1"})
    assert refused.status_code == 422 and refused.headers["X-Request-ID"] == "r-1"
    assert capfd.readouterr().out.count("r-1") == 1
    service = app.extensions["slipway"]
    labels = {"endpoint": "/predict", "method": "POST", "status": "422", "bundle": service.digest[:12]}
    assert service.metrics.registry.get_sample_value("slipway_requests_total", labels) == 1


# What somebody may do to an app, and a way to see that it is done for a prediction too.


def refuse(app):
    app.before_request_funcs[None].append(lambda: ("closed on Sundays", 403))
    return lambda answer: answer.status_code == 403


def refuse_in_the_blueprint(app):
    app.before_request_funcs["api"] = [lambda: ("closed on Sundays", 403)]
    return lambda answer: answer.status_code == 403


def add_a_header(app):
    @app.after_request
    def add(response):
        response.headers["X-Mine"] = "yes"
        return response

    return lambda answer: answer.headers.get("X-Mine") == "yes"


def end_the_request(app):
    seen = []
    app.teardown_request(seen.append)
    return lambda answer: seen == [None]


def end_the_context(app):
    seen = []
    app.teardown_appcontext(seen.append)
    return lambda answer: seen == [None]


def read_the_url(app):
    seen = []
    app.url_value_preprocessor(lambda endpoint, values: seen.append(endpoint))
    return lambda answer: seen == ["api.predict"]


def replace_the_view(app):
    app.view_functions["api.predict"] = lambda: "mine"
    return lambda answer: answer.text == "mine"


def trust_one_host(app):
    app.config["TRUSTED_HOSTS"] = ["models.example"]
    return lambda answer: answer.status_code == 400


def lower_the_limit(app):
    app.config["MAX_CONTENT_LENGTH"] = 10
    return lambda answer: answer.status_code == 413


def open_sessions(app):
    seen = []

    class Sessions(SecureCookieSessionInterface):
        def open_session(self, app, request):
            seen.append(request.path)

    app.session_interface = Sessions()
    return lambda answer: seen == ["/predict"]


def answer_with_a_class(app):
    class Mine(app.response_class):
        def get_wsgi_headers(self, environ):
            headers = super().get_wsgi_headers(environ)
            headers["X-Mine"] = "yes"
            return headers

    app.response_class = Mine
    return lambda answer: answer.headers.get("X-Mine") == "yes"


def read_with_a_class(app):
    class Mine(app.request_class):
        mimetype = "text/plain"
        content_type = "text/plain"

    app.request_class = Mine
    return lambda answer: answer.status_code == 415


CHANGES = [
    refuse,
    refuse_in_the_blueprint,
    add_a_header,
    end_the_request,
    end_the_context,
    read_the_url,
    replace_the_view,
    trust_one_host,
    lower_the_limit,
    open_sessions,
    answer_with_a_class,
    read_with_a_class,
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("before", [0, 2], ids=["from the start", "after two calls"])
def test_a_hook_of_somebody_else_is_obeyed(app, client, change, before):
    for _ in range(before):
        assert client.post("/predict", json=ROWS[0]).status_code == 200
    is_done = change(app)
    assert is_done(client.post("/predict", json=ROWS[0]))


SIGNALS = [
    "appcontext_pushed",
    "appcontext_popped",
    "appcontext_tearing_down",
    "request_started",
    "request_finished",
    "request_tearing_down",
]
STEPS = [
    "create_url_adapter",
    "full_dispatch_request",
    "preprocess_request",
    "dispatch_request",
    "make_response",
    "finalize_request",
    "process_response",
    "do_teardown_request",
    "do_teardown_appcontext",
]


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("before", [0, 2], ids=["from the start", "after two calls"])
def test_who_replaces_a_step_of_the_app_sees_the_call(app, client, name, before):
    seen, step = [], getattr(app, name)

    def replaced(*arguments, **named):
        seen.append(name)
        return step(*arguments, **named)

    for _ in range(before):
        assert client.post("/predict", json=ROWS[0]).status_code == 200
    setattr(app, name, replaced)
    assert client.post("/predict", json=ROWS[0]).status_code == 200
    assert name in seen


@pytest.mark.parametrize("name", SIGNALS)
def test_who_listened_before_the_app_was_made_hears_of_it_too(serve, name):
    heard = []
    with getattr(signals, name).connected_to(lambda sender, **_: heard.append(name)):
        client = serve().test_client()
        heard.clear()
        assert client.post("/predict", json=ROWS[0]).status_code == 200
        assert heard == [name]


@pytest.mark.parametrize("name", SIGNALS)
def test_who_listens_to_a_signal_hears_of_it(app, client, name):
    heard = []
    with getattr(signals, name).connected_to(lambda sender, **_: heard.append(name), app):
        client.post("/predict", json=ROWS[0])
    assert heard == [name]
    client.post("/predict", json=ROWS[0])
    assert heard == [name]


def test_a_session_is_prolonged(app, client):
    app.secret_key = "secret"
    with client.session_transaction() as session:
        session.permanent = True
    assert "session=" in client.post("/predict", json=ROWS[0]).headers["Set-Cookie"]


def test_a_session_is_prolonged_whose_key_was_set_before(serve, monkeypatch):
    hook_each(monkeypatch, lambda app: app.config.update(SECRET_KEY="secret"))
    client = serve().test_client()
    with client.session_transaction() as session:
        session.permanent = True
    assert "session=" in client.post("/predict", json=ROWS[0]).headers["Set-Cookie"]


def test_an_error_handler_of_somebody_else_words_the_refusal(app, client):
    app.register_error_handler(Refusal, lambda error: ("mine", 400))
    answer = client.post("/predict", json={})
    assert (answer.status_code, answer.text) == (400, "mine")


def test_middleware_around_the_app_sees_the_call(app, client):
    inner, seen = app.wsgi_app, []

    def outer(environ, start_response):
        seen.append(environ["PATH_INFO"])
        return inner(environ, start_response)

    app.wsgi_app = outer
    assert client.post("/predict", json=ROWS[0]).status_code == 200
    assert seen == ["/predict"]


def test_a_tool_that_inherits_from_flask_sees_the_call(serve, monkeypatch):
    seen = []

    class Watched(flask.Flask):
        def full_dispatch_request(self):
            seen.append(flask.request.path)
            return super().full_dispatch_request()

    monkeypatch.setattr(flask, "Flask", Watched)
    assert serve().test_client().post("/predict", json=ROWS[0]).status_code == 200
    assert seen == ["/predict"]


def test_a_tool_that_hooks_every_flask_sees_the_call(serve, monkeypatch):
    seen, make = [], flask.Flask.__init__

    def hooked(app, *arguments):
        make(app, *arguments)
        app.before_request(lambda: seen.append(flask.request.path))

    monkeypatch.setattr(flask.Flask, "__init__", hooked)
    assert serve().test_client().post("/predict", json=ROWS[0]).status_code == 200
    assert seen == ["/predict"]


class Proxy:
    """In place of a method, and like it to look at, as tracers put one there."""

    def __init__(self, function):
        self.function = function
        self.__globals__ = vars(flask.app)

    def __get__(self, app, owner):
        return functools.partial(self.function, app)


@pytest.mark.parametrize("name", ["wsgi_app", *STEPS])
@pytest.mark.parametrize("kind", [lambda function: function, Proxy], ids=["function", "proxy"])
def test_a_tool_that_patches_flask_sees_the_call(serve, monkeypatch, kind, name):
    seen, method = [], getattr(flask.Flask, name)

    @functools.wraps(method)
    def patched(app, *arguments, **named):
        seen.append(name)
        return method(app, *arguments, **named)

    monkeypatch.setattr(flask.Flask, name, kind(patched))
    client = serve().test_client()
    seen.clear()
    assert client.post("/predict", json=ROWS[0]).status_code == 200
    assert name in seen


# What a tool may do to every Flask before an app is made, and a way to see that it is done for a prediction too.


def hook_each(monkeypatch, hook):
    make = flask.Flask.__init__

    def hooked(app, *arguments):
        make(app, *arguments)
        hook(app)

    monkeypatch.setattr(flask.Flask, "__init__", hooked)


def wrap_each_in_middleware(monkeypatch, seen):
    def wrap(app):
        inner = app.wsgi_app

        def outer(environ, start_response):
            seen.append(environ["PATH_INFO"])
            return inner(environ, start_response)

        app.wsgi_app = outer

    hook_each(monkeypatch, wrap)
    return lambda answer: seen == ["/predict"]


def end_each_context(monkeypatch, seen):
    hook_each(monkeypatch, lambda app: app.teardown_appcontext(seen.append))
    return lambda answer: seen == [None]


def wrap_each_view(monkeypatch, seen):
    add = flask.Flask.add_url_rule

    def wrapped(view):
        @functools.wraps(view)
        def outer(*arguments, **named):
            seen.append(view.__name__)
            return view(*arguments, **named)

        return outer

    def patched(app, rule, endpoint=None, view_func=None, **named):
        return add(app, rule, endpoint, view_func and wrapped(view_func), **named)

    monkeypatch.setattr(flask.Flask, "add_url_rule", patched)
    return lambda answer: seen == ["predict"]


def give_each_sessions(monkeypatch, seen):
    class Sessions(SecureCookieSessionInterface):
        def open_session(self, app, request):
            seen.append(request.path)

    monkeypatch.setattr(flask.Flask, "session_interface", Sessions())
    return lambda answer: seen == ["/predict"]


def give_each_a_request(monkeypatch, seen):
    class Mine(flask.Request):
        mimetype = "text/plain"
        content_type = "text/plain"

    monkeypatch.setattr(flask.Flask, "request_class", Mine)
    return lambda answer: answer.status_code == 415


def give_each_an_answer(monkeypatch, seen):
    class Mine(flask.Response):
        def get_wsgi_headers(self, environ):
            seen.append(environ["PATH_INFO"])
            return super().get_wsgi_headers(environ)

    monkeypatch.setattr(flask.Flask, "response_class", Mine)
    return lambda answer: seen == ["/predict"]


def trust_one_host_in_each(monkeypatch, seen):
    hook_each(monkeypatch, lambda app: app.config.update(TRUSTED_HOSTS=["models.example"]))
    return lambda answer: answer.status_code == 400


EARLIER = [
    trust_one_host_in_each,
    wrap_each_in_middleware,
    end_each_context,
    wrap_each_view,
    give_each_sessions,
    give_each_a_request,
    give_each_an_answer,
]


@pytest.mark.parametrize("change", EARLIER)
def test_what_a_tool_did_to_flask_before_is_obeyed(serve, monkeypatch, change):
    seen = []
    is_done = change(monkeypatch, seen)
    client = serve().test_client()
    seen.clear()
    assert is_done(client.post("/predict", json=ROWS[0]))


def test_the_body_of_a_refused_call_is_freed_with_its_answer(app, client):
    class Body(io.BytesIO):
        """Can be watched."""

    def refused():
        body = Body(b"{}")
        environ = EnvironBuilder(app, "/predict", method="POST", content_type=JSON).get_environ()
        answer = app(environ | {"wsgi.input": body, "CONTENT_LENGTH": "2"}, lambda *_: None)
        assert b"422" in b"".join(answer)
        answer.close()
        return weakref.ref(body)

    refused()  # Flask keeps a little of its first request
    gc.disable()
    try:
        assert refused()() is None
    finally:
        gc.enable()


def test_the_context_of_a_call_can_be_looked_at_in_a_test(app):
    with app.test_client() as client:
        client.post("/predict?partial=false", json=ROWS[0])
        assert flask.request.args["partial"] == "false"
