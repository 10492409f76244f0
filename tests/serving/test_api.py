import io
import json
import os

import pytest

from bundles import ROWS, make_bundle
from slipway.errors import BundleError, ServingError, StoreError
from slipway.problem import load_problem
from slipway.serving.factory import build
from slipway.store.local import LocalStore

ROW = ROWS[0]
JSON = "application/json"


def post(client, content, kind=JSON, **more):
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return client.post("/predict", data=data, content_type=kind, **more)


def assert_problem(answer, status):
    assert answer.status_code == status
    assert answer.content_type == "application/problem+json"
    assert answer.json["type"] == "about:blank"
    assert answer.json["status"] == status
    assert answer.json["title"] and answer.json["detail"]


def test_one_row(client, app):
    answer = post(client, ROW)
    assert answer.status_code == 200
    assert answer.json == {
        "prediction": pytest.approx(1000 + 250 * 19 + 30 * 27.9 + 23000 + 2),
        "bundle": app.extensions["slipway"].digest,
    }


def test_many_rows_keep_their_order(client, app):
    answer = post(client, ROWS)
    single = [post(client, row).json["prediction"] for row in ROWS]
    assert answer.json == {
        "predictions": [{"prediction": value} for value in single],
        "bundle": app.extensions["slipway"].digest,
    }


@pytest.mark.parametrize("task, labels", [("binary", ["N", "Y"]), ("multiclass", ["a", "b", "c"])])
def test_labels_come_with_probabilities(serve, task, labels):
    answer = post(serve(task).test_client(), ROW).json
    assert list(answer["probabilities"]) == labels
    assert sum(answer["probabilities"].values()) == pytest.approx(1)
    assert answer["prediction"] == max(answer["probabilities"], key=answer["probabilities"].get)


def test_warnings_name_what_is_unlike_training(serve):
    answer = post(serve(serving="out_of_range: warn").test_client(), ROW | {"age": 90})
    assert answer.status_code == 200
    assert [warning["field"] for warning in answer.json["warnings"]] == ["age"]


@pytest.mark.parametrize(
    "rows, wrong",
    [
        (ROW | {"age": 1e308}, 1),
        ([ROW, ROW | {"age": 1e308}, ROW | {"bmi": -1e308}], 2),
    ],
)
def test_an_answer_that_is_not_finite_is_refused(serve, rows, wrong):
    weights = [[1e10], [1e10], [1.0], [1.0]]
    answer = post(serve(serving="out_of_range: warn", weights=weights).test_client(), rows)
    assert_problem(answer, 422)
    assert answer.json["errors_total"] == wrong
    assert answer.json["errors"][-1]["row"] == (1 if wrong == 1 else 3)


@pytest.mark.parametrize(
    "kind",
    [
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "text/json",
        "application/json; charset=latin-1",
        "application/json; charset=utf-16",
        "multipart/form-data; boundary=x",
        "nonsense",
        "application/jsonx",
    ],
)
def test_another_content_type_is_refused(client, kind):
    assert_problem(post(client, ROW, kind), 415)


@pytest.mark.parametrize(
    "kind",
    [
        "application/json; charset=utf-8",
        "application/json;charset=UTF-8",
        "Application/JSON",
    ],
)
def test_json_in_utf_8_is_taken(client, kind):
    assert post(client, ROW, kind).status_code == 200


def test_a_compressed_body_is_refused(client):
    assert_problem(post(client, ROW, headers={"Content-Encoding": "gzip"}), 415)


@pytest.mark.parametrize(
    "content, status",
    [
        (b"", 400),
        (b"{", 400),
        (b"\xff", 400),
        (b"[" * 5_000, 400),
        (b"[" * 50_000, 413),
        ([], 422),
        (7, 422),
        ([ROW] * 10_001, 413),
    ],
)
def test_other_bad_bodies_are_refused(client, content, status):
    assert_problem(post(client, content), status)


