"""Is the image there? Asked of a small registry that remembers what it was asked."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from servers import free_port
from slipway.errors import ReleaseError
from slipway.release.image.registry import find_image

DIGEST = "sha256:" + "a" * 64
LOGIN = base64.b64encode(b"AWS:password").decode()


class Handler(BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.server.asked.append((self.path, self.headers.get("Authorization"), self.headers.get("Accept")))
        status = self.server.status
        if status == 200 and self.headers.get("Authorization") != f"Basic {LOGIN}":
            status = 401
        self.send_response(status)
        if status == 200 and self.server.digest:
            self.send_header("Docker-Content-Digest", self.server.digest)
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.fixture
def registry() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.status, server.digest = [], 200, DIGEST
    server.host = f"127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def environ(registry, tmp_path) -> dict[str, str]:
    (tmp_path / "config.json").write_text(json.dumps({"auths": {registry.host: {"auth": LOGIN}}}))
    return {"DOCKER_CONFIG": str(tmp_path)}


def test_an_image_that_is_there_is_named_by_its_digest(registry, environ):
    assert find_image(registry.host, "team/insurance", "k" * 64, environ) == DIGEST
    [(path, _, accept)] = registry.asked
    assert path == f"/v2/team/insurance/manifests/{'k' * 64}"
    assert "application/vnd.oci.image.index.v1+json" in accept


def test_an_image_that_is_not_there_is_none(registry, environ):
    registry.status = 404
    assert find_image(registry.host, "insurance", "key", environ) is None


def test_without_a_login_it_says_so(registry, tmp_path):
    with pytest.raises(ReleaseError, match="401.*docker login"):
        find_image(registry.host, "insurance", "key", {"DOCKER_CONFIG": str(tmp_path)})


@pytest.mark.parametrize("status", [403, 429, 500, 503])
def test_any_other_answer_is_an_error_and_never_taken_for_absence(registry, environ, status):
    registry.status = status
    with pytest.raises(ReleaseError, match=str(status)):
        find_image(registry.host, "insurance", "key", environ)


def test_an_answer_without_a_digest_is_an_error(registry, environ):
    registry.digest = ""
    with pytest.raises(ReleaseError, match="no digest"):
        find_image(registry.host, "insurance", "key", environ)


def test_a_registry_that_does_not_answer_is_named():
    host = f"127.0.0.1:{free_port()}"
    with pytest.raises(ReleaseError, match=f"{host}: cannot be reached"):
        find_image(host, "insurance", "key", {})


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        "[" * 100_000,
        '{"auths": []}',
        '{"auths": {"HOST": {"auth": "no base64!"}}}',
        '{"auths": {"HOST": {"auth": null}}}',
    ],
)
def test_a_docker_configuration_of_another_form_is_no_login(registry, tmp_path, content):
    (tmp_path / "config.json").write_text(content.replace("HOST", registry.host))
    with pytest.raises(ReleaseError, match="401"):
        find_image(registry.host, "insurance", "key", {"DOCKER_CONFIG": str(tmp_path)})
