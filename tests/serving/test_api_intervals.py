"""``POST /predict?interval=0.9``: between which values the truth lies."""

import numpy as np
import pytest

from bundles import ROWS
from slipway.model.intervals import interval, levels


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
    parameters = app.test_client().get("/apispec.json").json["paths"]["/predict"]["post"]["parameters"]
    described = next(each for each in parameters if each["name"] == "interval")
    assert described["enum"] == list(levels(app.extensions["slipway"].intervals))