@pytest.mark.parametrize("path", ["/predict", "/what-if", "/predict/file"])
def test_a_query_that_is_not_utf_8_is_refused(client, path):
    kind, content = ("text/csv", b"age\n1\n") if path == "/predict/file" else (JSON, json.dumps(ROW).encode())
    answer = client.post(path, data=content, content_type=kind, environ_overrides={"QUERY_STRING": "interval=\xff"})
    assert_problem(answer, 400)


def test_wrong_fields_are_named_without_the_data(client):
    answer = post(client, [ROW, ROW | {"age": "secret-1", "smoker": "secret-2", "joined": "secret-3"}])
    assert_problem(answer, 422)
    assert [(error["row"], error["field"]) for error in answer.json["errors"]] == [
        (2, "age"),
        (2, "smoker"),
        (2, "joined"),
    ]
    assert answer.json["errors_total"] == 3
    assert "secret" not in answer.text


def test_a_body_beyond_the_limit_is_not_read(serve):
    client = serve(serving="max_body_bytes: 1024").test_client()

    class Unread:
        def read(self, *_):
            raise AssertionError("the body was read")

    sent = {"wsgi.input": Unread(), "CONTENT_LENGTH": "1025"}
    answer = client.post("/predict", content_type=JSON, environ_overrides=sent)
    assert_problem(answer, 413)
    assert "1024 bytes" in answer.json["detail"]


