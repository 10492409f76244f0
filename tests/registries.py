"""A registry that fits in a test: it knows tags and manifests, wants a password, and its tags never change."""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qsl

DIGEST = "sha256:" + "a" * 64
LOGIN = base64.b64encode(b"AWS:password").decode()
IDENTITY = "an identity token"
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
    realm : str
        Where its clients get a token for their login; empty where it takes the login itself. ``/token`` of any such registry
        gives one.
    scope : str
        What it then says that they need.
    old : bool
        Whether the token that it gave last is no longer valid.
    asked : list
        Method, path and headers of each request.
    """

    host: str
    images: dict[str, str] = field(default_factory=dict)
    status: int = 200
    elsewhere: str = ""
    realm: str = ""
    scope: str = 'scope="repository:{name}:{granted}"'
    old: bool = False
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)

    def login(self, folder: Path) -> Path:
        """Log in as ``docker login`` does: the folder for DOCKER_CONFIG."""
        (folder / "config.json").write_text(json.dumps({"auths": {self.host: {"auth": LOGIN}}}))
        return folder

    def allows(self, method: str, headers: Message) -> bool:
        """Whether a request for a manifest has what this registry asks for."""
        granted = "pull,push" if method == "PUT" else "pull"
        wanted = f"Bearer may {granted}" if self.realm else f"Basic {LOGIN}"
        return not self.old and headers.get("Authorization") == wanted

    def manifest(self, digest: str) -> bytes:
        """Any bytes, other ones for each image."""
        return f'{{"image": "{digest}"}}'.encode()


class Handler(BaseHTTPRequestHandler):
    def _start(self) -> tuple[SmallRegistry, str, int]:
        registry: SmallRegistry = self.server.registry
        registry.asked.append((self.command, self.path, dict(self.headers)))
        status = registry.status
        if status == 200 and not registry.allows(self.command, self.headers):
            status = 401
        return registry, self.path.rpartition("/")[2], status

    def _token(self, sent: str) -> None:
        """What a realm gives: to a login in its header, or to an identity token in a form."""
        self.server.registry.asked.append((self.command, self.path, dict(self.headers)))
        self.server.registry.old = False
        asked = dict(parse_qsl(sent))
        known = self.headers.get("Authorization") == f"Basic {LOGIN}" or asked.get("refresh_token") == IDENTITY
        right = known and asked.get("service") == "the registry" and asked["scope"].startswith("repository:insurance:")
        name = "access_token" if self.command == "POST" else "token"
        content = json.dumps({name: f"may {asked['scope'].rpartition(':')[2]}"} if right else {}).encode()
        self._end(200 if right else 401, "", content)

    def do_POST(self) -> None:
        self._token(self.rfile.read(int(self.headers["Content-Length"])).decode())

    def do_HEAD(self) -> None:
        if self.path.startswith("/token?"):
            return self._token(self.path.partition("?")[2])
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
        if status == 401:
            self.send_header("WWW-Authenticate", self._challenge())
        if elsewhere := self.server.registry.elsewhere:
            self.send_header("Location", elsewhere)
        if digest:
            self.send_header("Docker-Content-Digest", digest)
            self.send_header("Content-Type", KIND)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _challenge(self) -> str:
        if not self.server.registry.realm:
            return 'Basic realm="the registry"'
        granted = "pull,push" if self.command == "PUT" else "pull"
        name = self.path.removeprefix("/v2/").partition("/manifests/")[0]
        scope = self.server.registry.scope.format(name=name, granted=granted)
        return f'Bearer realm="{self.server.registry.realm}",service="the registry",{scope}'

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
