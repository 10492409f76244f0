"""``POST /predict?interval=0.9``: between which values the truth lies."""

import csv
import io
from functools import partial

import numpy as np
import pytest

from bundles import ROWS
from slipway.model.intervals import interval, levels

KINDS = {"/what-if": "application/json", "/predict/file": "text/csv"}


@pytest.mark.parametrize("text", ["0.9", "0.90", "0.8"])
def test_a_number_comes_with_the_ends_of_its_interval(app, text):
    client = app.test_client()
    plain = client.post("/predict", json=ROWS[0]).json
    answer = client.post(f"/predict?interval={text}", json=ROWS[0]).json
    low, high = interval(app.extensions["slipway"].intervals, np.array([plain["prediction"]]), float(text))
    assert answer == plain | {"low": low[0], "high": high[0]}
    assert low[0] < plain["prediction"] < high[0]
    assert list(answer) == ["prediction", "low", "high", "bundle"]


def test_so_do_the_good_rows_of_a_list(client):
    answer = client.post("/predict?interval=0.9&partial=true", json=[ROWS[0], {}, ROWS[1]]).json
    assert [set(each) for each in answer["predictions"]] == [
        {"prediction", "low", "high"},
        {"prediction", "errors"},
        {"prediction", "low", "high"},
    ]
    alone = client.post("/predict?interval=0.9", json=ROWS[1]).json
    assert answer["predictions"][2].items() <= alone.items()


def test_a_table_has_them_as_columns(client):
    fields = list(ROWS[0])
    lines = [",".join(fields), *(",".join("" if row[name] is None else str(row[name]) for name in fields) for row in ROWS[:2])]
    table = "\n".join([*lines, "1", ","]) + "\n"
    send = partial(client.post, data=table, content_type="text/csv")
    plain = list(csv.DictReader(io.StringIO(send("/predict/file").text)))
    found = list(csv.DictReader(io.StringIO(send("/predict/file?interval=0.9").text)))
    assert list(found[0]) == [*fields, "prediction", "low", "high", "warning", "error"]
    alone = [client.post("/predict?interval=0.9", json=row).json for row in ROWS[:2]]
    assert [[float(row[end]) for end in ("low", "high")] for row in found[:2]] == [[one["low"], one["high"]] for one in alone]
    assert [row["low"] + row["high"] for row in found[2:]] == ["", ""] and all(row["error"] for row in found[2:])
    assert [{name: row[name] for name in plain[0]} for row in found] == plain


def test_so_has_the_row_of_what_if(client):
    answer = client.post("/what-if?interval=0.9", json=ROWS[0]).json
    assert (
        answer["low"] == client.post("/predict?interval=0.9", json=ROWS[0]).json["low"] < answer["prediction"] < answer["high"]
    )


@pytest.mark.parametrize("address", ["/what-if", "/predict/file"])
def test_every_door_refuses_a_level_that_the_bundle_has_not(client, address):
    answer = client.post(f"{address}?interval=0.5", data="{}", content_type=KINDS[address])
    assert answer.status_code == 422 and answer.json["detail"].startswith("Expected interval=0.8")


@pytest.mark.parametrize("text", ["0.5", "90", "nan", "", "x", "true"])
def test_a_level_that_the_bundle_has_not_is_refused_with_those_it_has(client, text):
    answer = client.post(f"/predict?interval={text}", json=ROWS[0])
    assert answer.status_code == 422
    assert answer.json["detail"].startswith("Expected interval=0.8 or interval=0.9")


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_labels_have_no_interval(serve, task):
    client = serve(task).test_client()
    answer = client.post("/predict?interval=0.9", json=ROWS[0])
    assert answer.status_code == 422
    assert "this model answers with the probability of each label" in answer.json["detail"]
    parameters = client.get("/apispec.json").json["paths"]["/predict"]["post"]["parameters"]
    assert "interval" not in [each["name"] for each in parameters]


def test_a_bundle_without_intervals_says_how_to_get_them(app):
    app.extensions["slipway"].intervals = None
    answer = app.test_client().post("/predict?interval=0.9", json=ROWS[0])
    assert answer.status_code == 422
    assert answer.json["detail"] == "This bundle has no prediction intervals. Train again to get them."


def test_the_specification_names_the_levels(app):
    paths = app.test_client().get("/apispec.json").json["paths"]
    for address in ("/predict", "/predict/file", "/what-if"):
        described = next(each for each in paths[address]["post"]["parameters"] if each["name"] == "interval")
        assert described["enum"] == list(levels(app.extensions["slipway"].intervals))
