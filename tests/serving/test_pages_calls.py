import json
import shlex
import subprocess
import sys
import threading
from functools import partial

import pytest
from werkzeug.serving import make_server

from page import TYPED, Page, start
from slipway.model.encoding import Encoding, Output
from slipway.table.schema import Feature, Field, Schema

HOSTILE = '<script>alert("\'&amp;\\")</script>'
LEVELS = ("it's", 'it\'s "new" \\', "$(\nid)", HOSTILE)
STRANGE = Schema(
    (
        Field(HOSTILE, "number", minimum=0, maximum=9.5, example=1.5),
        Field("a'b & $HOME `id`", "category", levels=LEVELS, example="it's"),
    )
)
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
        scripts = Page(answer.text).all("script")
        assert all(each["src"].startswith("/static/") and not text for each, text in scripts), "only the page's own"
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


def test_names_and_levels_do_not_turn_what_follows(serve):
    turn, level = "inc\u202eome", "\u2067yes"
    schema = Schema((Field(turn, "number", minimum=0, maximum=9.5, example=1.5), Field("x", "category", levels=("no", level))))
    encoding = Encoding(schema, tuple(Output("value", turn) for _ in range(4)))
    client = serve(schema=schema, encoding=encoding, rows=[{turn: 1.5, "x": level}]).test_client()
    row = {turn: "2.5", "x": level}
    answered = client.post("/", data=row)
    assert Page(answered.text).form == row
    assert json.loads(shlex.split(Page(answered.text).one("pre", id="curl")[1])[-1]) == row | {turn: 2.5}
    refused = client.post("/", data={turn: "x", "x": "no", "colour\u202d": "red"})
    for answer in (answered, refused, client.get("/model")):
        text = Page(answer.text).one("body")[1]
        assert "inc\\u202eome" in text and "\\u2067yes" in text
        assert not {"\u202d", "\u202e", "\u2067"} & set(text)


def test_a_long_name_is_shortened_with_its_whole_text_at_hand(serve):
    name = "How satisfied are you with " + "the service " * 30 + "in May?"
    schema = Schema((Field(name, "number", minimum=0, maximum=9.5, example=1.5),))
    encoding = Encoding(schema, tuple(Output("value", name) for _ in range(4)))
    client = serve(schema=schema, encoding=encoding, rows=[{name: 1.5}]).test_client()
    for answer in (client.get("/"), client.post("/", data={name: "2.5"}), client.post("/", data={name: "x"})):
        page = Page(answer.text)
        assert name in page.form
        shown = [text for each, text in page.all("bdi", title=name)]
        assert shown and all(len(text) == 120 and text[:20] == name[:20] and text.endswith("May?") for text in shown)


def test_the_model_card_says_what_is_computed_and_no_door_asks_for_it(serve):
    features = (Feature("x\u202e<b>", "log(x / 2)"), Feature("band", "bin(x, 0, 5)"))
    schema = Schema((Field("x", "number", minimum=0, maximum=9.5, example=1.5),), features)
    outputs = [Output("value", feature.name) for feature in features[:1]] + [Output("level", "band", levels=("0 to 5",))]
    encoding = Encoding(schema, (*outputs, Output("value", "x"), Output("missing", "x")), features)
    client = serve(schema=schema, encoding=encoding, rows=[{"x": 1.5}]).test_client()
    card = client.get("/model").text
    assert {"log(x / 2)", "bin(x, 0, 5)"} <= {text for _, text in Page(card).all("code")}
    assert "\u202e" not in card and "<b>" not in card
    assert set(Page(client.get("/").text).form) == {"x"}
    assert client.post("/predict", json={"x": 2}).status_code == 200
    refused = client.post("/predict", json={"x": 2, "band": "0 to 5"})
    assert refused.status_code == 422 and refused.json["errors"][0]["reason"] == "unknown_field"


def test_a_column_that_training_left_out_may_be_sent_and_is_ignored(serve):
    schema = Schema((Field("x", "number", minimum=0, maximum=9.5),), left_out=(("note", "400 different texts in 400 rows"),))
    client = serve(schema=schema, encoding=Encoding(schema, (Output("value", "x"),) * 4), rows=[{"x": 1.5}]).test_client()
    assert client.post("/predict", json={"x": 2, "note": "call back"}).status_code == 200
    assert client.post("/predict", json={"x": 2, "other": "call back"}).status_code == 422


def test_the_python_program_runs(serve):
    app = strange(serve)
    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        row = {HOSTILE: 2.5, STRANGE.names[1]: 'it\'s "new" \\'}
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
        client.get("/", environ_overrides=under),
        client.post("/", data=TYPED, environ_overrides=under),
    ):
        page = Page(answer.text)
        named = ("src", "href", "action")
        found = [attributes.get(name) for _, attributes, _ in page.elements for name in named]
        addresses = [address for address in found if address and not address.startswith("#")]
        assert addresses and all(address.startswith("/models/charges/") for address in addresses)
        assert "http://localhost/models/charges/predict" in page.one("pre", id="curl")[1]
        assert page.one("a", aria_current="page")[1] == "Predict"
