"""nginx as a cache in front of the service, configured as docs/api.md says."""

import http.client
import json
import re
import threading
import time
from pathlib import Path
from urllib.parse import urlencode

import pytest
from werkzeug.serving import make_server

from bundles import ROWS
from conftest import make_app
from servers import DEADLINE, ROOT, free_port

pytestmark = pytest.mark.docker

PAGE = (ROOT / "docs/api.md").read_text(encoding="utf-8")
[BLOCK] = re.findall(r"```nginx\n(.*?)```", PAGE, re.DOTALL)
START = 'printf %s "$CONFIGURATION" > /tmp/nginx.conf && exec nginx -c /tmp/nginx.conf -g "daemon off;"'
ADDRESS = f"/predict?{urlencode(ROWS[0])}"


class Service:
    """A service whose release a test may change; `calls` are the statuses of what reached it."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.calls = folder, []
        self.release()
        self._server = make_server("127.0.0.1", 0, self._answer, threaded=True)
        self.port = self._server.port
        self._thread = threading.Thread(target=self._server.serve_forever)

    def release(self, weight: float = 250.0, **environ: str) -> None:
        folder = self._folder / f"{weight}"
        folder.mkdir(exist_ok=True)
        weights = [[weight], [30.0], [23000.0], [1.0]]
        self._app = make_app(folder, serving="cache_seconds: 1", environ=environ, weights=weights)

    def _answer(self, environ, start_response):
        def start(status, headers, failure=None):
            self.calls.append(int(status.split()[0]))
            return start_response(status, headers, failure)

        return self._app(environ, start)

    def __enter__(self) -> "Service":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    with Service(tmp_path_factory.mktemp("service")) as made:
        yield made


@pytest.fixture(scope="module")
def nginx(docker, box_image, service):
    """Where nginx answers, and its container."""
    port = free_port()
    block = BLOCK.replace("listen 80;", f"listen 127.0.0.1:{port};").replace("127.0.0.1:8080", f"127.0.0.1:{service.port}")
    assert str(port) in block and str(service.port) in block
    configuration = f"CONFIGURATION=events {{}} http {{ {block} }}"
    with docker.running("--network", "host", "--env", configuration, box_image, "sh", "-c", START) as name:
        deadline = time.monotonic() + DEADLINE
        while True:
            try:
                assert get(port, "/healthz")[0] == 200
                break
            except OSError:
                assert time.monotonic() < deadline
        yield port, name


@pytest.fixture
def port(nginx):
    """Where nginx answers."""
    return nginx[0]


def get(port: int, address: str, method: str = "GET", body: str | None = None, **headers: str):
    """Status, what nginx says of its cache, body and headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE)
    try:
        connection.request(method, address, body, {name.replace("_", "-"): text for name, text in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.headers["X-Cache"], answer.read(), answer.headers
    finally:
        connection.close()


def answered(port: int, *states: str):
    """The first answer of which nginx says one of these: a kept one may be used for a second."""
    deadline = time.monotonic() + DEADLINE
    while (found := get(port, ADDRESS))[1] not in states:
        assert time.monotonic() < deadline
    return found


FRESH = ("MISS", "REVALIDATED", "EXPIRED")


def test_an_answer_is_kept_confirmed_and_replaced_by_that_of_another_bundle(service, port):
    first = get(port, ADDRESS)
    assert first[:2] == (200, "MISS")
    assert answered(port, "HIT")[2] == first[2]
    confirmed = answered(port, *FRESH)
    assert confirmed[:3] == (200, "REVALIDATED", first[2]) and service.calls[-1] == 304
    service.release(251.0)
    replaced = answered(port, *FRESH)
    assert replaced[:2] == (200, "EXPIRED")
    assert json.loads(replaced[2])["bundle"] != json.loads(first[2])["bundle"]
    service.release()
    reverted = answered(port, *FRESH)
    assert reverted[:3] == (200, "EXPIRED", first[2])
    assert reverted[3]["ETag"] == first[3]["ETag"]


def test_a_purged_answer_is_asked_for_again(docker, service, nginx):
    port, name = nginx
    [purge] = re.findall("To purge: `(.*?)`", PAGE)
    answered(port, "HIT", *FRESH)
    docker("exec", name, "sh", "-c", purge)
    before = len(service.calls)
    assert get(port, ADDRESS)[1] == "MISS"
    assert service.calls[before:] == [200]


def test_a_client_s_own_copy_is_confirmed_by_the_cache(service, port):
    tag = answered(port, *FRESH)[3]["ETag"]
    before = len(service.calls)
    assert get(port, ADDRESS, If_None_Match=tag)[0] == 304
    assert len(service.calls) <= before + 1  # one if it was too old by then


def test_nothing_else_is_kept(service, port):
    for call in (
        ("/predict?age=x",),
        ("/healthz",),
        ("/",),
        ("/predict", "POST", json.dumps(ROWS[0])),
    ):
        before = len(service.calls)
        for _ in range(2):
            get(port, *call, Content_Type="application/json")
        assert len(service.calls) == before + 2, call


def test_with_keys_the_cache_in_front_keeps_nothing(service, port):
    service.release(SLIPWAY_API_KEYS="one")
    try:
        address = f"{ADDRESS}&interval=0.9"
        before = len(service.calls)
        assert [get(port, address, X_API_Key=key)[0] for key in ("one", "one", "two")] == [200, 200, 401]
        assert len(service.calls) == before + 3
    finally:
        service.release()
