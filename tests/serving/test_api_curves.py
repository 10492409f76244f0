"""``POST /what-if``: how the answer to one row moves with each field."""

import pytest

from bundles import ROWS, SCHEMA
from page import crowded
from slipway.model.curves import FIELDS, POINTS

ROW = ROWS[2]


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_each_answer_is_the_one_to_the_row_with_that_value(serve, task):
    client = serve(task).test_client()
    found = client.post("/what-if", json=ROW).json
    plain = client.post("/predict", json=ROW).json
    assert plain.items() <= found.items()
    assert [curve["field"] for curve in found["curves"]] == list(SCHEMA.names)
    for curve in found["curves"]:
        assert 2 <= len(curve["values"]) == len(curve["answers"]) <= POINTS
        rows = [ROW | {curve["field"]: value} for value in curve["values"]]
        answers = client.post("/predict", json=rows).json["predictions"]
        label = found.get("label")
        expected = [each["probabilities"][label] if label else each["prediction"] for each in answers]
        assert curve["answers"] == pytest.approx(expected, rel=1e-12)


def test_the_query_names_the_fields(client):
    found = client.post("/what-if?field=bmi&field=age", json=ROW).json
    assert {curve["field"] for curve in found["curves"]} == {"age", "bmi"}


def test_of_many_fields_the_most_important_are_answered_by_default(serve):
    client = crowded(serve).test_client()
    row = {f"s{place:03}": 5 for place in range(170)}
    found = client.post("/what-if", json=row).json
    assert [curve["field"] for curve in found["curves"]] == [f"s{place:03}" for place in range(FIELDS)]
    many = "&".join(f"field=s{place:03}" for place in range(FIELDS + 1))
    assert client.post(f"/what-if?{many}", json=row).json["detail"] == f"Expected at most {FIELDS} fields."


@pytest.mark.parametrize(
    ("query", "sent", "says"),
    [
        ("", [ROW], "Expected one row, an object."),
        ("?field=nothing", ROW, "There is no field nothing."),
        ("", ROW | {"age": "x"}, "Some fields are not as expected."),
    ],
)
def test_what_is_wrong_is_refused_with_the_reason(client, query, sent, says):
    answer = client.post(f"/what-if{query}", json=sent)
    assert answer.status_code == 422 and answer.json["detail"] == says


def test_it_needs_a_key_where_predictions_do_and_counts_none(serve):
    client = serve(environ={"SLIPWAY_API_KEYS": "first"}).test_client()
    assert client.post("/what-if", json=ROW).status_code == 401
    key = {"X-API-Key": "first"}
    assert client.post("/what-if", json=ROW, headers=key).status_code == 200
    lines = client.get("/metrics", headers=key).text.splitlines()
    assert not [line for line in lines if line.startswith("slipway_rows_predicted_total")]
