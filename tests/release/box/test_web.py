"""What a release answers at its socket, when it is not what it should be."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from slipway.release.box.web import Answer, ask

HEAD = b"HTTP/1.0 200 OK\r\n\r\n"


@contextmanager
def answering(folder: Path, answer: Callable[[socket.socket], None]) -> Iterator[Path]:
    """A socket where one connection is answered like this."""
    path = folder / "web.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                answer(connection)

        thread = threading.Thread(target=serve)
        thread.start()
        yield path
        thread.join()


@pytest.mark.parametrize("body, document", [
    (b'{"bundle": "b"}', {"bundle": "b"}), (b"", None), (b"<html>", None), (b"\xff", None), (b"[" * 100_000, None),
])
def test_a_body_that_is_no_json_is_none(tmp_path, body, document):
    with answering(tmp_path, lambda connection: connection.sendall(HEAD + body)) as path:
        assert ask(path, "/readyz") == Answer(200, document)


@pytest.mark.parametrize("content", [
    b"", b"200 OK\r\n\r\n", b"HTTP/1.0 OK 200\r\n\r\n", b"HTTP/1.0 " + b"2" * 5_000 + b" OK\r\n\r\n",
])
def test_an_answer_that_is_no_http_is_an_error(tmp_path, content):
    with answering(tmp_path, lambda connection: connection.sendall(content)) as path, pytest.raises(OSError, match="no HTTP"):
        ask(path, "/readyz")


def test_an_answer_that_only_trickles_takes_no_longer_than_it_may(tmp_path):
    gone = threading.Event()

    def trickle(connection: socket.socket) -> None:
        for byte in HEAD + b" " * 200:
            if gone.wait(0.01):
                return
            connection.sendall(bytes([byte]))

    with answering(tmp_path, trickle) as path:
        with pytest.raises(TimeoutError):
            try:
                ask(path, "/readyz", seconds=0.2)
            finally:
                gone.set()
