"""A stand-in of AWS Lambda's Runtime API: it hands out events, and keeps what is answered."""

import base64
import json
import queue
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from servers import DEADLINE

BASE = "/2018-06-01/runtime"


def event(method: str, path: str, body: bytes | str = "", query: str = "", **headers: str) -> dict[str, Any]:
    """A call as a function URL sends it: text as it is, bytes in base64."""
    is_encoded = isinstance(body, bytes)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {"host": "abc.lambda-url.eu-central-1.on.aws", "x-forwarded-proto": "https"}
        | {name.replace("_", "-"): value for name, value in headers.items()},
        "requestContext": {
            "accountId": "anonymous",
            "domainName": "abc.lambda-url.eu-central-1.on.aws",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "curl"},
            "requestId": "e1506fd5-9e7b-434f-bd42-4f8fa224b599",
            "stage": "$default",
        },
        **({"body": base64.b64encode(body).decode() if is_encoded else body} if body else {}),
        "isBase64Encoded": is_encoded,
    }


@dataclass
class Api:
    """The calls that wait, and the answers that came: where to, and their documents."""

    port: int = 0
    events: "queue.Queue[bytes]" = field(default_factory=queue.Queue)
    answers: "queue.Queue[tuple[str, dict]]" = field(default_factory=queue.Queue)
    count: int = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def put(self, sent: Any) -> None:
        self.events.put(sent if isinstance(sent, bytes) else json.dumps(sent).encode())

    def get(self) -> tuple[str, dict]:
        """The next answer: the last part of its address, and its document."""
        path, document = self.answers.get(timeout=DEADLINE)
        return path.removeprefix(BASE), document

    def call(self, *parts: Any, **headers: str) -> dict:
        """What the function answers to a call."""
        self.put(event(*parts, **headers))
        path, document = self.get()
        assert path == f"/invocation/call-{self.count}/response", (path, document)
        return document


class Handler(BaseHTTPRequestHandler):
    api: Api

    def do_GET(self) -> None:
        assert self.path == f"{BASE}/invocation/next"
        body = self.api.events.get()
        self.api.count += 1
        self._answer(200, body, {"Lambda-Runtime-Aws-Request-Id": f"call-{self.api.count}"})

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.api.answers.put((self.path, json.loads(body)))
        self._answer(202, b'{"status":"OK"}', {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in (headers | {"Content-Length": str(len(body))}).items():
            self.send_header(name, value)
        with suppress(OSError):  # the function was ended while it waited
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def runtime_api() -> Iterator[Api]:
    """The stand-in, on a free port of the loopback."""
    api = Api()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handling", (Handler,), {"api": api}))
    server.daemon_threads = True
    api.port = server.server_port
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield api
    finally:
        api.events.put(b"")  # so that nobody waits for ever
        server.shutdown()
        server.server_close()
        thread.join()
