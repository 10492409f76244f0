"""What changes when one bundle follows another."""

import pytest

from bundles import ROWS, SCHEMA, make_bundle
from slipway.model.changes import as_markdown, changes, replayed
from slipway.model.encoding import Encoding, Output
from slipway.store.local import LocalStore
from slipway.table.schema import Schema

WEIGHTS = [[250.0], [30.0], [23000.0], [1.0]]


@pytest.fixture
def store(tmp_path) -> LocalStore:
    return LocalStore(tmp_path / "artifacts")


def test_the_first_bundle_has_nothing_before_it(store):
    found = changes(None, make_bundle(store, "regression"))
    assert found == {"metric": "rmse", "metrics": {"rmse": [None, 0.8]}, "golden": None}
    assert "| **rmse** | – | 0.8 |" in as_markdown(found)


def test_answers_to_the_golden_rows_of_the_first_are_compared(store):
    before = make_bundle(store, "regression", weights=WEIGHTS)
    after = make_bundle(store, "regression", weights=[[250.0], [31.0], [23000.0], [1.0]])
    golden = changes(before, after)["golden"]
    assert (golden["rows"], golden["changed"]) == (4, 4)
    row, old, new = golden["shown"][0]
    assert (row, round(new - old, 6)) == (1, round(ROWS[0]["bmi"], 6))
    assert "Golden predictions: 4 of 4 change." in as_markdown(changes(before, after))


def test_a_probability_that_moves_is_a_change_even_when_the_label_stays(store):
    before = make_bundle(store, "binary")
    after = make_bundle(store, "binary", weights=[[0.031], [0.01], [1.5], [0.02]])
    golden = changes(before, after)["golden"]
    assert golden["changed"] == 4
    assert all(old == new for _, old, new in golden["shown"])


def test_the_same_bundle_changes_nothing(store):
    bundle = make_bundle(store, "multiclass")
    assert changes(bundle, bundle)["golden"] == {"rows": 4, "changed": 0, "shown": []}
    assert replayed(bundle)["changed"] == 0
    assert "Golden predictions: all 4 unchanged." in as_markdown(changes(bundle, bundle))


def test_bundles_that_read_other_fields_have_no_rows_in_common(store):
    before = make_bundle(store, "regression")
    other = Schema(tuple(field for field in SCHEMA.fields if field.name != "joined"))
    outputs = (Output("value", "age"), Output("value", "bmi", fill=30.0), Output("level", "smoker", levels=("yes",)))
    encoding = Encoding(other, outputs)
    rows = [{name: value for name, value in row.items() if name != "joined"} for row in ROWS]
    after = make_bundle(store, "regression", schema=other, encoding=encoding, rows=rows, weights=WEIGHTS[:3])
    assert changes(before, after)["golden"] is None
