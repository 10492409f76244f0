"""The Open Inference Protocol: tensors are answered, refused, counted and logged as the rows of POST /predict are."""

import gzip
import json

import pytest

from bundles import ROWS
from inference_service import SPEAKS, Service, odd_rows, tensors

COUNT = 2_000
INFER = "/v2/models/regression/infer"
LENGTH = "Inference-Header-Content-Length"
LABELS = {"regression": [], "binary": ["N", "Y"], "multiclass": ["a", "b", "c"]}


@pytest.mark.parametrize(
    "changes, warned",
    [({}, {"smoker/unseen_level": 40, "age/out_of_range": 29}), ({"age": 20, "smoker": "no"}, {})],
    ids=["odd", "plain"],
)
@pytest.mark.parametrize("nested", [False, True], ids=["flat", "nested"])
@pytest.mark.parametrize("task", LABELS)
def test_answers_events_and_counts_are_those_of_predict_to_the_last_bit(tmp_path, task, nested, changes, warned):
    service, rows = Service(tmp_path, task), [row | changes for row in odd_rows(COUNT)]
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
    assert of_infer.warned == of_predict.warned == warned
    counts = service.counts()
    assert counts["slipway_rows_predicted_total", "/v2/models/<model>/infer"] == COUNT
    assert counts["slipway_rows_predicted_total", "/predict"] == COUNT


@pytest.mark.parametrize("id", ["42", "", "ä"])
def test_the_id_of_a_request_is_given_back(service, id):
    assert service.infer({"id": id, "inputs": tensors(ROWS)}).json["id"] == id


@pytest.mark.parametrize("absent", [{}, {"id": None, "parameters": None, "outputs": None, "model_name": "regression"}])
def test_without_an_id_the_answer_has_none(service, absent):
    assert set(service.infer({"inputs": tensors(ROWS)} | absent).json) == {"model_name", "model_version", "outputs"}


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


@pytest.mark.parametrize("type", ["application/json", "application/octet-stream", None], ids=["json", "KServe", "Triton"])
def test_who_sends_binary_data_is_told_how_to_send_json(service, type):
    body = json.dumps({"inputs": tensors(ROWS)}).encode()
    answer = service.client.post(INFER, data=body + b"\x00\x01", content_type=type, headers={LENGTH: str(len(body))})
    assert answer.status_code == 415
    assert answer.json == {
        "error": "Expected tensors in JSON, not binary. In the clients of Triton and KServe: binary_data=False."
    }


def test_the_length_of_the_json_may_be_that_of_the_body(service):
    body = json.dumps({"inputs": tensors(ROWS)}).encode()
    assert service.infer(body, **{LENGTH: str(len(body))}).status_code == 200


@pytest.mark.parametrize("length", ["", "x", "-1", "1e2", "99999", "9" * 5_000])
def test_a_length_that_is_none_of_the_body_is_refused(service, length):
    says = service.refused(json.dumps({"inputs": tensors(ROWS)}).encode(), 400, **{LENGTH: length})
    assert says == "Inference-Header-Content-Length is not a number of bytes of the body."


ANOTHER = "Expected the header Content-Type: application/json."
ENCODED = "Expected a body without Content-Encoding."


@pytest.mark.parametrize(
    "headers, says",
    [
        ({"Content-Type": "application/octet-stream"}, ANOTHER),
        ({"Content-Type": "application/x-www-form-urlencoded"}, ANOTHER),
        ({"Content-Type": "application/json; charset=latin-1"}, "Expected application/json in UTF-8."),
        ({"Content-Type": "application/json", "Content-Encoding": "gzip"}, ENCODED),
        ({"Content-Encoding": "gzip"}, ENCODED),
        ({"Content-Encoding": "deflate", LENGTH: "7"}, ENCODED),
    ],
)
def test_another_type_of_body_is_refused(service, headers, says):
    answer = service.client.post(INFER, data=gzip.compress(b"{}"), headers=headers)
    assert (answer.status_code, answer.json) == (415, {"error": says})


def test_a_body_without_a_type_is_json(service):
    body = json.dumps({"inputs": tensors(ROWS)}).encode()
    assert service.client.post(INFER, data=body).status_code == 200


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
