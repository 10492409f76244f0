"""The Open Inference Protocol: tensors are answered, refused, counted and logged as the rows of POST /predict are."""

import json
from pathlib import Path
from urllib.parse import quote

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse
from schemathesis.specs.openapi.definitions import SWAGGER_20_VALIDATOR

from bundles import ROWS, SCHEMA, files, said, twin
from conftest import Client
from many_rows import many_rows
from slipway import __version__
from slipway.errors import BundleError
from slipway.model.encoding import Encoding, Output
from slipway.model.event import read_events
from slipway.problem import load_problem
from slipway.serving.factory import build
from slipway.store.local import LocalStore
from slipway.store.pointer import Pointer
from slipway.table.schema import Field, Schema

TASKS = ("regression", "binary", "multiclass")
COUNT = 2_000
DATATYPES = {"age": "INT64", "bmi": "FP64"}
SPEAKS = "protocols: [open-inference]"
LENIENT = f"{SPEAKS}, unknown_levels: warn, out_of_range: warn"
LABELS = {"regression": [], "binary": ["N", "Y"], "multiclass": ["a", "b", "c"]}


class Service:
    """A service that logs; `call` is one of its model's."""

    def __init__(self, folder: Path, task="regression", serving=LENIENT, name="", changes=None, **environ: str) -> None:
        self.folder, self.name = folder, name or task
        made, store = files(task, **(changes or {})), LocalStore(folder / "artifacts")
        self.digest = store.add(self.name, made, twin(made)).digest
        store.point(Pointer(self.digest, self.name))
        said(store, self.name, self.digest)
        settings = {"name": self.name, "source": "table.csv", "target": "charges", "id": ["person"], "log": {"to": "files"}}
        path = folder / "slipway.yaml"
        path.write_text(f"{json.dumps(settings)[:-1]}, serving: {{{serving}}}}}")
        self.app = build(load_problem(path, environ={}), environ)
        self.app.test_client_class = Client
        self.client = self.app.test_client()

    def infer(self, body, path: str = "infer", **headers: str):
        given = {"data": body, "content_type": "application/json"} if isinstance(body, bytes) else {"json": body}
        return self.client.post(f"/v2/models/{quote(self.name)}/{path}", headers=headers, **given)

    def refused(self, body, status: int = 400, **headers: str) -> str:
        """The text of an error."""
        answer = self.infer(body, **headers)
        assert (answer.status_code, answer.content_type) == (status, "application/json"), answer.text
        [(name, text)] = answer.json.items()
        assert name == "error"
        return text

    def events(self) -> list:
        self.app.extensions["slipway"].recorder.close()
        return [event for path in sorted((self.folder / "log").rglob("*.jsonl")) for event in read_events(path.read_bytes())]

    def counts(self) -> dict:
        """By name and the labels but the bundle's."""
        samples = [sample for family in parse(self.client.get("/metrics").text) for sample in family.samples]
        return {
            (sample.name, *sorted(value for name, value in sample.labels.items() if name != "bundle")): sample.value
            for sample in samples
        }


@pytest.fixture
def service(tmp_path):
    made = Service(tmp_path)
    yield made
    made.app.extensions["slipway"].recorder.close()


@pytest.fixture(scope="module")
def refusing(tmp_path_factory):
    """A service that is asked for nothing that it can answer."""
    made = Service(tmp_path_factory.mktemp("refusing"))
    yield made
    made.app.extensions["slipway"].recorder.close()


def tensor(name: str, *data, datatype: str = "", **more) -> dict:
    return {
        "name": name,
        "shape": [len(data)],
        "datatype": datatype or DATATYPES.get(name, "BYTES"),
        "data": list(data),
    } | more


def tensors(rows: list, nested: bool = False) -> list[dict]:
    """A tensor for each column of the rows."""
    found = [tensor(name, *(row.get(name) for row in rows)) for name in {name: None for row in rows for name in row}]
    if not nested:
        return found
    return [each | {"shape": [len(rows), 1], "data": [[cell] for cell in each["data"]]} for each in found]


