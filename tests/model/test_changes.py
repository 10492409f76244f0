"""What changes when one bundle follows another."""

import pytest

from bundles import ROWS, SCHEMA, make_bundle
from slipway.model.changes import _moved_most, changes, replayed
from slipway.model.encoding import Encoding, Output
from slipway.model.evaluation import evaluation_of
from slipway.store.local import LocalStore
from slipway.table.schema import Schema

WEIGHTS = [[250.0], [30.0], [23000.0], [1.0]]


@pytest.fixture
def store(tmp_path) -> LocalStore:
    return LocalStore(tmp_path / "artifacts")


def test_the_first_bundle_has_nothing_before_it(store):
    found = changes(None, make_bundle(store, "regression"))
    assert (found["metric"], found["metrics"], found["golden"]) == ("rmse", {"rmse": [None, 0.8]}, None)
    assert (found["data"]["rows"], found["data"]["held"]) == ([None, 100], [None, 20])
    assert found["model"]["members"] == [None, [{"candidate": "linear", "settings": {"penalty": 1.0}}]]
    assert found["model"]["added"] == found["model"]["removed"] == []
    assert found["model"]["importance"]["age"] == [None, 0.25]


def test_answers_to_the_golden_rows_of_the_first_are_compared(store):
    before = make_bundle(store, "regression", weights=WEIGHTS)
    after = make_bundle(store, "regression", weights=[[250.0], [31.0], [23000.0], [1.0]])
    golden = changes(before, after)["golden"]
    assert (golden["rows"], golden["changed"]) == (4, 4)
    row, old, new = golden["shown"][0]
    assert (row, round(new - old, 6)) == (1, round(ROWS[0]["bmi"], 6))


def test_a_probability_that_moves_is_a_change_even_when_the_label_stays(store):
    before = make_bundle(store, "binary")
    after = make_bundle(store, "binary", weights=[[0.031], [0.01], [1.5], [0.02]])
    golden = changes(before, after)["golden"]
    assert golden["changed"] == 4
    assert all(old == new and before != after for _, old, new, before, after in golden["shown"])
    assert golden["shown"][0][3] == before.json("golden.json")["predictions"][0]["probabilities"][golden["shown"][0][1]]


def test_metrics_of_another_task_are_not_compared(store):
    before, after = make_bundle(store, "binary"), make_bundle(store, "multiclass")
    found = changes(before, after)["metrics"]
    assert found and {before for before, _ in found.values()} == {None}


def test_the_same_bundle_changes_nothing(store):
    bundle = make_bundle(store, "multiclass")
    assert changes(bundle, bundle)["golden"] == {"rows": 4, "changed": 0, "shown": []}
    assert replayed(bundle)["changed"] == 0


def test_bundles_that_read_other_fields_have_no_rows_in_common(store):
    before = make_bundle(store, "regression")
    other = Schema(tuple(field for field in SCHEMA.fields if field.name != "joined"))
    outputs = (Output("value", "age"), Output("value", "bmi", fill=30.0), Output("level", "smoker", levels=("yes",)))
    encoding = Encoding(other, outputs)
    rows = [{name: value for name, value in row.items() if name != "joined"} for row in ROWS]
    after = make_bundle(store, "regression", schema=other, encoding=encoding, rows=rows, weights=WEIGHTS[:3])
    found = changes(before, after)
    assert (found["golden"], found["model"]["added"], found["model"]["removed"]) == (None, [], ["joined"])
    assert found["model"]["importance"]["joined"] == [0.25, None]


def test_what_serves_is_weighed_and_the_target_is_described(store):
    """By the lists of the bundle, and by the distribution that evaluation.json has."""
    bundle = make_bundle(store, "binary")
    found = changes(None, bundle)
    sizes = sum((bundle.folder / name).stat().st_size for name in bundle.parts["serving"])
    assert found["model"]["bytes"] == [None, sizes] and found["model"]["threshold"] == [None, 0.5]
    assert sum(after for _, after in found["data"]["shares"].values()) == pytest.approx(1)
    assert found["data"]["shares"].keys() == {"N", "Y"} and found["data"]["median"] == [None, None]
    numbers = changes(None, make_bundle(store, "regression"))["data"]
    target = evaluation_of(store.champion()).target
    assert target.low < numbers["median"][1] < target.high and numbers["shares"] == {}


def test_the_largest_changes_of_many_come_first():
    shares = {"a": [0.5, 0.5], "b": [0.1, None], "c": [None, 0.4]}
    assert list(_moved_most(shares, 2)) == ["c", "b"]
