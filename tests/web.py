"""A small web server whose answers a test chooses."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Web:
    """A small HTTP server: path → (status, document, bytes or address to go on to)."""

    url: str = ""
    pages: dict[str, tuple[int, object]] = field(default_factory=dict)
    calls: list[tuple[str, str | None]] = field(default_factory=list)  # path and Authorization
    sent: dict[str, bytes] = field(default_factory=dict)  # path → body


@contextmanager
def serve_web() -> Iterator[Web]:
    web = Web()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.sent[self.path] = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            web.calls.append((self.path, self.headers.get("Authorization")))
            status, document = web.pages.get(self.path, (404, {}))
            body = document if isinstance(document, bytes) else json.dumps(document).encode()
            self.send_response(status)
            if status in (301, 302):
                self.send_header("Location", document)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_PATCH = do_POST = do_GET

        def do_HEAD(self) -> None:  # of a registry: whether it has an image
            self.send_response(web.pages.get(self.path, (404, {}))[0])
            self.send_header("Docker-Content-Digest", f"sha256:{'0' * 64}")
            self.end_headers()

        def log_message(self, *_) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    web.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield web
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
