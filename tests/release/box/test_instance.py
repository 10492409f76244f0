"""Who a box is for AWS."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from slipway.errors import ReleaseError
from slipway.release.box.instance import Credentials, identify

KEYS = {"AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "eu-west-1"}
ROLE = "/latest/meta-data/iam/security-credentials/"
GIVEN = {"AccessKeyId": "ASIA", "SecretAccessKey": "hidden", "Token": "t==", "Expiration": "2026-11-22T18:00:00Z"}
PAGES = {ROLE: "box-role\n", f"{ROLE}box-role": json.dumps(GIVEN), "/latest/meta-data/placement/region": "eu-north-1"}


@contextmanager
def metadata(pages: dict[str, str]) -> Iterator[dict[str, str]]:
    """The environment of an instance whose metadata service answers these pages, to who has asked for a token first."""

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            known = self.path == "/latest/api/token" and self.headers["X-aws-ec2-metadata-token-ttl-seconds"]
            self.reply(200 if known else 400, "a-token")

        def do_GET(self) -> None:
            if self.headers["X-aws-ec2-metadata-token"] != "a-token":
                return self.reply(401, "")
            self.reply(200 if self.path in pages else 404, pages.get(self.path, ""))

        def reply(self, status: int, text: str) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(text.encode())

        def log_message(self, *_) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield {"AWS_EC2_METADATA_SERVICE_ENDPOINT": f"http://127.0.0.1:{server.server_port}"}
        server.shutdown()


def test_keys_of_the_environment_come_first():
    assert identify(KEYS) == (Credentials("AKIA", "secret"), "eu-west-1")
    assert identify(KEYS | {"AWS_SESSION_TOKEN": "t"})[0].token == "t"


def test_an_instance_has_its_role_and_its_region_and_no_proxy_is_asked(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with metadata(PAGES) as environ:
        assert identify(environ) == (Credentials("ASIA", "hidden", "t=="), "eu-north-1")
        assert identify(environ | {"AWS_REGION": "eu-west-1"})[1] == "eu-west-1"


@pytest.mark.parametrize(
    "pages", [{}, {ROLE: ""}, {ROLE: "box-role", f"{ROLE}box-role": "{}"}, {ROLE: "box-role", f"{ROLE}box-role": "[]"}]
)
def test_an_instance_without_a_role_is_told_what_to_do(pages):
    with metadata(pages) as environ, pytest.raises(ReleaseError, match="Give the instance a role"):
        identify(environ)


def test_secrets_are_not_shown():
    assert "hidden" not in repr(Credentials("ASIA", "hidden", "hidden"))
