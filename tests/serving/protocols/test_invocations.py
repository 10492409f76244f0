"""MLflow's protocol: every form is answered as POST /predict answers, and what cannot be answered is worded as MLflow does."""

import csv
import io
import json
import re
import sys
import tracemalloc

import pyarrow
import pytest
from pyarrow import parquet

from bundles import ROWS
from many_rows import many_rows
from slipway.model.event import read_events
from slipway.problem import load_problem
from slipway.serving.factory import build
from slipway.serving.protocols.invocations import VERSION

TASKS = ("regression", "binary", "multiclass")
COUNT = 2_000
PARQUET = "application/vnd.apache.parquet"
ON = "protocols: [mlflow]"


@pytest.fixture(scope="module")
def client(folder):
    problem = load_problem(folder / "slipway.yaml", environ={"SLIPWAY_SERVING_PROTOCOLS": "mlflow"})
    return build(problem, {}).test_client()


def flat(answers: list[dict]) -> list[dict]:
    """The answers of /predict, as MLflow has them."""
    return [
        {"prediction": each["prediction"]}
        | {f"probability_{label}": share for label, share in each.get("probabilities", {}).items()}
        for each in answers
    ]


def split(rows: list[dict]) -> dict:
    return {"columns": [*rows[0]], "data": [[*row.values()] for row in rows]}


def columns(rows: list[dict]) -> dict:
    return {name: [row[name] for row in rows] for name in rows[0]}


