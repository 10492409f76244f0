"""Any call of ``POST /predict``, plain or not: in front of Flask it is answered as by Flask's route."""

import io
import json
from functools import partial

import hypothesis.strategies as some
import pytest
from hypothesis import given, settings

from bundles import ROWS
from conftest import make_app
from slipway.model.event import to_line

ORIGIN = "https://shop.example"
SETTINGS = f"max_rows: 5, max_body_bytes: 2000, out_of_range: warn, cors_origins: ['{ORIGIN}']"


class Service:
    """One app, and all that a call leaves."""

    def __init__(self, folder, **environ):
        self.app = make_app(folder, serving=SETTINGS, environ=environ)
        self.service = self.app.extensions["slipway"]

    def call(self, environ, body):
        """Status, headers, body, counters, event and access line of one call; an id that was made here is left out."""
        events, lines, started = [], [], []
        recorder = self.service.recorder
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(type(recorder), "is_on", True)
            patch.setattr(recorder, "_write", events.append)
            patch.setattr("slipway.serving.access.write_bytes", lambda descriptor, line: lines.append((descriptor, line)))
            given = {**environ, "wsgi.input": io.BytesIO(body)}
            answer = self.app(given, lambda status, headers, failure=None: started.append((status, headers)))
            content = b"".join(answer)
            answer.close()
        [(status, headers)] = started
        own = [(name, value) for name, value in headers if name != "X-Request-ID"]
        [(descriptor, line)] = lines
        access = {name: value for name, value in json.loads(line).items() if name not in ("at", "ms")}
        found = [json.loads(to_line(event)) | {"at": ""} for event in events]
        if dict(headers)["X-Request-ID"] != environ.get("HTTP_X_REQUEST_ID"):
            for each in (access, *found):
                assert each.pop("id") == dict(headers)["X-Request-ID"]
        return status, sorted(own), content, descriptor, access, found, self.counts()

    def counts(self):
        samples = [sample for family in self.service.metrics.registry.collect() for sample in family.samples]
        return {
            (sample.name, *sorted(sample.labels.items())): sample.value
            for sample in samples
            if sample.name.endswith(("_total", "_count"))
        }


@pytest.fixture(scope="module", params=["", "first"], ids=["open", "with keys"])
def ways(request, tmp_path_factory):
    """The same service twice."""
    keys = {"SLIPWAY_API_KEYS": request.param} if request.param else {}
    make = partial(Service, **keys, SLIPWAY_RELEASE="r1")
    quick = make(tmp_path_factory.mktemp("quick"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("slipway.serving.shortcut.install", lambda app: None)
        return quick, make(tmp_path_factory.mktemp("route"))


def mostly(usual, *others):
    return some.one_of(some.just(usual), some.just(usual), some.sampled_from([usual, *others]))


values = some.one_of(some.none(), some.booleans(), some.integers(-5, 120), some.floats(), some.text(max_size=3))
rows = some.one_of(
    some.sampled_from(ROWS),
    some.sampled_from(ROWS),
    some.builds(
        lambda row, name, value: row | {name: value}, some.sampled_from(ROWS), some.sampled_from([*ROWS[0], "x"]), values
    ),
    values,
)
bodies = some.one_of(
    rows.map(json.dumps).map(str.encode),
    some.lists(rows, max_size=6).map(json.dumps).map(str.encode),
    some.binary(max_size=20),
    some.sampled_from([b"", b"[" * 1000, b" " * 2001, b"\xef\xbb\xbf" + json.dumps(ROWS[0]).encode(), b'{"age": 1e999}']),
)
queries = mostly(
    "",
    "partial=true",
    "partial=TRUE&partial=false",
    "partial=1",
    "interval=0.9",
    "interval=0.5",
    "interval=&a=%ff",
    "%",
    "\xff=1",
)
environs = some.fixed_dictionaries(
    {
        "REQUEST_METHOD": mostly("POST", "GET", "OPTIONS", "HEAD", "PUT"),
        "PATH_INFO": mostly("/predict", "/predict/", "//predict", "/what-if", "/"),
        "QUERY_STRING": queries,
        "CONTENT_TYPE": mostly(
            "application/json", "application/json; charset=utf-8", "application/json;charset=latin-1", "text/csv", ""
        ),
    },
    optional={
        "HTTP_HOST": mostly("models.example:80", "", "a..b", "x" * 64, ".a", "ä", "[::1]:8080", "a b", "localhost:99999"),
        "HTTP_X_REQUEST_ID": mostly("r-1", "", "a b", "x" * 129),
        "HTTP_X_API_KEY": mostly("first", "wrong", ""),
        "HTTP_AUTHORIZATION": some.sampled_from(["Bearer first", "bearer first", "Basic first", "Bearer"]),
        "HTTP_ORIGIN": mostly(ORIGIN, "https://other.example", "null"),
        "HTTP_CONTENT_ENCODING": some.sampled_from(["gzip", "identity"]),
        "HTTP_TRANSFER_ENCODING": some.sampled_from(["chunked", "identity"]),
        "HTTP_UPGRADE": some.just("websocket"),
        "HTTP_CONNECTION": mostly("keep-alive", "upgrade"),
        "HTTP_ACCEPT": mostly("*/*", "text/html"),
    },
)
lengths = mostly("exact", "longer", "shorter", "none", "-1", "+5", "1_0", "٣", "9" * 20, "9" * 5000, "")


@given(environ=environs, body=bodies, length=lengths)
@settings(max_examples=300)
def test_any_call_leaves_the_same(ways, environ, body, length):
    compare(ways, environ, body, length)


def compare(ways, environ, body, length):
    given = {
        "wsgi.url_scheme": "http",
        "wsgi.input_terminated": True,  # as gunicorn and Slipway's worker say
        "SERVER_NAME": "models.example",
        "SERVER_PORT": "80",
        "SCRIPT_NAME": "",
        **environ,
    }
    announced = {"exact": len(body), "longer": len(body) + 1, "shorter": max(len(body) - 1, 0)}.get(length, length)
    if length != "none":
        given["CONTENT_LENGTH"] = str(announced)
    quick, route = (way.call(given, body) for way in ways)
    assert quick == route


@pytest.mark.parametrize(
    "more, length",
    [
        ({"HTTP_TRANSFER_ENCODING": "chunked"}, "shorter"),
        ({"HTTP_UPGRADE": "websocket", "HTTP_CONNECTION": "upgrade"}, "exact"),
        ({"HTTP_HOST": "a..b"}, "exact"),
        ({"HTTP_HOST": "x" * 64}, "exact"),
        ({}, "+5"),
        ({}, "1_0"),
        ({}, "2001"),
        ({"HTTP_ORIGIN": ORIGIN}, "exact"),
        ({"REQUEST_METHOD": "PUT"}, "exact"),
        ({"REQUEST_METHOD": "OPTIONS"}, "exact"),
        ({"HTTP_X_API_KEY": "wrong"}, "exact"),
        ({"QUERY_STRING": "interval=0.5"}, "exact"),
        ({}, "exact"),
    ],
)
def test_a_call_that_is_plain_but_for_one_thing_leaves_the_same(ways, more, length):
    plain = {"REQUEST_METHOD": "POST", "PATH_INFO": "/predict", "CONTENT_TYPE": "application/json", "HTTP_X_API_KEY": "first"}
    compare(ways, plain | {"QUERY_STRING": ""} | more, json.dumps(ROWS[0]).encode(), length)
