"""Events of AWS Lambda are answered as the service answers the same calls over HTTP."""

import base64
import json
from urllib.parse import urlencode

import pytest

from bundles import ROWS
from lambda_api import event
from many_rows import many_rows
from slipway.errors import ServingError
from slipway.serving import lambda_events
from slipway.serving.lambda_events import answer_event

COUNT = 2_000
OWN = {"x-request-id", "content-length", "date"}


def answered(app, *parts, **headers) -> dict:
    return json.loads(answer_event(app, json.dumps(event(*parts, **headers)).encode(), "call-1"))


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize("kind", [str, bytes])
def test_rows_are_answered_to_the_last_bit(serve, task, kind):
    app = serve(task)
    rows = json.dumps(many_rows(COUNT))
    answer = answered(app, "POST", "/predict", rows if kind is str else rows.encode(), content_type="application/json")
    expected = app.test_client().post("/predict", data=rows, content_type="application/json")
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert answer["body"] == expected.text


TABLE = "age,bmi,smoker,joined,ütf\n19,27.9,yes,2020-01-01,ß\n"
CALLS = [
    ("GET", "/readyz", "", "", {}),
    ("GET", "/", "", "", {"accept": "text/html"}),
    ("GET", "/nowhere", "", "", {}),
    ("PUT", "/predict", "", "", {}),
    ("GET", "/static/page.css", "", "", {}),
    ("POST", "/predict", json.dumps([ROWS[0], {}]), "partial=true&interval=0.9", {"content_type": "application/json"}),
    ("POST", "/predict", json.dumps({"age": 19.5}), "", {"content_type": "application/json"}),
    ("POST", "/predict", "{", "", {"content_type": "application/json"}),
    ("POST", "/predict", "", "", {}),
    ("POST", "/predict/file", TABLE, "", {"content_type": "text/csv"}),
    ("POST", "/predict/file", TABLE.encode(), "", {"content_type": "text/csv; charset=utf-8"}),
    ("POST", "/predict/file", b"\xff\xfe", "", {"content_type": "text/csv"}),
    ("POST", "/predict", urlencode({"age": 19}), "", {"content_type": "application/x-www-form-urlencoded"}),
]


@pytest.mark.parametrize("method, path, body, query, headers", CALLS)
def test_any_call_is_answered_as_over_http(app, method, path, body, query, headers):
    answer = answered(app, method, path, body, query, **headers)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    base = "https://abc.lambda-url.eu-central-1.on.aws"
    expected = app.test_client().open(path, base_url=base, method=method, data=body, query_string=query, headers=sent)
    assert answer["statusCode"] == expected.status_code
    content = base64.b64decode(answer["body"]) if answer["isBase64Encoded"] else answer["body"].encode()
    assert content == expected.data
    theirs = {name: value for name, value in expected.headers.items() if name.lower() not in OWN}
    assert {name: value for name, value in answer["headers"].items() if name.lower() not in OWN} == theirs


def test_bytes_that_are_no_text_are_sent_in_base64():
    def application(environ, start):
        start("200 OK", [("Content-Type", "image/png")])
        return [b"\x89PNG", b"\xff"]

    answer = answered(application, "GET", "/icon.png")
    assert answer["isBase64Encoded"] and base64.b64decode(answer["body"]) == b"\x89PNG\xff"


def test_a_call_has_the_id_of_lambda_unless_it_has_its_own(app):
    assert answered(app, "GET", "/healthz")["headers"]["X-Request-ID"] == "call-1"
    assert answered(app, "GET", "/healthz", x_request_id="mine")["headers"]["X-Request-ID"] == "mine"


def test_a_header_with_an_underscore_cannot_pass_for_another(app):
    sent = event("GET", "/healthz", x_request_id="mine")
    sent["headers"]["x_request_id"] = "another"
    answer = json.loads(answer_event(app, json.dumps(sent).encode(), "call-1"))
    assert answer["headers"]["X-Request-ID"] == "mine"


def test_names_in_other_scripts_arrive(app):
    answer = answered(app, "GET", "/%C3%BCmlaut", accept="application/json", x_note="Ζωή")
    assert answer["statusCode"] == 404


def test_keys_are_required_as_elsewhere(serve):
    app = serve(environ={"SLIPWAY_API_KEYS": "first"})
    call = ("POST", "/predict", json.dumps(ROWS[0]))
    assert answered(app, *call, content_type="application/json")["statusCode"] == 401
    assert answered(app, *call, content_type="application/json", authorization="Bearer first")["statusCode"] == 200


def test_an_answer_that_lambda_would_not_deliver_is_refused(app, monkeypatch):
    monkeypatch.setattr(lambda_events, "MOST_BYTES", 2_000)
    call = ("POST", "/predict", json.dumps(ROWS * 20))
    answer = answered(app, *call, content_type="application/json")
    assert answer["statusCode"] == 413 and "Send fewer rows" in json.loads(answer["body"])["detail"]
    assert answered(app, "GET", "/healthz")["statusCode"] == 200


def test_an_answer_is_closed_even_if_it_fails():
    closed = []

    class Broken:
        def __iter__(self):
            raise OSError

        def close(self):
            closed.append(True)

    def application(environ, start):
        start("200 OK", [])
        return Broken()

    with pytest.raises(OSError):
        answered(application, "GET", "/")
    assert closed == [True]


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"age": 19}',
        b'{"requestContext": {"http": {}}}',
        json.dumps({"version": "1.0", "path": "/", "httpMethod": "GET", "headers": {}, "requestContext": {}}).encode(),
        json.dumps(event("POST", "/predict") | {"body": "%%%", "isBase64Encoded": True}).encode(),
        json.dumps(event("POST", "/predict") | {"body": 5}).encode(),
        json.dumps(event("POST", "/predict") | {"headers": {"a": None}}).encode(),
    ],
)
def test_another_event_is_refused(app, sent):
    with pytest.raises(ServingError, match="payload format 2.0"):
        answer_event(app, sent, "call-1")
