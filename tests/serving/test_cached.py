"""``GET /predict``: the answers of ``POST /predict``, for caches to keep until something else would be answered."""

import json
from functools import partial
from http.client import HTTPConnection
from urllib.parse import quote, urlencode

import pytest
import schemathesis
from flask.testing import EnvironBuilder
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.specs.openapi.checks import negative_data_rejection

from bundles import ROWS, SCHEMA
from many_rows import many_rows
from page import start
from servers import DEADLINE
from servers import serve as server_of
from slipway.model.encoding import Encoding, Output
from slipway.model.event import read_events
from slipway.serving.factory import build
from slipway.table.schema import Field, Schema

load_all_checks()
ON = "cache_seconds: 60"
ORIGIN = "https://shop.example"


def asked(row, **arguments) -> str:
    """The address of a row."""
    cells = {name: "" if value is None else value for name, value in row.items()}
    return f"/predict?{urlencode(cells | arguments, quote_via=quote)}"


@pytest.fixture
def cached(serve):
    """A client of a service with this on."""
    return serve(serving=ON).test_client()


@pytest.fixture
def first(cached):
    """The answer to the first row."""
    return cached.get(asked(ROWS[0]))


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_many_answers_are_those_of_the_other_call_to_the_last_bit(tmp_path, task):
    lines = "id: [customer]\nserving: {cache_seconds: 60, unknown_levels: warn, out_of_range: warn}\n"
    app = start(tmp_path, task, lines)
    client, environ = app.test_client(), EnvironBuilder(app, "/predict").get_environ()
    rows = [row | {"customer": f"c-{place}"} for place, row in enumerate(many_rows(2000))]
    rows[1::50] = [row | {"smoker": "sometimes & ü"} for row in rows[1::50]]
    rows[2::50] = [row | {"bmi": -7.25e-05} for row in rows[2::50]]
    expected = client.post("/predict", json=rows).json["predictions"]
    bundle = {"bundle": app.extensions["slipway"].digest}
    for row, answer in zip(rows, expected, strict=True):
        query = asked(row).partition("?")[2]  # without the client, which takes longer than the service
        found = json.loads(b"".join(app(environ | {"QUERY_STRING": query}, lambda status, headers, failure=None: None)))
        found.pop("warnings", None)
        assert found == answer | bundle, row
    for row in rows[:4]:
        assert client.get(asked(row)).data == client.post("/predict", json=row).data
        assert client.get(asked(row)).data == client.post("/predict", json={k: str(v or "") for k, v in row.items()}).data


def test_it_may_be_kept_for_as_long_as_the_setting_says(first):
    assert first.status_code == 200 and first.mimetype == "application/json"
    assert first.headers["Cache-Control"] == "public, max-age=60"
    assert first.headers["ETag"].startswith('"') and "Vary" not in first.headers


@pytest.mark.parametrize("sent", ["{}", "W/{}", '"other", {}', "*"])
def test_what_a_cache_has_is_confirmed_without_an_answer(cached, first, sent, capfd):
    capfd.readouterr()
    answer = cached.get(asked(ROWS[0]), headers={"If-None-Match": sent.format(first.headers["ETag"])})
    assert (answer.status_code, answer.data) == (304, b"")
    for name in ("ETag", "Cache-Control"):
        assert answer.headers[name] == first.headers[name]
    assert '"rows":0' in capfd.readouterr().out


def test_what_another_row_was_answered_confirms_nothing(cached, first):
    sent = {"If-None-Match": first.headers["ETag"]}
    assert cached.get(asked(ROWS[1]), headers=sent).status_code == 200
    assert cached.get(asked(ROWS[0], interval=0.9), headers=sent).status_code == 200


@pytest.mark.parametrize("sent", [{}, {"If-None-Match": "*"}])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "query, says",
    [
        ("", "missing"),
        ("age=19", "missing"),
        ("age=x&smoker=yes&joined=2020-01-01", "type"),
        ("age=19&smoker=yes&joined=2020-01-01&partial=true", "unknown_field"),
        ("age=19&smoker=yes&joined=2020-01-01&other=", "unknown_field"),
        ("age=19&smoker=yes&joined=2020-01-01&interval=0.3", "interval=0.8"),
        ("age=19&age=20&smoker=yes&joined=2020-01-01", "age 2 times"),
        ("age=19&age=19&smoker=yes&joined=2020-01-01", "age 2 times"),
    ],
)
def test_a_refusal_is_not_kept(cached, query, says, method, sent):
    answer = cached.open(f"/predict?{query}", method=method, headers=sent)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (422, "no-store")
    assert "ETag" not in answer.headers
    assert says in answer.text or method == "HEAD"


@pytest.mark.parametrize("query", ["\xff=1", "age=19&joined=2020-01-01&smoker=M%FCller", "%C3=1", "smoker=%ED%A0%80"])
def test_a_query_that_is_not_utf_8_is_refused(serve, query):
    client = serve(serving=f"{ON}, unknown_levels: warn").test_client()
    assert client.get("/predict", environ_overrides={"QUERY_STRING": query}).status_code == 400


