"""A real S3 server (moto) in a process of its own, and a way to it that can fail: python s3.py serves until it is killed."""

import os
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import boto3

import slipway
from slipway.store.remote import S3Store, open_remote

KEYS = {
    "AWS_ACCESS_KEY_ID": "AKIATESTTESTTESTTEST",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


@contextmanager
def serve_s3() -> Iterator[str]:
    """The address of an empty S3 server."""
    environ = os.environ | {"PYTHONPATH": str(Path(slipway.__file__).parent.parent)}
    process = subprocess.Popen(
        [sys.executable, __file__], env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.communicate()


@contextmanager
def aws(endpoint: str) -> Iterator[None]:
    """Be a machine with keys of AWS whose S3 is at `endpoint`, and nothing else of AWS in the environment."""
    with patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            del os.environ[name]
        os.environ.update(KEYS, AWS_ENDPOINT_URL=endpoint)
        yield


def client(endpoint: str):
    """A plain client of the server, to look at what is there and to damage it."""
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key="test",
    )


@dataclass
class Call:
    """One call on its way: what a fault sees of it."""

    number: int
    method: str
    path: str

    @property
    def kind(self) -> str:
        """``list``, ``head``, ``get`` or ``put``."""
        return "list" if "list-type=2" in self.path else self.method.lower()


# A fault answers with the bytes to send instead (then the line is cut), or None: pass it on. `forward` calls the server.
Fault = Callable[[Call, Callable[[], bytes]], bytes | None]


def answer(status: str, code: str, message: str = "") -> bytes:
    """An error as S3 words it."""
    body = f'<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'.encode()
    return f"HTTP/1.1 {status} {code}\r\nContent-Type: application/xml\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


SLOW_DOWN = answer("503", "SlowDown", "Please reduce your request rate.")
DENIED = answer("403", "AccessDenied", "Access Denied")


@dataclass
class Proxy:
    """The way to the server: counts calls, and has a fault between."""

    url: str = ""
    fault: Fault = lambda call, forward: None
    calls: list[Call] = field(default_factory=list)


@contextmanager
def proxied(server: str) -> Iterator[Proxy]:
    """A proxy before `server`; its `fault` can be set at any time."""
    proxy = Proxy()
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            self.close_connection = True
            try:
                raw = self.rfile.readline()
                if not raw:
                    return
                self.requestline, self.raw_requestline = "", raw
                if self.parse_request():
                    self._pass()
            except OSError:  # the client was killed
                pass

        def _pass(self) -> None:
            with lock:
                call = Call(len(proxy.calls) + 1, self.command, self.path)
                proxy.calls.append(call)
            if self.headers.get("Expect") == "100-continue":
                self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            length = int(self.headers.get("Content-Length", 0))
            body = self.rfile.read(length)
            if len(body) < length:  # the client was killed
                return
            headers = {name: value for name, value in self.headers.items() if name != "Expect"}

            def forward() -> bytes:
                return _forward(server, self.command, self.path, body, headers)

            sent = proxy.fault(call, forward)
            status, separator, rest = (forward() if sent is None else sent).partition(b"\r\n")
            self.wfile.write(status + separator + (b"Connection: close\r\n" if separator else b"") + rest)

        def log_message(self, *_) -> None:
            pass

    front = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    front.daemon_threads = True
    thread = threading.Thread(target=front.serve_forever, args=(0.01,))
    thread.start()
    proxy.url = f"http://127.0.0.1:{front.server_port}"
    try:
        yield proxy
    finally:
        front.shutdown()
        thread.join()
        front.server_close()


def _forward(server: str, method: str, path: str, body: bytes, headers: dict[str, str]) -> bytes:
    connection = HTTPConnection(server.removeprefix("http://"), timeout=30)
    try:
        connection.request(method, path, body, headers)
        got = connection.getresponse()
        content = got.read()
        lines = [f"HTTP/1.1 {got.status} {got.reason}"]
        lines += [
            f"{name}: {value}"
            for name, value in got.getheaders()
            if name.lower() not in ("transfer-encoding", "connection", "content-length")
        ]
        length = got.headers.get("Content-Length") if method == "HEAD" else len(content)
        lines += [f"Content-Length: {length or 0}", "", ""]
        return "\r\n".join(lines).encode("latin-1") + content
    finally:
        connection.close()


@dataclass
class Bucket:
    """A bucket of one's own: ``name``, the way to it, and a plain client behind that way."""

    name: str
    proxy: Proxy
    client: Any

    @property
    def url(self) -> str:
        return f"s3://{self.name}/models/a"

    def remote(self, url: str = "") -> S3Store:
        """The remote store in it, by way of the proxy."""
        return open_remote(SimpleNamespace(remote=url or self.url))

    def put(self, name: str, content: bytes, **more: str) -> None:
        self.client.put_object(Bucket=self.name, Key=f"models/a/{name}", Body=content, **more)

    def objects(self) -> dict[str, bytes]:
        """All that is there, by key."""
        keys = [each["Key"] for each in self.client.list_objects_v2(Bucket=self.name).get("Contents", [])]
        return {key: self.client.get_object(Bucket=self.name, Key=key)["Body"].read() for key in keys}


@contextmanager
def bucket(server: str) -> Iterator[Bucket]:
    """A bucket, on a machine that reaches it by a proxy."""
    with proxied(server) as proxy, aws(proxy.url):
        made = Bucket(f"bucket-{secrets.token_hex(6)}", proxy, client(server))
        made.client.create_bucket(Bucket=made.name)
        yield made
        made.client.close()


def cut(raw: bytes) -> bytes:
    """An answer whose connection is lost in the middle of its content."""
    start = raw.index(b"\r\n\r\n") + 4
    return raw[: start + (len(raw) - start) // 2]


def flipped(raw: bytes) -> bytes:
    """An answer with a wrong bit in the middle of its content."""
    start = raw.index(b"\r\n\r\n") + 4
    at = start + (len(raw) - start) // 2
    return raw[:at] + bytes([raw[at] ^ 1]) + raw[at + 1 :]


def without_sums(raw: bytes) -> bytes:
    """An answer of a server that makes no sums of objects."""
    return re.sub(rb"(?i)x-amz-checksum-[^\r]*\r\n", b"", raw)


if __name__ == "__main__":
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    # one call at a time: moto compares If-Match and writes in two steps, S3 in one
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), threaded=False)
    print(server.server_port, flush=True)
    server.serve_forever()
