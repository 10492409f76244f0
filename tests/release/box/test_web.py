"""Asking a release over its socket, and the proxy."""

import json
import re
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from slipway.release.box.web import MOST_BYTES, ask


@contextmanager
def answering(address, *parts: bytes) -> Iterator[tuple[object, list[bytes]]]:
    """A server that answers everything with these parts; its address, and what it was asked."""
    asked: list[bytes] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = b"".join(iter(self.rfile.readline, b"\r\n"))
            length = re.search(rb"Content-Length: (\d+)", head)  # head and body come in two pieces
            asked.append(head + self.rfile.read(int(length[1]) if length else 0))
            with suppress(OSError):  # who asked may have had enough
                for part in parts:
                    self.request.sendall(part)

    kind = socketserver.UnixStreamServer if isinstance(address, str) else socketserver.TCPServer
    with kind(address, Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield (Path(address) if isinstance(address, str) else server.server_address), asked
        server.shutdown()


@pytest.fixture(params=["unix", "tcp"])
def address(request, tmp_path):
    return str(tmp_path / "web.sock") if request.param == "unix" else ("127.0.0.1", 0)


def test_a_question_and_its_answer(address):
    body = json.dumps({"release": "a"}).encode()
    with answering(address, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body), body) as (place, asked):
        answer = ask(place, "/readyz")
    assert (answer.status, answer.document) == (200, {"release": "a"})
    assert asked[0].startswith(b"GET /readyz HTTP/1.1\r\n") and b"Connection: close\r\n" in asked[0]


def test_rows_go_as_json_with_the_key(address):
    with answering(address, b"HTTP/1.1 200 OK\r\n\r\n{}") as (place, asked):
        ask(place, "/predict", {"age": 19}, key="one")
    assert asked[0].startswith(b"POST /predict ") and b"X-API-Key: one\r\n" in asked[0]
    assert b"Content-Type: application/json\r\n" in asked[0]


def test_an_answer_in_chunks_is_one(address):
    head, chunks = b"HTTP/1.1 503 X\r\nTransfer-Encoding: chunked\r\n\r\n", b"4\r\n[1, \r\n2\r\n2]\r\n0\r\n\r\n"
    with answering(address, head, chunks) as (place, _):
        answer = ask(place, "/readyz")
    assert (answer.status, answer.document) == (503, [1, 2])


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"220 mail.example.org\r\n",
        b"HTTP/1.1 x\r\n\r\n",
        b"200 OK\r\n\r\n",
        b"HTTP/1.0 " + b"2" * 5_000 + b" OK\r\n\r\n",
    ],
)
def test_what_is_not_http_is_an_error(address, said):
    with answering(address, said) as (place, _), pytest.raises(OSError):
        ask(place, "/readyz")


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000])
def test_a_body_that_is_not_json_is_none(address, body):
    with answering(address, b"HTTP/1.1 502 Bad Gateway\r\n\r\n", body) as (place, _):
        assert ask(place, "/readyz").document is None


def test_no_more_is_read_than_a_bound(address):
    with answering(address, b"HTTP/1.1 200 OK\r\n\r\n", b'"%s"' % (b"x" * MOST_BYTES)) as (place, _):
        assert ask(place, "/readyz").document is None


def test_nobody_listens(tmp_path):
    with pytest.raises(OSError):
        ask(tmp_path / "web.sock", "/readyz")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(OSError):
            ask(taken.getsockname(), "/readyz")


def test_an_answer_that_only_trickles_takes_no_longer_than_it_may(tmp_path):
    path, gone = tmp_path / "web.sock", threading.Event()

    class Trickle(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(OSError):
                for _ in range(500):  # not for ever: a program without a deadline shall fail here, not hang
                    if gone.wait(0.01):
                        break
                    self.request.sendall(b"H")

    with socketserver.UnixStreamServer(str(path), Trickle) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(TimeoutError):
            ask(path, "/readyz", seconds=0.2)
        gone.set()
        server.shutdown()