def odd_rows(count: int) -> list[dict]:
    """Rows with missing cells, ids, and here and there a level or a number that training never saw."""
    return [
        row
        | {"person": f"p{place}"}
        | ({"smoker": "sometimes"} if place % 50 == 0 else {})
        | ({"age": 99} if place % 70 == 0 else {})
        for place, row in enumerate(many_rows(count))
    ]


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
@pytest.mark.parametrize("task", TASKS)
def test_answers_events_and_counts_are_those_of_predict_to_the_last_bit(tmp_path, task, nested):
    service, rows = Service(tmp_path, task), odd_rows(COUNT)
    expected = service.client.post("/predict", json=rows).json["predictions"]
    given = service.infer({"inputs": tensors(rows, nested)})
    assert given.headers["Slipway-Bundle"] == service.digest
    answer = given.json
    assert (answer["model_name"], answer["model_version"]) == (task, service.digest[:12])
    names = ["prediction", *(f"probability_{label}" for label in LABELS[task])]
    assert [each["name"] for each in answer["outputs"]] == names
    assert [(each["shape"], each["datatype"]) for each in answer["outputs"]] == [
        ([COUNT], "BYTES" if LABELS[task] and name == "prediction" else "FP64") for name in names
    ]
    given = [[each["prediction"], *each.get("probabilities", {}).values()] for each in expected]
    assert list(map(list, zip(*(each["data"] for each in answer["outputs"])))) == given
    of_predict, of_infer = service.events()
    assert of_infer.rows == of_predict.rows and of_infer.rows[1]["person"] == "p1"
    assert of_infer.answers == of_predict.answers and of_infer.numbers == of_predict.numbers
    assert of_infer.warned == of_predict.warned == {"smoker/unseen_level": 40, "age/out_of_range": 29}
    counts = service.counts()
    assert counts["slipway_rows_predicted_total", "/v2/models/<model>/infer"] == COUNT
    assert counts["slipway_rows_predicted_total", "/predict"] == COUNT


@pytest.mark.parametrize(
    "path, expected",
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"live": True, "ready": True}),
        ("/v2", {"name": "slipway", "version": __version__, "extensions": []}),
        ("/v2/", {"name": "slipway", "version": __version__, "extensions": []}),
        ("/v2/models/regression/ready", {"name": "regression", "ready": True}),
        ("/v2/models/regression/versions/{}/ready", {"name": "regression", "ready": True}),
    ],
)
def test_who_asks_for_the_state_is_told(service, path, expected):
    answer = service.client.get(path.format(service.digest[:12]))
    assert (answer.status_code, answer.json) == (200, expected)


def test_the_metadata_names_every_field_and_every_column_of_the_answer(tmp_path):
    service = Service(tmp_path, "binary")
    found = service.client.get("/v2/models/binary").json
    assert found == service.client.get(f"/v2/models/binary/versions/{service.digest[:12]}").json
    assert (found["name"], found["versions"], found["platform"]) == ("binary", [service.digest[:12]], "slipway_onnx")
    assert [(each["name"], each["datatype"], each["shape"]) for each in found["inputs"]] == [
        (name, DATATYPES.get(name, "BYTES"), [-1]) for name in SCHEMA.names
    ]
    assert [(each["name"], each["datatype"], each["shape"]) for each in found["outputs"]] == [
        ("prediction", "BYTES", [-1]),
        ("probability_N", "FP64", [-1]),
        ("probability_Y", "FP64", [-1]),
    ]


@pytest.mark.parametrize("path", ["/v2/health/ready", "/v2/models/regression/ready"])
def test_a_model_that_answers_otherwise_is_not_ready(service, monkeypatch, path):
    def broken():
        raise BundleError("golden row 3 has another answer")

    monkeypatch.setattr(service.app.extensions["slipway"], "require_ready", broken)
    answer = service.client.get(path)
    assert (answer.status_code, answer.json) == (
        503,
        {"error": "The model is not ready: golden row 3 has another answer."},
    )
    assert service.client.get("/v2/health/live").status_code == 200


@pytest.mark.parametrize(
    "path, says",
    [
        ("/v2/models/other{}", "There is no model other; this service has regression."),
        ("/v2/models/regression/versions/1{}", "There is no version 1; this service has VERSION."),
        (f"/v2/models/{'x' * 500}{{}}", f"There is no model {'x' * 100}…; this service has regression."),
    ],
)
@pytest.mark.parametrize("call", ["", "/ready", "/infer"])
def test_another_model_or_version_is_not_here(service, path, says, call):
    path = path.format(call)
    answer = service.client.post(path, json={"inputs": tensors(ROWS)}) if call == "/infer" else service.client.get(path)
    assert (answer.status_code, answer.json) == (404, {"error": says.replace("VERSION", service.digest[:12])})


def answers(service, rows) -> list:
    return [each["prediction"] for each in service.client.post("/predict", json=rows).json["predictions"]]


