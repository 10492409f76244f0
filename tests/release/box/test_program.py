"""What the release program tells outside of the box."""

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from slipway.release.box.configuration import Configuration
from slipway.release.box.program import Log, _tell


@contextmanager
def answering(content: bytes) -> Iterator[str]:
    """The URL of a server that answers everything with these bytes."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            head = b"".join(iter(self.rfile.readline, b"\r\n"))
            self.rfile.read(int(re.search(rb"Content-Length: (\d+)", head, re.IGNORECASE)[1]))  # a piece of its own
            self.request.sendall(content)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


def test_a_webhook_that_does_not_speak_http_is_a_warning(capsys):
    with answering(b"220 mail.example.org ESMTP\r\n") as url:
        assert _tell(Configuration("registry.example.org/a", webhook=url), "a", Log(), True, "release is live") is False
    assert "warning: calling the webhook failed (BadStatusLine)" in capsys.readouterr().out


def test_a_webhook_that_takes_it_was_told():
    with answering(b"HTTP/1.1 204 No Content\r\n\r\n") as url:
        assert _tell(Configuration("registry.example.org/a", webhook=url), "a", Log(), True, "release is live") is True
