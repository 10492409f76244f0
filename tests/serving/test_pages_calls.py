import json
import shlex
import subprocess
import sys
import threading
from functools import partial

import pytest
from werkzeug.serving import make_server

from page import TYPED, Page, start
from slipway.encoding import Encoding, Output
from slipway.schema import Field, Schema

HOSTILE = "<script>alert(\"'&amp;\\\")</script>"
LEVELS = ("it's", "it's \"new\" \\", "$(id)\n", HOSTILE)
STRANGE = Schema((
    Field(HOSTILE, "number", minimum=0, maximum=9.5, example=1.5),
    Field("a'b & $HOME `id`", "category", levels=LEVELS, example="it's"),
))
STRANGE_ENCODING = Encoding(STRANGE, tuple(Output("value", HOSTILE) for _ in range(4)))


@pytest.fixture
def serve(tmp_path):
    return partial(start, tmp_path)


def strange(serve):
    rows = [{HOSTILE: 1.5, STRANGE.names[1]: level} for level in LEVELS]
    return serve(schema=STRANGE, encoding=STRANGE_ENCODING, rows=rows)


def test_hostile_names_and_levels_are_only_text(serve):
    client = strange(serve).test_client()
    page = Page(client.get("/").text)
    assert page.form == {HOSTILE: "1.5", STRANGE.names[1]: "it's"}
    for level in LEVELS:
        answer = client.post("/", data=page.form | {STRANGE.names[1]: level.replace("\n", "\r\n")})
        assert answer.status_code == 200
        assert len(Page(answer.text).all("script")) == 1, "only the page's own"
    assert HOSTILE not in client.get("/model").text
    assert HOSTILE not in client.post("/", data={HOSTILE: HOSTILE}).text


@pytest.mark.parametrize("level", LEVELS)
def test_the_curl_line_is_the_same_call(serve, level):
    client = strange(serve).test_client()
    row = {HOSTILE: 2.5, STRANGE.names[1]: level}
    page = Page(client.post("/", data=row).text)
    command = page.one("pre", id="curl")[1]
    curl = 'curl() { printf "%s\\0" "$@"; }\n'
    said = subprocess.run(["sh", "-c", curl + command], capture_output=True, text=True, check=True).stdout
    url, option, header, flag, body = said.split("\0")[:-1]
    assert shlex.split(command) == ["curl", url, option, header, flag, body]
    assert url == "http://localhost/predict"
    assert (option, header, flag) == ("-H", "Content-Type: application/json", "-d")
    assert json.loads(body) == row
    answer = client.post("/predict", data=body, content_type="application/json")
    assert str(answer.json["prediction"]) == page.one("data")[0]["value"]


def test_the_python_program_runs(serve):
    app = strange(serve)
    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        row = {HOSTILE: 2.5, STRANGE.names[1]: "it's \"new\" \\"}
        page = Page(app.test_client().post("/", data=row, base_url=f"http://127.0.0.1:{server.port}").text)
        program = [sys.executable, "-c", page.one("pre", id="python")[1]]
        done = subprocess.run(program, capture_output=True, text=True, timeout=60, check=True)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert f"'prediction': {page.one('data')[0]['value']}" in done.stdout


def test_everything_stays_behind_a_prefix(serve):
    client = serve().test_client()
    under = {"SCRIPT_NAME": "/models/charges"}
    for answer in (
        client.get("/", environ_overrides=under), client.post("/", data=TYPED, environ_overrides=under),
    ):
        page = Page(answer.text)
        named = ("src", "href", "action")
        found = [attributes.get(name) for _, attributes, _ in page.elements for name in named]
        addresses = [address for address in found if address and not address.startswith("#")]
        assert addresses and all(address.startswith("/models/charges/") for address in addresses)
        assert "http://localhost/models/charges/predict" in page.one("pre", id="curl")[1]
        assert page.one("a", aria_current="page")[1] == "Predict"