@pytest.mark.parametrize(
    "changes",
    [
        [],
        [tensor("age", 19.0, 62, 45, 33, datatype="FP32")],
        [tensor("age", 19.0, 62.0, 45.0, 33.0, datatype="INT64")],
        [tensor("age", "19", "62", "45", "33", datatype="BYTES")],
        [tensor("bmi", 27.9, float("nan"), 33.3, 22.7)],
        [tensor("bmi", "27.9", "NA", "33.3", "22.7", datatype="BYTES")],
        [tensor("bmi", 27.9, None, 33.3, 22.7, parameters={"content_type": "np"})],
        [tensor("charges", 1, 2, 3, 4, datatype="INT64")],
        [tensor("person", 1, "x", None, 2.5, datatype="INT64", data=[1, 2, None, 4])],
    ],
)
def test_a_field_is_read_from_any_datatype_that_has_its_values(service, changes):
    inputs = list({each["name"]: each for each in [*tensors(ROWS), *changes]}.values())
    answer = service.infer(json.dumps({"inputs": inputs}).encode())
    assert answer.status_code == 200, answer.text
    assert answer.json["outputs"][0]["data"] == answers(service, ROWS)


def test_a_request_of_mlservers_pandas_codec_is_answered(service):
    """Its shape is [rows, 1], its data flat."""
    inputs = [each | {"shape": [len(ROWS), 1]} for each in tensors(ROWS)]
    inputs = [each | {"parameters": {"content_type": "str"}} if each["datatype"] == "BYTES" else each for each in inputs]
    answer = service.infer({"parameters": {"content_type": "pd"}, "inputs": inputs})
    assert answer.json["outputs"][0]["data"] == answers(service, ROWS)


def test_levels_are_read_from_truths_and_numbers(tmp_path):
    schema = Schema((Field("a", "category", levels=("false", "true")), Field("b", "category", levels=("1", "2"))))
    encoding = Encoding(schema, (Output("level", "a", levels=("true",)), Output("level", "b", levels=("2",))))
    rows = [{"a": "true", "b": "1"}, {"a": "false", "b": "2"}]
    changes = {"schema": schema, "encoding": encoding, "rows": rows, "weights": [[3.0], [5.0]]}
    service = Service(tmp_path, changes=changes)
    body = {"inputs": [tensor("a", True, False, datatype="BOOL"), tensor("b", 1, 2, datatype="UINT8")]}
    assert service.infer(body).json["outputs"][0]["data"] == answers(service, rows)


def test_a_field_that_may_be_missing_may_be_left_out(service):
    rows = [{name: row[name] for name in row if name != "bmi"} for row in ROWS]
    assert service.infer({"inputs": tensors(rows)}).json["outputs"][0]["data"] == answers(service, rows)


@pytest.mark.parametrize("id", ["42", "", "ä"])
def test_the_id_of_a_request_is_given_back(service, id):
    assert service.infer({"id": id, "inputs": tensors(ROWS)}).json["id"] == id


@pytest.mark.parametrize("absent", [{}, {"id": None, "parameters": None, "outputs": None, "model_name": "regression"}])
def test_without_an_id_the_answer_has_none(service, absent):
    assert set(service.infer({"inputs": tensors(ROWS)} | absent).json) == {"model_name", "model_version", "outputs"}


@pytest.mark.parametrize(
    "wanted, given",
    [
        (["probability_Y"], ["probability_Y"]),
        (["probability_Y", "prediction", "prediction"], ["probability_Y", "prediction"]),
        ([], ["prediction", "probability_N", "probability_Y"]),
    ],
)
def test_the_outputs_that_are_named_are_given(tmp_path, wanted, given):
    outputs = [{"name": name, "parameters": {"binary_data": True}} for name in wanted]
    answer = Service(tmp_path, "binary").infer({"inputs": tensors(ROWS), "outputs": outputs})
    assert [each["name"] for each in answer.json["outputs"]] == given


