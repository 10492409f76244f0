"""Who a task is for AWS."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from slipway.errors import ReleaseError
from slipway.release.box.instance import Credentials
from slipway.release.fargate import log_credentials
from slipway.release.fargate.log_credentials import identify_task

GIVEN = {"AccessKeyId": "ASIA", "SecretAccessKey": "hidden", "Token": "t==", "Expiration": "2026-11-22T18:00:00Z"}
PATH = "/v2/credentials/11111111-2222"
ENVIRON = {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": PATH, "AWS_REGION": "eu-west-1"}


@pytest.fixture
def answers(monkeypatch) -> Iterator[dict[str, str]]:
    """What the address of ECS answers, by path; a proxy that the environment names is of no use."""
    pages: dict[str, str] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in pages else 404)
            self.end_headers()
            self.wfile.write(pages.get(self.path, "").encode())

        def log_message(self, *_) -> None:
            pass

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        monkeypatch.setattr(log_credentials, "ECS", f"http://127.0.0.1:{server.server_port}")
        yield pages
        server.shutdown()


def test_a_task_has_its_role_and_its_region(answers):
    answers[PATH] = json.dumps(GIVEN)
    assert identify_task(ENVIRON) == (Credentials("ASIA", "hidden", "t=="), "eu-west-1")
    whole = {"AWS_CONTAINER_CREDENTIALS_FULL_URI": log_credentials.ECS + PATH, "AWS_REGION": "eu-west-1"}
    assert identify_task(whole) == identify_task(ENVIRON)


@pytest.mark.parametrize(
    ("environ", "page"),
    [
        ({"AWS_REGION": "eu-west-1"}, json.dumps(GIVEN)),  # in no task
        ({"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": PATH}, json.dumps(GIVEN)),
        (ENVIRON, "{}"),
        (ENVIRON, "not JSON"),
        (ENVIRON | {"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/other"}, json.dumps(GIVEN)),
    ],
)
def test_without_a_role_or_a_region_there_is_a_cure_and_no_secret_in_it(answers, environ, page):
    answers[PATH] = page
    with pytest.raises(ReleaseError, match="Run it in a task of ECS with a task role") as caught:
        identify_task(environ)
    assert "hidden" not in str(caught.value)