def test_a_body_without_a_length_is_read_up_to_the_limit(serve):
    client = serve(serving="max_body_bytes: 1024").test_client()
    read = []

    class Endless:
        def read(self, size=-1):
            read.append(size)
            assert len(read) < 10, "the body is read without end"
            return b" " * min(size, 1000)

    sent = {"wsgi.input": Endless(), "wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = client.post("/predict", content_type=JSON, environ_overrides=sent)
    assert_problem(answer, 413)


@pytest.mark.parametrize(
    "path, kind, content",
    [
        ("/predict", JSON, json.dumps(ROW).encode()),
        ("/predict/file", "text/csv", b"age,bmi,smoker,joined\n"),
    ],
)
def test_half_a_body_is_refused(client, path, kind, content):
    sent = {"wsgi.input": io.BytesIO(content), "wsgi.input_terminated": True, "CONTENT_LENGTH": str(len(content) + 1)}
    answer = client.post(path, content_type=kind, environ_overrides=sent)
    assert_problem(answer, 400)
    assert "ended before" in answer.json["detail"]


@pytest.mark.parametrize(
    "method, path, status",
    [
        ("GET", "/predict", 405),
        ("DELETE", "/predict", 405),
        ("GET", "/predict/file", 405),
        ("POST", "/healthz", 405),
        ("GET", "/nothing", 404),
        ("POST", "/nothing", 404),
        ("GET", "/train", 404),
        ("GET", "/predict/", 404),
    ],
)
def test_other_addresses_and_methods(client, method, path, status):
    answer = client.open(path, method=method)
    assert_problem(answer, status)
    assert ("Allow" in answer.headers) == (status == 405)


@pytest.mark.parametrize(
    "accept, kind",
    [
        ("text/html,application/xhtml+xml", "text/html"),
        ("*/*", "application/problem+json"),
        ("", "application/problem+json"),
    ],
)
def test_a_browser_gets_a_page(client, accept, kind):
    assert client.get("/nothing", headers={"Accept": accept}).mimetype == kind
    assert client.post("/predict", headers={"Accept": accept}).mimetype == "application/problem+json"


@pytest.mark.parametrize("host", ["a..b", "x" * 64])
@pytest.mark.parametrize("path", ["/", "/nothing", "/predict"])
def test_a_host_that_cannot_be_one_is_refused(client, path, host):
    assert_problem(client.get(path, headers={"Host": host, "Accept": "text/html"}), 400)


def test_a_failure_says_nothing_of_the_data(client, app, monkeypatch, capfd):
    def fail(*_):
        raise ValueError("secret value")

    monkeypatch.setattr(app.extensions["slipway"], "answer", fail)
    answer = post(client, ROW)
    assert_problem(answer, 500)
    logged = capfd.readouterr().err
    assert "secret" not in answer.text + logged
    assert "ValueError" in logged and "test_api.py" in logged and answer.headers["X-Request-ID"] in logged


@pytest.mark.parametrize(
    "headers, status",
    [
        ({}, 401),
        ({"X-API-Key": "third"}, 401),
        ({"X-API-Key": "firs"}, 401),
        ({"X-API-Key": ""}, 401),
        ({"Authorization": "Bearer"}, 401),
        ({"Authorization": "Basic first"}, 401),
        ({"X-API-Key": "first,second"}, 401),
        ({"X-API-Key": "first"}, 200),
        ({"X-API-Key": "second"}, 200),
        ({"Authorization": "Bearer second"}, 200),
        ({"Authorization": "bearer first"}, 200),
    ],
)
def test_keys(serve, headers, status):
    client = serve(environ={"SLIPWAY_API_KEYS": " first, second,"}).test_client()
    answer = post(client, ROW, headers=headers)
    assert answer.status_code == status
    assert client.get("/metrics", headers=headers).status_code == status
    table = client.post("/predict/file", data=b"", content_type="text/csv", headers=headers)
    assert (table.status_code == 401) == (status == 401)
    if status == 401:
        assert_problem(answer, 401)
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/", "/model", "/apidocs/", "/apispec.json"])
def test_open_without_a_key(serve, path):
    assert serve(environ={"SLIPWAY_API_KEYS": "key"}).test_client().get(path).status_code == 200


@pytest.mark.parametrize("keys", [",", " , "])
def test_a_service_meant_to_be_closed_does_not_start_open(serve, keys):
    with pytest.raises(ServingError, match="contains no key"):
        serve(environ={"SLIPWAY_API_KEYS": keys})


def test_health(client, app):
    assert client.get("/healthz").json == {"status": "alive"}
    assert client.get("/readyz").json == {"status": "ready", "bundle": app.extensions["slipway"].digest}


def test_a_golden_prediction_that_differs_is_not_ready(serve, monkeypatch):
    app = serve()
    (member,) = app.extensions["slipway"].predictor._members
    monkeypatch.setattr(member, "_base", member._base + 1)
    answer = app.test_client().get("/readyz")
    assert_problem(answer, 503)
    assert "golden prediction 1" in answer.json["detail"]


def test_the_golden_rows_are_replayed_once(client, app, monkeypatch):
    replays = []
    monkeypatch.setattr(app.extensions["slipway"].predictor, "replay", lambda: replays.append(1))
    assert [client.get("/readyz").status_code for _ in range(3)] == [200] * 3
    assert len(replays) == 1


def test_a_forked_child_loads_the_model_itself(app):
    service = app.extensions["slipway"]
    predictor = service.predictor
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.write(writing, b"same" if service.predictor is predictor else b"own")
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reading, 10) == b"own"
    assert service.predictor is predictor


def test_without_a_champion_it_does_not_start(tmp_path):
    (tmp_path / "slipway.yaml").write_text("name: regression\nsource: t.csv\ntarget: charges\n")
    problem = load_problem(tmp_path / "slipway.yaml", environ={})
    with pytest.raises(StoreError, match="champion.json: no champion yet. Run slipway train"):
        build(problem, {})
    store = LocalStore(tmp_path / "artifacts")
    make_bundle(store, "binary")
    with pytest.raises(BundleError, match="belongs to the problem binary, not to regression. Run slipway train"):
        build(problem, {})
    bundle = make_bundle(store, "regression")
    (bundle.folder / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(BundleError, match="model.onnx"):
        build(problem, {})