def table(rows: list[dict]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows([rows[0], *(row.values() for row in rows)])
    return text.getvalue().encode()


def packed(rows: list[dict], **more) -> bytes:
    file = io.BytesIO()
    parquet.write_table(pyarrow.table(columns(rows) | more), file)
    return file.getvalue()


BODIES = {
    "dataframe_records": lambda rows: ({"dataframe_records": rows}, "application/json"),
    "dataframe_split": lambda rows: ({"dataframe_split": split(rows)}, "application/json; charset=utf-8"),
    "instances": lambda rows: ({"instances": rows}, "application/json"),
    "inputs": lambda rows: ({"inputs": columns(rows)}, "application/json"),
    "inputs as rows": lambda rows: ({"inputs": rows}, "application/json"),
    "csv": lambda rows: (table(rows), "text/csv"),
    "parquet": lambda rows: (packed(rows), PARQUET),
}


def post(client, form: str, rows: list[dict]):
    body, kind = BODIES[form](rows)
    return client.post("/invocations", data=json.dumps(body) if isinstance(body, dict) else body, content_type=kind)


def unlike(rows: list[dict]) -> list[dict]:
    """The same rows with ids, the target, unseen levels and numbers out of the range of training."""
    found = [row | {"customer": f"Ζωή {place}", "charges": 1.5} for place, row in enumerate(rows)]
    for place in range(0, len(found), 50):
        found[place] |= {"smoker": "seldom", "age": 80}
    return found


@pytest.mark.parametrize("task", TASKS)
def test_every_form_is_answered_as_predict_answers_to_the_last_bit(tmp_path, serve, task):
    serve(task)
    path = tmp_path / "slipway.yaml"
    more = f"id: [customer]\nserving: {{{ON}, unknown_levels: warn, out_of_range: warn}}\n"
    path.write_text(f"name: {task}\nsource: table.csv\ntarget: charges\n{more}")
    client = build(load_problem(path, environ={}), {}).test_client()
    rows = unlike(many_rows(COUNT))
    answered = client.post("/predict", json=rows).json
    assert answered["warnings"] and len(answered["predictions"]) == COUNT
    for form in BODIES:
        answer = post(client, form, rows)
        assert (answer.status_code, answer.mimetype) == (200, "application/json"), answer.text
        assert answer.json == {"predictions": flat(answered["predictions"])}, form
        assert answer.headers["Slipway-Bundle"] == answered["bundle"]


def test_the_log_has_the_rows_of_every_form_as_predict_logs_them(tmp_path, serve):
    serve()
    path = tmp_path / "slipway.yaml"
    more = f"id: [customer]\nlog: {{to: files}}\nserving: {{{ON}, unknown_levels: warn, out_of_range: warn}}\n"
    path.write_text(f"name: regression\nsource: table.csv\ntarget: charges\n{more}")
    app = build(load_problem(path, environ={}), {})
    client = app.test_client()
    rows = [{name: row[name] for name in row if name != "charges"} for row in unlike(many_rows(200))]
    client.post("/predict", json=rows)
    for form in BODIES:
        assert post(client, form, rows).status_code == 200
    post(client, "csv", [{"age": "x"} | {name: row[name] for name in row if name != "age"} for row in rows])
    app.extensions["slipway"].recorder.close()
    [file] = (tmp_path / "log").rglob("*.jsonl")
    expected, *found, refused = read_events(file.read_bytes())
    assert expected.rows[0]["customer"] == "Ζωή 0" and expected.warned == {"smoker/unseen_level": 4, "age/out_of_range": 4}
    assert len(found) == len(BODIES)
    for form, event in zip(BODIES, found):
        logged = event.rows, event.answers, event.numbers, event.warned, event.refused
        assert logged == (expected.rows, expected.answers, expected.numbers, expected.warned, expected.refused), form
    assert (refused.rows, refused.refused) == ([], {"age/type": 200})


def test_one_row_may_be_an_object_of_its_values(client):
    answer = client.post("/invocations", json={"inputs": ROWS[0]})
    assert answer.json["predictions"] == flat([client.post("/predict", json=ROWS[0]).json])


def test_a_split_table_may_have_an_index(client):
    body = {"dataframe_split": split(ROWS) | {"index": list(range(len(ROWS)))}}
    assert len(client.post("/invocations", json=body).json["predictions"]) == len(ROWS)


def test_numbers_come_with_their_interval_on_request(client):
    plain = client.post("/predict?interval=0.9", json=ROWS).json["predictions"]
    answer = client.post("/invocations", json={"instances": ROWS, "params": {"interval": 0.9}})
    assert answer.json["predictions"] == plain
    assert list(answer.json["predictions"][0]) == ["prediction", "low", "high"]


def test_a_body_without_a_length_is_read(client):
    body = io.BytesIO(json.dumps({"instances": ROWS}).encode())
    environ = {"wsgi.input_terminated": True, "CONTENT_TYPE": "application/json", "HTTP_TRANSFER_ENCODING": "chunked"}
    answer = client.open("/invocations", method="POST", input_stream=body, environ_overrides=environ)
    assert answer.status_code == 200 and len(answer.json["predictions"]) == len(ROWS)


def test_attributes_of_sagemaker_are_accepted(client):
    headers = {"X-Amzn-SageMaker-Custom-Attributes": "trace=1", "Accept": "text/html"}
    assert client.post("/invocations", json={"instances": ROWS}, headers=headers).is_json


@pytest.mark.parametrize("path", ["/ping", "/health"])
def test_ping_tells_whether_the_model_is_ready(serve, path):
    app = serve(serving=ON)
    client = app.test_client()
    assert (client.get(path).status_code, client.get(path).data) == (200, b"\n")
    service = app.extensions["slipway"]
    service._replayed = False
    service.predictor.replay = lambda: service.bundle.read("nothing")  # as with a bundle that is damaged
    answer = client.get(path)
    assert (answer.status_code, answer.json["error_code"]) == (503, "TEMPORARILY_UNAVAILABLE")
    assert client.get("/readyz").status_code == 503


def test_the_version_is_that_of_mlflow(client):
    assert client.get("/version").text == VERSION


ONE = "exactly one of the input fields dataframe_split, dataframe_records, instances, inputs"


@pytest.mark.parametrize(
    "body, says",
    [
        (b"this is,,,, not valid json", "not JSON"),
        (b"", "empty"),
        (b"\xff", "not UTF-8"),
        (b"1", ONE),
        (b'"1"', ONE),
        (b"[1]", ONE),
        ({}, ONE),
        ({"not": "a serialized dataframe"}, ONE),
        ({"dataframe_records": [], "dataframe_split": {"data": []}}, ONE),
        ({"signature_name": "x", "instances": ROWS}, "no field signature_name beside instances; expected params at most"),
        ({"dataframe_records": split(ROWS)}, "dataframe_records: expected a list of objects"),
        ({"dataframe_records": None}, "dataframe_records: expected a list of objects"),
        ({"dataframe_split": ROWS}, "dataframe_split: expected an object with columns"),
        ({"dataframe_split": {"index": [1, 2], "data": [[1], [2], [3]]}}, "dataframe_split: expected an object with columns"),
        ({"dataframe_split": {"columns": ["age", "age"], "data": []}}, "columns: expected a list of different names"),
        ({"dataframe_split": {"columns": [[]], "data": []}}, "columns: expected a list of different names"),
        ({"dataframe_split": {"columns": ["age"], "data": {}}}, "data: expected a list of lists"),
        ({"dataframe_split": {"columns": ["age"], "data": [[1], [1, 2]]}}, "row 2: expected a list of 1 values"),
        ({"dataframe_split": {"columns": ["age"], "data": [{}]}}, "row 1: expected a list of 1 values"),
        ({"inputs": {"age": [1, 2], "bmi": [1]}}, "lists of the same length"),
        ({"inputs": {"age": [1], "bmi": 1}}, "lists of the same length"),
        ({"inputs": {"age": {"0": 1}}}, "lists of the same length"),
        ({"inputs": 5}, "inputs: expected a list of objects"),
        ({"inputs": {}}, "age: "),
        ({"instances": []}, "at least one row"),
        ({"instances": [[19, 27.9, "yes", "2020-01-01"]]}, "row 1: expected an object"),
        ({"instances": ROWS, "params": [1]}, "params: expected an object"),
        ({"instances": ROWS, "params": {"max_new_tokens": 3}}, "params: there is no parameter max_new_tokens"),
        ({"instances": ROWS, "params": {"interval": 0.5}}, "interval=0.9"),
        ({"instances": ROWS, "params": {"interval": "0.9"}}, "params.interval: expected a number"),
        ({"instances": ROWS, "params": {"interval": True}}, "params.interval: expected a number"),
    ],
)
def test_what_is_no_table_is_refused_as_by_mlflow(client, body, says):
    content = json.dumps(body) if isinstance(body, dict) else body
    answer = client.post("/invocations", data=content, content_type="application/json")
    assert answer.status_code == 400 and answer.mimetype == "application/json"
    assert set(answer.json) == {"error_code", "message"} and says in answer.json["message"], answer.json


def test_rows_that_cannot_be_answered_are_named_and_not_repeated(client, app):
    rows = [ROWS[0], ROWS[0] | {"age": 19.5}, ROWS[0] | {"smoker": "secret", "ünknown": 1}]
    for form in ("dataframe_records", "csv", "parquet"):
        given = [dict(row) for row in rows]
        if form != "dataframe_records":
            del given[2]["ünknown"]
        answer = post(client, form, given)
        assert (answer.status_code, answer.json["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
        assert "row 2: age: has a fraction" in answer.json["message"], form
        assert "row 3: smoker: " in answer.json["message"] and "secret" not in answer.text
    assert "row 3: ünknown: there is no such field" in post(client, "dataframe_records", rows).json["message"]


@pytest.mark.parametrize(
    "body, says",
    [
        (b"", "the table is empty"),
        (b"age,bmi,smoker,joined\n", "The table has no rows"),
        (b"age,bmi\n1,2\n", "smoker: the table has no such column"),
        (b"age,bmi,smoker,joined\n19,,no,2020-01-01\n19,20\n", "row 2: "),
        (b"age,bmi,smoker,joined\n\xff,,no,2020-01-01\n", "not UTF-8"),
    ],
)
def test_what_is_no_csv_table_is_refused(client, body, says):
    answer = client.post("/invocations", data=body, content_type="text/csv")
    assert answer.status_code == 400 and says.lower() in answer.json["message"].lower(), answer.json


def test_a_table_may_have_columns_that_are_no_fields(client):
    rows = [row | {"comment": "x"} for row in ROWS]
    plain = flat(client.post("/predict", json=ROWS).json["predictions"])
    assert [post(client, form, rows).json["predictions"] for form in ("csv", "parquet")] == [plain, plain]


def test_of_columns_that_are_no_fields_nothing_is_kept_in_memory(client):
    more = 3_000
    cells = [[*ROWS[0].values(), *(f"{place:03}" for place in range(more))] for _ in range(100)]
    text = io.StringIO()
    csv.writer(text).writerows([[*ROWS[0], *(f"c{place}" for place in range(more))], *cells])
    body = text.getvalue().encode()
    del cells, text
    tracemalloc.start()
    try:
        answer = client.post("/invocations", data=body, content_type="text/csv")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(answer.json["predictions"]) == 100
    assert peak < 5 * len(body)


@pytest.mark.parametrize("body", [b"", b"PAR1", b"PAR1" * 50, packed(ROWS)[:-9]])
def test_what_is_no_parquet_file_is_refused(client, body):
    answer = client.post("/invocations", data=body, content_type=PARQUET)
    assert (answer.status_code, answer.json["message"]) == (400, "The body is not a Parquet file that can be read.")


def test_parquet_has_typed_cells(client):
    kinds = {"age": pyarrow.float32(), "bmi": pyarrow.float32(), "joined": pyarrow.string()}
    made = pyarrow.table({name: pyarrow.array(cells, kinds.get(name)) for name, cells in columns(ROWS).items()})
    typed = made.set_column(3, "joined", made["joined"].cast(pyarrow.timestamp("us")))
    typed = typed.set_column(2, "smoker", typed["smoker"].dictionary_encode())
    file = io.BytesIO()
    parquet.write_table(typed, file)
    plain = flat(client.post("/predict", json=ROWS).json["predictions"])
    assert client.post("/invocations", data=file.getvalue(), content_type=PARQUET).json["predictions"] == plain


def test_without_pyarrow_parquet_is_an_unsupported_type(client, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr("slipway.serving.protocols.tabular.find_spec", lambda name: None)
    answer = client.post("/invocations", data=packed(ROWS), content_type=PARQUET)
    assert answer.status_code == 415 and "Parquet needs pyarrow" in answer.json["message"]
    assert "application/vnd" not in client.post("/invocations", data=b"x", content_type="x/y").json["message"]


@pytest.mark.parametrize(
    "kind", ["", "text/plain", "application/json; format=pandas-split", "application/json; charset=latin-1", "text/csv; x=1"]
)
def test_another_type_is_refused_with_415(client, kind):
    answer = client.post("/invocations", data=json.dumps({"instances": ROWS}), content_type=kind)
    assert (answer.status_code, answer.json["error_code"]) == (415, "BAD_REQUEST")


@pytest.mark.parametrize("form", BODIES)
def test_too_many_rows_are_refused_with_413(serve, form):
    client = serve(serving=f"{ON}, max_rows: 3").test_client()
    answer = post(client, form, ROWS)
    assert (answer.status_code, answer.json["error_code"]) == (413, "BAD_REQUEST")
    assert answer.json["message"] == "Expected at most 3 rows of 4 fields in one call."
    assert post(client, form, ROWS[:3]).status_code == 200


@pytest.mark.parametrize("form", BODIES)
def test_a_body_that_is_too_large_is_refused_with_413(serve, form):
    client = serve(serving=f"{ON}, max_body_bytes: 1024").test_client()
    answer = post(client, form, ROWS * 40)
    assert answer.status_code == 413 and "larger than 1024 bytes" in answer.json["message"]


@pytest.mark.parametrize(
    "body", [b'{"instances":[' + b"[" * 200_000, b'{"dataframe_split":{"columns":[],"data":[' + b"[]," * 60_000]
)
def test_a_body_of_brackets_is_refused_before_it_is_parsed(client, body):
    assert client.post("/invocations", data=body, content_type="application/json").status_code in (400, 413)


def test_a_key_is_needed_where_there_are_keys(serve):
    client = serve(serving=ON, environ={"SLIPWAY_API_KEYS": "first"}).test_client()
    answer = client.post("/invocations", json={"instances": ROWS})
    assert (answer.status_code, answer.json["error_code"]) == (401, "UNAUTHENTICATED")
    assert client.post("/invocations", json={"instances": ROWS}, headers={"X-API-Key": "first"}).status_code == 200
    assert client.get("/ping").status_code == 200


def test_answers_are_counted_and_a_prefix_is_understood(serve):
    client = serve(serving=ON, environ={"SLIPWAY_URL_PREFIX": "/models/charges"}).test_client()
    assert client.post("/models/charges/invocations", json={"instances": ROWS}).status_code == 200
    client.post("/invocations", json={"instances": [{}]})
    counted = client.get("/metrics").text
    assert re.findall(r"^slipway_rows_predicted_total.* (\S+)$", counted, re.MULTILINE) == ["4.0"]
    assert 'endpoint="/invocations",method="POST",status="400"' in counted and 'reason="missing"' in counted


def test_switched_off_there_is_no_such_address(serve):
    client = serve().test_client()
    assert [client.get(path).status_code for path in ("/ping", "/version", "/health")] == [404] * 3
    called = client.post("/invocations", json={"instances": ROWS})
    says = "Switched off: serving.protocols in slipway.yaml does not list mlflow."
    assert [(answer.status_code, answer.json["detail"]) for answer in (called, client.get("/ping"))] == [(404, says)] * 2
    assert "/invocations" not in client.get("/apispec.json").json["paths"]


@pytest.mark.parametrize("task", TASKS)
def test_its_examples_answer_as_they_stand(serve, task):
    client = serve(task, ON).test_client()
    call = client.get("/apispec.json").json["paths"]["/invocations"]["post"]
    schema = call["parameters"][0]["schema"]
    said = call["responses"]["200"]["examples"]["application/json"]
    forms = schema["properties"]
    assert client.post("/invocations", json=schema["example"]).json == said
    for form in ("dataframe_split", "inputs"):
        assert client.post("/invocations", json={form: forms[form]["example"]}).json == said
