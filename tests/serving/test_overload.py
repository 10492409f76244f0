"""What comes too late to be answered in time is refused, and what asks whether the service lives is not."""

import json
import os
import socket
from http.client import HTTPConnection

import pytest

from bundles import ROWS
from servers import DEADLINE, serve
from slipway.problem import load_problem
from slipway.serving.overload import LATE_SECONDS, LONGEST_STEP, Backlog, Overload
from slipway.serving.plain_head import PlainRequest

ALWAYS_LATE = "import slipway.serving.overload as o; o.LATE_SECONDS = -1; import gunicorn.app.wsgiapp as g; g.run()"
SLOW = """
import time
from slipway.serving import overload
from slipway.serving.worker import Worker

Worker.overload = overload.Overload("0" * 12, {}, lambda *counted: None)

def app(environ, start_response):
    said = environ["wsgi.input"].read().decode()
    if said.startswith("/"):
        open(said).read()
    elif said:
        end = time.thread_time() + float(said)
        while time.thread_time() < end:
            pass
    start_response("200 OK", [("Content-Length", "0")])
    return []
"""
ORIGIN = "https://shop.example"
FIELDS = {"Content-Type": "application/json"}


def ask(connection: HTTPConnection, method: str, path: str, body: bytes = b"", **headers: str):
    connection.request(method, path, body, FIELDS | headers)
    answer = connection.getresponse()
    return answer, answer.read()


def late(backlog: Backlog, steps: list[tuple[float, float]]) -> list[bool]:
    """Whether the next request is late after each step that took and computed so many seconds."""
    now, worked = 100.0, 7.0
    backlog.begin(now, worked)
    found = []
    for seconds, computed in steps:
        now, worked = now + seconds, worked + computed
        found.append(backlog.is_late(now, worked))
    return found


def test_a_turn_is_late_after_so_much_work():
    backlog, step = Backlog(), LATE_SECONDS / 4
    assert late(backlog, [(0, 0)] + [(step, step)] * 6) == [False] * 5 + [True] * 2
    assert late(backlog, [(0, 0)]) == [False]


def test_one_long_call_is_work():
    assert late(Backlog(), [(LATE_SECONDS + 0.1, LATE_SECONDS + 0.1)]) == [True]


def test_a_machine_that_stood_still_is_not_overloaded():
    assert late(Backlog(), [(10.0, 0.001)] + [(LONGEST_STEP, 0.0)] * 2) == [False] * 3


def test_refusals_are_counted_together():
    counts = []
    overload = Overload("0" * 12, {}, lambda *counted: counts.append(counted))
    request = PlainRequest("POST", "/predict", "/predict", "", "http", 1, 0, {})
    for _ in range(3):
        overload.refuse(request, closes=False)
    assert counts == []
    overload.tell()
    overload.tell()
    assert counts == [("/predict", 3)]


def refused(overload: Overload, **fields: str) -> list[str]:
    request = PlainRequest("POST", "/predict", "/predict", "", "http", 1, 0, fields)
    return overload.refuse(request, closes=False).decode("latin-1").split("\r\n")


def test_a_page_of_another_origin_may_read_that_it_was_refused():
    overload = Overload("0" * 12, {}, lambda *counted: None, (ORIGIN,))
    ours, theirs = (refused(overload, HTTP_ORIGIN=f"https://{name}.example") for name in ("shop", "other"))
    assert f"Access-Control-Allow-Origin: {ORIGIN}" in ours and "Vary: Origin" in ours
    assert any("Retry-After" in line for line in ours if line.startswith("Access-Control-Expose-Headers: "))
    assert not any("Access-Control" in line for line in theirs) and "Vary: Origin" in theirs
    assert not any("Vary" in line for line in refused(Overload("0" * 12, {}, lambda *counted: None)))


def test_a_release_may_have_a_name_in_latin_1():
    assert "Slipway-Release: zurück" in refused(Overload("0" * 12, {"Slipway-Release": "zurück"}, lambda *counted: None))


