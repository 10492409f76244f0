"""A registry that fits in a test: it knows tags and manifests, wants a password, and its tags never change."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

DIGEST = "sha256:" + "a" * 64
LOGIN = base64.b64encode(b"AWS:password").decode()
KIND = "application/vnd.oci.image.manifest.v1+json"


@dataclass
class SmallRegistry:
    """A running registry.

    Parameters
    ----------
    images : dict
        Tag → digest.
    status : int
        What it answers every request with, instead of looking.
    elsewhere : str
        With a status of 302: where it sends its clients.
    asked : list
        Method, path and headers of each request.
    """

    host: str
    images: dict[str, str] = field(default_factory=dict)
    status: int = 200
    elsewhere: str = ""
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def login(self, folder: Path) -> Path:
        """Log in as ``docker login`` does: the folder for DOCKER_CONFIG."""
        (folder / "config.json").write_text(json.dumps({"auths": {self.host: {"auth": LOGIN}}}))
        return folder

    def manifest(self, digest: str) -> bytes:
        """Any bytes, other ones for each image."""
        return f'{{"image": "{digest}"}}'.encode()


class Handler(BaseHTTPRequestHandler):
    def _start(self) -> tuple[SmallRegistry, str, int]:
        registry: SmallRegistry = self.server.registry
        registry.asked.append((self.command, self.path, dict(self.headers)))
        status = registry.status
        if status == 200 and self.headers.get("Authorization") != f"Basic {LOGIN}":
            status = 401
        return registry, self.path.rpartition("/")[2], status

    def do_HEAD(self) -> None:
        registry, reference, status = self._start()
        digest = registry.images.get(reference, reference if reference in registry.images.values() else "")
        if status == 200 and reference not in registry.images and not digest:
            status = 404
        content = registry.manifest(digest) if status == 200 and self.command == "GET" else b""
        self._end(status, digest if status == 200 else "", content)

    do_GET = do_HEAD

    def do_PUT(self) -> None:
        registry, tag, status = self._start()
        content = self.rfile.read(int(self.headers["Content-Length"]))
        found = [each for each in registry.images.values() if registry.manifest(each) == content]
        if status == 200 and (tag in registry.images or not found or self.headers["Content-Type"] != KIND):
            status = 400
        if status == 200:
            registry.images[tag] = found[0]
            status = 201
        self._end(status, found[0] if status == 201 else "", b"")

    def _end(self, status: int, digest: str, content: bytes) -> None:
        self.send_response(status)
        if elsewhere := self.server.registry.elsewhere:
            self.send_header("Location", elsewhere)
        if digest:
            self.send_header("Docker-Content-Digest", digest)
            self.send_header("Content-Type", KIND)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def serve_registry() -> Iterator[SmallRegistry]:
    """An empty registry."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.registry = SmallRegistry(f"127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
