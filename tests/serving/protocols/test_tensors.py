"""Tensors of the Open Inference Protocol: what is read from them, what is answered in them, and what is none."""

import json

import pytest

from bundles import ROWS
from inference_service import Service, tensor, tensors
from slipway.model.encoding import Encoding, Output
from slipway.table.schema import Field, Schema


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


NO_COLUMN = "has a shape other than [rows] or [rows, 1]; expected a tensor for each field."
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
    "no shape": ({"inputs": [tensor("age", 1, shape=[])]}, f"Input age {NO_COLUMN}"),
    "a row": ({"inputs": [tensor("age", 1, 2, shape=[1, 2])]}, f"Input age {NO_COLUMN}"),
    "a matrix": ({"inputs": [tensor("input-0", [1, 2], [3, 4], shape=[2, 2])]}, f"Input input-0 {NO_COLUMN}"),
    "fewer": ({"inputs": [tensor("age", 1, 2, shape=[3])]}, "Input age has 2 values, but its shape says 3."),
    "negative": ({"inputs": [tensor("age", 1, shape=[-1])]}, "Input age has 1 value, but its shape says -1."),
    "huge": ({"inputs": [tensor("age", 1, shape=[10**90])]}, "Input age has 1 value, but its shape says 1,000,000,0"),
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