def test_a_refusal_is_a_problem_that_says_when_to_ask_again(folder, tmp_path):
    (tmp_path / "artifacts").symlink_to(folder / "artifacts")
    settings = (folder / "slipway.yaml").read_text() + f"serving:\n  cors_origins: {ORIGIN}\n"
    (tmp_path / "slipway.yaml").write_text(settings)
    with serve(tmp_path, "-c", ALWAYS_LATE, "app:app", WEB_CONCURRENCY="1", SLIPWAY_URL_PREFIX="/models") as server:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE)
        row = json.dumps(ROWS[0]).encode()
        answer, body = ask(connection, "POST", "/predict", row, **{"X-Request-ID": "mine", "Origin": ORIGIN})
        kept = connection.sock
        problem = json.loads(body)
        assert (answer.status, problem["status"], problem["title"]) == (503, 503, "Service Unavailable")
        assert answer.headers["Content-Type"] == "application/problem+json"
        assert (answer.headers["Retry-After"], answer.headers["X-Request-ID"]) == ("1", "mine")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        answer, _ = ask(connection, "POST", "/predict", row, **{"X-Request-ID": "not valid"})
        assert (answer.status, len(answer.headers["X-Request-ID"])) == (503, 16)
        assert ask(connection, "POST", "/models/predict", row)[0].status == 503
        assert ask(connection, "GET", "/healthz")[0].status == 200
        assert ask(connection, "GET", "/predict")[0].status == 405
        assert connection.sock is kept
        _, page = ask(connection, "GET", "/metrics")
        assert b'endpoint="/predict",method="POST",status="503"} 3.0' in page
        answer, _ = ask(connection, "POST", "/predict", row, Connection="close")
        assert (answer.status, answer.headers["Connection"], connection.sock) == (503, "close", None)
        _, out, _ = server.stop()
    logged = [json.loads(line) for line in out.splitlines()]
    paths = [line["path"] for line in logged if line["status"] == 503]
    assert paths == ["/predict"] * 4
    assert all(set(line) == {"at", "id", "method", "path", "status", "bundle", "ms", "rows"} for line in logged)
    first = next(line for line in logged if line["status"] == 503)
    assert (first["id"], first["method"], first["rows"]) == ("mine", "POST", 0)


def test_calls_of_further_protocols_are_refused_in_their_words(folder, tmp_path):
    (tmp_path / "artifacts").symlink_to(folder / "artifacts")
    (tmp_path / "slipway.yaml").write_text(
        (folder / "slipway.yaml").read_text() + "serving:\n  protocols: [mlflow, open-inference]\n"
    )
    name = load_problem(tmp_path / "slipway.yaml", environ={}).name
    with serve(tmp_path, "-c", ALWAYS_LATE, "app:app", WEB_CONCURRENCY="1", SLIPWAY_URL_PREFIX="/models") as server:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE)
        answer, metadata = ask(connection, "GET", f"/v2/models/{name}")
        version = json.loads(metadata)["versions"][0]
        found = {}
        for path in ("/invocations", f"/v2/models/{name}/infer", f"/v2/models/{name}/versions/{version}/infer"):
            for prefix in ("", "/models"):
                answer, body = ask(connection, "POST", prefix + path, b"{}")
                assert (answer.status, answer.headers["Retry-After"]) == (503, "1"), path
                assert answer.headers["Content-Type"] == "application/json"
                found[path] = json.loads(body)
        assert ask(connection, "GET", "/ping")[0].status == 200
        _, page = ask(connection, "GET", "/metrics")
        connection.close()
    mlflow, *inference = found.values()
    assert mlflow["error_code"] == "TEMPORARILY_UNAVAILABLE" and mlflow["message"].startswith("Too many requests")
    assert all([*each] == ["error"] and each["error"].startswith("Too many requests") for each in inference)
    models = "/v2/models/<model>"
    for endpoint in ("/invocations", f"{models}/infer", f"{models}/versions/<version>/infer"):
        assert f'endpoint="{endpoint}",method="POST",status="503"}} 2.0'.encode() in page


@pytest.fixture
def slow_server(folder, tmp_path):
    (tmp_path / "slow.py").write_text(SLOW)
    with serve(folder, "-m", "gunicorn", "--pythonpath", str(tmp_path), "slow:app", WEB_CONCURRENCY="1") as server:
        yield server


def test_of_those_that_waited_together_the_last_are_refused_and_the_next_is_answered(slow_server, tmp_path):
    def call(said: str) -> bytes:
        return f"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(said)}\r\n\r\n{said}".encode()

    def status(client: socket.socket) -> bytes:
        return client.recv(1 << 16)[9:12]

    gate = tmp_path / "gate"
    os.mkfifo(gate)
    with slow_server.connect() as first, slow_server.connect() as one, slow_server.connect() as other:
        for client in (first, one, other):
            client.sendall(call(""))
            assert status(client) == b"200"
        first.sendall(call(str(gate)))
        with gate.open("w"):  # opened once the worker reads it: what is sent now waits for it
            for client in (one, other):
                client.sendall(call(str(LATE_SECONDS + 0.1)))
        assert status(first) == b"200"
        assert {status(one), status(other)} == {b"200", b"503"}
        one.sendall(call(""))
        assert status(one) == b"200"
