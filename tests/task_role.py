"""The address where ECS gives the containers of a task their credentials."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

from s3 import KEYS

ROLE = {"AccessKeyId": KEYS["AWS_ACCESS_KEY_ID"], "SecretAccessKey": "test", "Token": "t=="}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(ROLE).encode())

    def log_message(self, *_) -> None:
        pass


@contextmanager
def serve_role() -> Iterator[str]:
    """For AWS_CONTAINER_CREDENTIALS_FULL_URI."""
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/role"
        server.shutdown()