BAD = {
    "not JSON": (b"{", "The body is not JSON"),
    "empty": (b"", "The body is empty"),
    "brackets": (b"[" * 5_000, "nested too deeply"),
    "a list": ([], "Not an inference request: Expected `object`, got `array`."),
    "no inputs": ({}, "missing required field `inputs`"),
    "null": ({"inputs": None}, "`$.inputs`"),
    "none": ({"inputs": []}, "There are no inputs; expected a tensor for each field."),
    "no data": ({"inputs": [{"name": "age", "shape": [1], "datatype": "INT64"}]}, "`data` - at `$.inputs[0]`"),
    "a name": ({"inputs": [tensor("age", 1) | {"name": 7}]}, "`$.inputs[0].name`"),
    "shape": ({"inputs": [tensor("age", 1, shape=["1"])]}, "`$.inputs[0].shape[0]`"),
    "no shape": ({"inputs": [tensor("age", 1, shape=[])]}, "Input age has a shape other than [rows] or [rows, 1]."),
    "a row": ({"inputs": [tensor("age", 1, 2, shape=[1, 2])]}, "Input age has a shape other than [rows] or [rows, 1]."),
    "fewer": ({"inputs": [tensor("age", 1, 2, shape=[3])]}, "Input age has 2 values, and a shape of another number."),
    "negative": ({"inputs": [tensor("age", 1, shape=[-1])]}, "Input age has 1 values, and a shape of another number."),
    "huge": ({"inputs": [tensor("age", 1, shape=[10**90])]}, "Input age has 1 values, and a shape of another number."),
    "infinite shape": (b'{"inputs": [{"name": "age", "shape": [1e999], "datatype": "INT64", "data": [1]}]}', "shape[0]`"),
    "rows": (
        {"inputs": [*tensors(ROWS)[:2], tensor("smoker", "no")]},
        "Input smoker has another number of rows than input age.",
    ),
    "twice": ({"inputs": [*tensors(ROWS), tensor("age", 1, 2, 3, 4)]}, "Input age occurs twice."),
    "datatype": ({"inputs": [tensor("age", 1, datatype="FP16")]}, "Input age has a datatype other than BOOL, UINT8, "),
    "fraction": ({"inputs": [tensor("age", 1, 19.5)]}, "Input age has a value in row 2 that is not INT64 in JSON."),
    "truth": ({"inputs": [tensor("age", True)]}, "Input age has a value in row 1 that is not INT64 in JSON."),
    "text": ({"inputs": [tensor("bmi", 1, "27.9")]}, "Input bmi has a value in row 2 that is not FP64 in JSON."),
    "number": ({"inputs": [tensor("smoker", 1)]}, "Input smoker has a value in row 1 that is not BYTES in JSON."),
    "lists": ({"inputs": [tensor("age", [1], [2])]}, "Input age has a value in row 1 that is not INT64 in JSON."),
    "deeper": (
        {"inputs": [tensor("age", [1], [[2]], shape=[2, 1])]},
        "Input age has a value in row 2 that is not INT64 in JSON.",
    ),
    "no rows": ({"inputs": [tensor("age")]}, "expected at least one row"),
    "id": ({"inputs": tensors(ROWS), "id": 7}, "`$.id`"),
    "half an id": (b'{"inputs": [], "id": "\\ud800"}', "the id contains a lone surrogate"),
    "half a name": (b'{"inputs": [{"name": "\\ud800", "shape": [0], "datatype": "x", "data": []}]}', "Input ? has a datatype"),
    "parameters": ({"inputs": tensors(ROWS), "parameters": []}, "`$.parameters`"),
    "outputs": ({"inputs": tensors(ROWS), "outputs": ["prediction"]}, "`$.outputs[0]`"),
    "output": ({"inputs": tensors(ROWS), "outputs": [{"name": "y"}]}, "There is no output y; the model's metadata lists"),
    "unknown": ({"inputs": [*tensors(ROWS[:1]), tensor("agee", "1")]}, "row 1: agee: there is no such field"),
    "missing": ({"inputs": tensors(ROWS[:1])[:3]}, "row 1: joined: is missing; expected a date"),
    "infinite": (
        b'{"inputs": [{"name": "bmi", "shape": [1], "datatype": "FP64", "data": [1e999]}]}',
        "row 1: bmi: is not a finite",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_answered_is_refused_as_a_whole(refusing, case):
    body, says = BAD[case]
    assert says in refusing.refused(body)
    assert ("slipway_rows_predicted_total", "/v2/models/<model>/infer") not in refusing.counts()


def test_an_error_names_the_first_wrong_rows_counts_all_and_repeats_none(service):
    rows = [row | {"age": "secret", "smoker": None} for row in ROWS] + [ROWS[0] | {"age": "19"}]
    text = service.refused(
        {"inputs": [each | {"datatype": "BYTES"} if each["name"] == "age" else each for each in tensors(rows)]}
    )
    assert text.startswith("Some fields are not as expected: row 1: age: is text; expected an integer")
    assert text.count("row ") == 5 and text.endswith("; and 3 more") and "secret" not in text
    [event] = service.events()
    assert (event.rows, event.refused) == ([], {"age/type": 4, "smoker/missing": 4})
    counts = service.counts()
    assert (counts["slipway_fields_rejected_total", "type"], counts["slipway_fields_rejected_total", "missing"]) == (4, 4)


def test_binary_data_is_refused_and_json_of_a_given_length_is_not(service):
    body = json.dumps({"inputs": tensors(ROWS)}).encode()
    length = "Inference-Header-Content-Length"
    assert "binary_data=False" in service.refused(body + b"\x00\x01", 415, **{length: str(len(body))})
    assert service.infer(body, **{length: str(len(body))}).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/octet-stream"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {"Content-Encoding": "gzip"},
    ],
)
def test_another_type_of_body_is_refused(service, headers):
    answer = service.client.post("/v2/models/regression/infer", data=b"{}", headers=headers)
    assert answer.status_code == 415 and set(answer.json) == {"error"}


