import numpy as np
import pytest

from bundles import files, live
from recordings import TABLES, recorded
from slipway.errors import BundleError
from slipway.model.bundle import read_bundle
from slipway.model.typed_document import Draft, written
from slipway.monitoring.bins import Column, columns_of, count, of_answers
from slipway.table.schema import MISSING, UNSEEN
from watched import NUMBER, number

RANDOM = np.random.default_rng(0)
LEVELS = Column("field/x", "x", ("refused", "missing", "unseen"), np.array([0, 0, 1, 6, 1]), 7, levels=("no", "yes"))
DRIFT = {
    "rows": 50,
    "fields": {
        "age": {"missing": 0.0, "edges": [18, 40, 64], "counts": [25, 25]},
        "bmi": {"missing": 1.0, "edges": [], "counts": []},
        "smoker": {"missing": 0.1, "levels": {"yes": 0.02, "no": 0.88}},
        "joined": {"missing": 0.0, "edges": [1, 2], "counts": [50]},
    },
}


def draft(task: str, **changes: bytes) -> Draft:
    return Draft(files(task) | {"drift.json": written(DRIFT)} | changes)


def test_numbers_are_counted_as_training_counts_them():
    random = np.random.default_rng(1)
    column = number()
    values = random.normal(size=2_000).clip(-4, 4)
    found = count(column, values)
    assert found[4:].tolist() == np.histogram(values, column.edges)[0].tolist()
    assert found[:4].tolist() == [0, 0, 0, 0] and found.shape == column.counts.shape


def test_the_ends_of_the_range_are_in_it_and_what_is_beyond_is_not():
    column = Column("field/x", "x", NUMBER, np.zeros(6, int), 9, edges=(1.0, 2.0, 3.0))
    values = np.array([1, 3, 2, 0.9, 3.1, np.inf, -np.inf, np.nan])
    assert count(column, values, refused=7).tolist() == [7, 1, 2, 2, 1, 2]


def test_a_constant_has_one_bin():
    column = Column("field/x", "x", NUMBER, np.array([0, 0, 0, 0, 9]), 9, edges=(3.0, 3.0))
    assert count(column, np.array([3, 3, 2, 4, np.nan])).tolist() == [0, 1, 1, 1, 2]


def test_levels_are_counted_by_code():
    values = np.array([0, 1, 1, MISSING, UNSEEN, UNSEEN])
    assert count(LEVELS, values, refused=4).tolist() == [4, 1, 2, 1, 2]
    assert count(LEVELS, values[:0]).tolist() == [0, 0, 0, 0, 0]


@pytest.mark.parametrize("column, values", [(number(), RANDOM.normal(size=90)), (LEVELS, RANDOM.integers(-2, 2, 90))])
def test_the_counts_of_days_add_up(column, values):
    days = [count(column, day) for day in np.split(values, 3)]
    assert sum(days).tolist() == count(column, values).tolist()
    assert sum(days).sum() == 90


def test_the_columns_of_a_bundle_begin_with_the_answers_and_leave_out_dates_and_what_has_no_values():
    score, label, age, smoker = columns_of(draft("binary"))
    assert [score.key, label.key, age.key, smoker.key] == ["answer/score", "answer/label", "field/age", "field/smoker"]
    assert (score.counts.tolist(), score.edges, score.rows) == ([0, 0, 20], (0.1, 0.9), 20)
    assert (label.counts.tolist(), label.levels) == ([5, 5], ("N", "Y"))
    assert (age.counts.tolist(), age.edges, age.rows) == ([0, 0, 0, 0, 25, 25], (18, 40, 64), 50)
    assert (smoker.levels, smoker.rows) == (("no", "yes"), 50)
    assert smoker.counts.tolist() == [0, 5, 1, 44, 1], "one level was seen once, so the next row may well have a new one"


def test_numbers_have_no_labels():
    assert [column.key for column in columns_of(draft("regression"))] == ["answer/score", "field/age", "field/smoker"]


@pytest.mark.parametrize("task", TABLES)
def test_a_bundle_of_format_1_is_watched_without_its_answers(task):
    folder = recorded(1, task)
    columns = columns_of(read_bundle(folder, folder.name))
    assert columns and all(column.key.startswith("field/") for column in columns)
    for column in columns:
        assert column.counts.sum() == column.rows + column.counts[2] * (column.apart[2] == "unseen")


def test_a_document_that_is_no_profile_is_named():
    with pytest.raises(BundleError, match=r"drift.json: Expected `object`"):
        columns_of(draft("binary", **{"drift.json": b'{"fields": 1}'}))


def test_answers_are_scores_and_codes():
    scores, codes = of_answers(np.array([0.2, 0.5, 0.9]), 0.5)
    assert (scores.tolist(), codes.tolist()) == ([0.2, 0.5, 0.9], [0, 1, 1])
    scores, codes = of_answers(np.array([[0.2, 0.5, 0.3], [0.6, 0.1, 0.3]]), None)
    assert (scores.tolist(), codes.tolist()) == ([0.5, 0.6], [1, 0])


def test_the_reference_of_answers_is_that_of_live_json():
    reference = live("regression", ())
    assert columns_of(draft("regression"))[0].ordinary.tolist() == list(reference.counts)