def test_the_order_of_the_cells_and_empty_ones_make_no_other_answer(cached):
    row = ROWS[1]
    tags = {
        cached.get(address).headers["ETag"]
        for address in (
            asked(row),
            asked(dict(reversed(row.items()))),
            asked({name: value for name, value in row.items() if value is not None}),
            asked(row).replace("-", "%2D"),
        )
    }
    assert len(tags) == 1


def test_a_head_computes_no_answer(cached, first, capfd):
    capfd.readouterr()
    head = cached.head(asked(ROWS[0]))
    assert (head.status_code, head.data) == (200, b"") and "Content-Length" not in head.headers
    assert {name: head.headers[name] for name in ("ETag", "Cache-Control", "Content-Type")} == {
        name: first.headers[name] for name in ("ETag", "Cache-Control", "Content-Type")
    }
    assert '"rows":0' in capfd.readouterr().out


OTHER = {"weights": [[251.0], [30.0], [23000.0], [1.0]]}


@pytest.mark.parametrize(
    "lines, environ, bundle",
    [
        ("", {}, OTHER),
        ("", {"SLIPWAY_RELEASE": "0123456789ab"}, {}),
        ("limits: {age: [0, 99]}", {}, {}),
        ("missing: {smoker: [unknown]}", {}, {}),
        ("id: [customer]", {}, {}),
        ("drop: [note]", {}, {}),
        ("serving: {cache_seconds: 60, out_of_range: warn}", {}, {}),
        ("serving: {cache_seconds: 60, unknown_levels: warn}", {}, {}),
    ],
)
def test_what_may_be_answered_otherwise_has_another_tag(tmp_path, lines, environ, bundle):
    def client(name, lines="", environ=None, **bundle):
        folder = tmp_path / name
        folder.mkdir()
        app = start(folder, settings=lines if "serving" in lines else f"{lines}\nserving: {{{ON}}}\n", **bundle)
        problem = app.extensions["slipway"].problem
        return build(problem, environ or {}).test_client()

    changed = client("changed", lines, environ, **bundle)
    before, elsewhere, after = (each.get(asked(ROWS[0])) for each in (client("before"), client("elsewhere"), changed))
    assert before.headers["ETag"] == elsewhere.headers["ETag"] != after.headers["ETag"]
    fresh = changed.get(asked(ROWS[0]), headers={"If-None-Match": before.headers["ETag"]})
    assert (fresh.status_code, fresh.data) == (200, after.data)


@pytest.mark.parametrize("sent", ["", '"', "W/", ",,,", "abc", '"a" "b"', "*, *x", '"' * 4000, "ü", "\x7f"])
def test_what_is_no_tag_confirms_nothing(cached, first, sent):
    answer = cached.get(asked(ROWS[0]), headers={"If-None-Match": sent})
    assert (answer.status_code, answer.data) == (200, first.data)


def test_with_keys_only_a_client_with_one_keeps_it(serve, capfd):
    client = serve(serving=ON, environ={"SLIPWAY_API_KEYS": "key"}).test_client()
    known = client.get(asked(ROWS[0]), headers={"X-API-Key": "key"})
    assert known.headers["Cache-Control"] == "private, max-age=60"
    assert {each.strip() for each in known.headers["Vary"].split(",")} == {"Authorization", "X-API-Key"}
    for sent in ({}, {"X-API-Key": "other"}):
        for method in ("GET", "HEAD"):
            answer = client.open(asked(ROWS[0]), method=method, headers=sent | {"If-None-Match": known.headers["ETag"]})
            assert (answer.status_code, answer.headers["Cache-Control"]) == (401, "no-store")
    again = client.get(asked(ROWS[0]), headers={"Authorization": "Bearer key", "If-None-Match": known.headers["ETag"]})
    assert again.status_code == 304 and "X-API-Key" in again.headers["Vary"]


def test_pages_of_named_origins_may_ask(serve):
    client = serve(serving=f"{ON}, cors_origins: ['{ORIGIN}']").test_client()
    for sent, allowed in ((ORIGIN, ORIGIN), ("https://other.example", None), (None, None)):
        answer = client.get(asked(ROWS[0]), headers={"Origin": sent} if sent else {})
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed and answer.headers["Vary"] == "Origin"


def test_without_the_setting_there_is_no_such_call(client):
    answer = client.get(asked(ROWS[0]))
    assert (answer.status_code, answer.headers["Cache-Control"]) == (405, "no-store")
    assert "get" not in client.get("/apispec.json").json["paths"]["/predict"]


def test_it_is_under_the_prefix_too(serve):
    client = serve(serving=ON, environ={"SLIPWAY_URL_PREFIX": "/models/charges"}).test_client()
    tags = {client.get(prefix + asked(ROWS[0])).headers["ETag"] for prefix in ("", "/models/charges")}
    assert len(tags) == 1