def test_a_body_without_a_type_is_json(service):
    body = json.dumps({"inputs": tensors(ROWS)}).encode()
    assert service.client.post("/v2/models/regression/infer", data=body).status_code == 200


@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
def test_the_largest_number_of_rows_is_answered_and_one_more_is_refused(tmp_path, nested):
    service = Service(tmp_path, "multiclass", f"{SPEAKS}, max_rows: 5")
    most = {"inputs": tensors(odd_rows(6)[1:], nested), "outputs": [{"name": "prediction", "parameters": {"a": [1]}}]}
    assert service.infer(most).status_code == 200
    assert (
        service.refused({"inputs": tensors(odd_rows(7)[1:], nested)}, 413)
        == "Expected at most 5 rows of 4 fields in one call."
    )


def test_too_many_bytes_are_refused(tmp_path):
    service = Service(tmp_path, serving=f"{SPEAKS}, max_body_bytes: 1024")
    assert "larger than 1024 bytes" in service.refused({"inputs": tensors(ROWS), "id": "x" * 1024}, 413)


def test_a_key_is_needed_where_predictions_need_one(tmp_path):
    service = Service(tmp_path, SLIPWAY_API_KEYS="first")
    body = {"inputs": tensors(ROWS)}
    assert "Expected an API key" in service.refused(body, 401)
    assert service.infer(body, **{"X-API-Key": "first"}).status_code == 200
    for path in ("/v2", "/v2/health/ready", "/v2/models/regression", "/v2/models/regression/ready"):
        assert service.client.get(path).status_code == 200
    paths = service.client.get("/apispec.json").json["paths"]
    guarded = {path for path, calls in paths.items() if "security" in calls.get("post", {})}
    versioned = f"/v2/models/regression/versions/{service.digest[:12]}/infer"
    assert {"/v2/models/regression/infer", versioned} <= guarded


def test_it_is_served_below_a_prefix(tmp_path):
    service = Service(tmp_path, SLIPWAY_URL_PREFIX="/models/charges")
    assert service.client.get("/models/charges/v2").json["name"] == "slipway"
    assert service.client.get("/apispec.json").json["basePath"] == "/models/charges"


@pytest.mark.parametrize("task", TASKS)
def test_the_specification_is_valid_and_its_examples_answer_as_they_stand(tmp_path, task):
    service = Service(tmp_path, task, SPEAKS)
    document = service.client.get("/apispec.json").json
    SWAGGER_20_VALIDATOR.validate(document)
    tried = 0
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            if path.startswith("/v2"):
                body = call["parameters"][0]["schema"]["example"] if method == "post" else None
                answer = service.client.open(path, method=method, json=body)
                assert answer.json == call["responses"]["200"]["examples"]["application/json"]
                tried += 1
    assert tried == 9
    infer = document["paths"][f"/v2/models/{task}/infer"]["post"]["responses"]
    assert set(infer) == {"200", "400", "404", "413", "415", "503"}


def test_a_service_that_does_not_speak_it_has_no_such_address(serve):
    client = serve().test_client()
    for path in ("/v2", "/v2/health/live", "/v2/models/regression"):
        assert client.get(path).status_code == 404
    assert not [path for path in client.get("/apispec.json").json["paths"] if path.startswith("/v2")]


@pytest.mark.parametrize("name", ["Versicherung – Kosten", "a b", "50%", "{x}", "a:b"])
def test_any_name_without_a_slash_can_be_asked_for(tmp_path, name):
    service = Service(tmp_path, name=name)
    paths = service.client.get("/apispec.json").json["paths"]
    [path] = [path for path in paths if path.endswith("/infer") and "/versions/" not in path]
    assert service.client.post(path, json={"inputs": tensors(ROWS)}).json["model_name"] == name
