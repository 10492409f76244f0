import pytest

from bundles import ROWS
from page import TYPED
from slipway.errors import ServingError

ORIGIN = "https://shop.example"


@pytest.mark.parametrize(
    "method, path",
    [
        ("GET", "/"),
        ("GET", "/model"),
        ("GET", "/apidocs/"),
        ("GET", "/apispec.json"),
        ("GET", "/healthz"),
        ("GET", "/metrics"),
        ("GET", "/nothing"),
        ("POST", "/predict"),
        ("GET", "/predict"),
        ("OPTIONS", "/predict"),
        ("GET", "/static/slipway.css"),
        ("GET", "/static/look.css"),
    ],
)
def test_every_answer_is_protected(client, method, path):
    headers = client.open(path, method=method).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    assert "unsafe" not in policy.get("script-src", "")
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_what_changes_is_not_stored(client, path):
    assert client.get(path).headers["Cache-Control"] == "no-store"


def test_predictions_are_not_stored(client):
    assert client.post("/predict", json=ROWS[0]).headers["Cache-Control"] == "no-store"
    assert client.post("/", data=TYPED).headers["Cache-Control"] == "no-store"
    assert client.post("/", data={}).headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path", ["/", "/model", "/report", "/report.html", "/apidocs/", "/apispec.json", "/static/slipway.css", "/static/look.css"]
)
def test_a_page_of_the_release_before_is_not_shown(client, path):
    assert client.get(path).headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "origin, shared",
    [
        (ORIGIN, True),
        ("https://other.example", False),
        ("https://shop.example.evil.example", False),
        ("null", False),
        ("http://shop.example", False),
        ("", False),
    ],
)
def test_only_named_origins_may_call(serve, origin, shared):
    client = serve(serving=f"cors_origins: ['{ORIGIN}']").test_client()
    asked = client.options("/predict", headers={"Origin": origin, "Access-Control-Request-Method": "POST"})
    for answer in (asked, client.post("/predict", json=ROWS[0], headers={"Origin": origin})):
        assert answer.headers.get("Access-Control-Allow-Origin") == (ORIGIN if shared else None)
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "Origin" in answer.headers["Vary"]
    assert ("Content-Type" in asked.headers.get("Access-Control-Allow-Headers", "")) is shared
    assert "Access-Control-Allow-Origin" not in client.get("/", headers={"Origin": origin}).headers


def test_a_preflight_needs_no_key(serve):
    app = serve(serving=f"cors_origins: ['{ORIGIN}']", environ={"SLIPWAY_API_KEYS": "key"})
    assert app.test_client().options("/predict", headers={"Origin": ORIGIN}).status_code == 200


@pytest.mark.parametrize("path", ["/invocations", "/v2/models/regression/infer"])
def test_named_origins_may_call_the_further_protocols(serve, path):
    on = f"protocols: [mlflow, open-inference], cors_origins: ['{ORIGIN}']"
    client = serve(serving=on, environ={"SLIPWAY_API_KEYS": "key"}).test_client()
    for origin, shared in ((ORIGIN, ORIGIN), ("https://other.example", None)):
        asked = {"Origin": origin, "Access-Control-Request-Method": "POST"}
        refused = client.post(path, json={}, headers={"Origin": origin, "X-API-Key": "key"})
        without = client.post(path, json={}, headers={"Origin": origin})
        answers = client.options(path, headers=asked), refused, without
        assert [answer.status_code for answer in answers] == [200, 400, 401]
        assert [answer.headers.get("Access-Control-Allow-Origin") for answer in answers] == [shared] * 3
        assert [answer.headers["Vary"] for answer in answers] == ["Origin"] * 3


def test_a_refusal_is_shared_too(serve):
    client = serve(serving=f"cors_origins: ['{ORIGIN}']").test_client()
    answer = client.post("/predict", json={}, headers={"Origin": ORIGIN})
    assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (422, ORIGIN)


@pytest.mark.parametrize("origin", ["*", "https://*.example", "shop.example", "https://shop.example/", "null"])
def test_what_is_no_origin_is_refused_at_the_start(serve, origin):
    with pytest.raises(ServingError, match="cors_origins"):
        serve(serving=f"cors_origins: ['{origin}']")