def test_an_answer_is_counted_and_logged_and_a_confirmation_is_not(tmp_path):
    app = start(tmp_path, settings=f"log: {{to: files}}\nserving: {{{ON}}}\n")
    client, address = app.test_client(), asked(ROWS[0])
    tag = client.get(address, buffered=True).headers["ETag"]
    client.get(address, headers={"If-None-Match": tag}, buffered=True)
    client.head(address, buffered=True)
    client.get(asked(ROWS[0] | {"age": 19999}), buffered=True)
    service = app.extensions["slipway"]
    service.recorder.close()
    [path] = (tmp_path / "log").rglob("*.jsonl")
    answered, refused = read_events(path.read_bytes())
    assert (answered.rows, answered.refused) == ([ROWS[0]], {})
    assert (refused.rows, refused.refused) == ([], {"age/out_of_range": 1})
    value = partial(service.metrics.registry.get_sample_value, "slipway_requests_total")
    same = {"endpoint": "/predict", "bundle": service.digest[:12]}
    for method, status in (("GET", "200"), ("GET", "304"), ("HEAD", "200"), ("GET", "422")):
        assert value(same | {"method": method, "status": status}) == 1


def test_no_log_of_the_service_has_the_query(serve, capfd):
    client = serve(serving=ON).test_client()
    for row in (ROWS[0], ROWS[0] | {"smoker": "my secret"}):
        client.get(asked(row))
    out, err = capfd.readouterr()
    assert out.count('"path":"/predict"') == 2 and err == ""
    assert "secret" not in out and "2020-01-01" not in out


def test_on_one_connection_each_answer_ends_where_the_next_begins(tmp_path):
    start(tmp_path, settings=f"serving: {{{ON}}}\n")
    sent = []
    with server_of(tmp_path) as server:
        connection = HTTPConnection("127.0.0.1", server.port, timeout=DEADLINE)
        for method, headers in (("GET", {}), ("HEAD", {}), ("GET", {"If-None-Match": "*"}), ("GET", {}), ("POST", {})):
            body = json.dumps(ROWS[0]) if method == "POST" else None
            connection.request(method, asked(ROWS[0]), body, headers | {"Content-Type": "application/json"})
            answer = connection.getresponse()
            sent.append((answer.status, answer.read()))
            assert "Transfer-Encoding" not in answer.headers
        long = asked(ROWS[0] | {"smoker": "y" * 5000})
        assert server.call("GET", long)[0] == 414
        connection.close()
    first, head, known, again, posted = sent
    assert (head, known) == ((200, b""), (304, b"")) and first == again == posted


INTERVAL = Schema((Field("interval", "number", minimum=0, maximum=10, example=1), *SCHEMA.fields))


def test_a_field_named_like_the_argument_is_a_field(serve):
    encoding = Encoding(
        INTERVAL, (Output("value", "interval"), Output("value", "age"), *(Output("value", "bmi", fill=0.0),) * 2)
    )
    row = {"interval": 0.9} | ROWS[0]
    client = serve(serving=ON, schema=INTERVAL, encoding=encoding, rows=[row]).test_client()
    assert client.get(asked(row)).data == client.post("/predict", json=row).data
    parameters = client.get("/apispec.json").json["paths"]["/predict"]["get"]["parameters"]
    assert [each["name"] for each in parameters].count("interval") == 1


def test_an_id_named_like_the_argument_is_an_id(tmp_path):
    client = start(tmp_path, settings=f"id: [interval]\nserving: {{{ON}}}\n").test_client()
    assert client.get(asked(ROWS[0], interval="0.9")).json["id"] == {"interval": "0.9"}
    parameters = client.get("/apispec.json").json["paths"]["/predict"]["get"]["parameters"]
    assert [each["type"] for each in parameters if each["name"] == "interval"] == ["string"]


def test_numbers_with_a_format_are_written_in_it(serve):
    schema = Schema((Field("price", "number", minimum=0, maximum=9999.5, example=1.5, format="1.234,56 €"),))
    encoding = Encoding(schema, (Output("value", "price"),) * 4)
    client = serve(serving=ON, schema=schema, encoding=encoding, rows=[{"price": 8.5}]).test_client()
    expected = client.post("/predict", json={"price": 1234.5}).data
    assert client.get(asked({"price": "1.234,50 €"})).data == expected
    [parameter] = client.get("/apispec.json").json["paths"]["/predict"]["get"]["parameters"][:1]
    assert parameter["type"] == "string" and "1.234,56 €" in parameter["description"]


@pytest.mark.parametrize("task", ["regression", "multiclass"])
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
def test_calls_are_answered_as_described(serve, task, mode):
    specification = schemathesis.openapi.from_wsgi("/apispec.json", serve(task, ON))

    @given(case=specification["/predict"]["GET"].as_strategy(generation_mode=mode))
    @settings(max_examples=40, suppress_health_check=list(HealthCheck))
    def answered(case):
        # A schema cannot say which texts are numbers, dates or missing cells.
        case.validate_response(case.call(), excluded_checks=[negative_data_rejection])

    answered()
