"""An application of one's own that fails, and one that writes to the log."""

import os
import signal
import time

import pytest

from servers import DEADLINE, serve

FAILING = """
def app(environ, start_response):
    path = environ["PATH_INFO"]
    if path in ("/readyz", "/log"):
        environ["wsgi.errors"].write("said by the app\\n")
        start_response("200 OK", [("Content-Length", "0")])
        return []
    if path == "/generated":
        start_response("200 OK", [("Content-Length", "2")])
        return (1 // 0 for _ in range(1))
    raise ValueError("the middleware failed")
"""


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    folder = tmp_path_factory.mktemp("app")
    (folder / "failing.py").write_text(FAILING)
    return "-m", "gunicorn", "--pythonpath", str(folder), "--access-logfile", "-", "failing:app"


def ask(server, path: str, *fields: str) -> bytes:
    with server.connect() as client, client.makefile("rb") as answer:
        client.sendall("\r\n".join([f"GET {path} HTTP/1.1", "Host: x", *fields, "Connection: close", "", ""]).encode())
        return answer.readline()


def test_an_application_that_fails_costs_one_request_a_500_and_no_worker(folder, arguments):
    with serve(folder, *arguments, WEB_CONCURRENCY="1") as server:
        workers = server.workers()
        for path in ("/predict", "/other", "/generated"):  # in the loop, in the pool, and after its head
            for fields in ((), ("A: plain", "A: no more")):
                assert ask(server, path, *fields) == b"HTTP/1.1 500 Internal Server Error\r\n"
        assert server.workers() == workers
        _, out, errors = server.stop()
    assert out.count('" 500 ') == 6 and "AttributeError" not in errors


def test_what_an_application_writes_goes_to_the_log_after_it_was_rotated(folder, arguments, tmp_path):
    log, old = tmp_path / "errors.log", tmp_path / "errors.log.1"
    with serve(folder, *arguments, "--error-logfile", str(log), WEB_CONCURRENCY="1") as server:
        assert ask(server, "/log") == b"HTTP/1.1 200 OK\r\n"
        log.rename(old)
        os.kill(server.workers()[0], signal.SIGUSR1)
        deadline = time.monotonic() + DEADLINE
        while not log.exists():
            assert time.monotonic() < deadline
        assert ask(server, "/log") == b"HTTP/1.1 200 OK\r\n"
    assert log.read_text() == "said by the app\n"
