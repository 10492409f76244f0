from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from slipway.errors import TableError
from slipway.model.metrics import value
from slipway.training.comparison.search import search
from slipway.training.data.dataset import read
from slipway.training.data.folds import folds
from slipway.training.fitting.candidates import CANDIDATES, Trial
from slipway.training.fitting.fitted import fit
from slipway.training.measures.goal import Goal
from tables import charges, grades, problem


def parted(divided, kin):
    """How many of those that belong together are on both sides of some fold."""
    return sum(len(np.intersect1d(kin[learned], kin[held])) for learned, held in divided)


@pytest.mark.parametrize("rows, times", [(300, 4), (1_500, 2), (3_000, 1)])
def test_every_row_is_held_out_once_each_time(rows, times):
    y = np.random.default_rng(0).random(rows)
    divided = folds(y, 0, None, None, 0)
    assert len(divided) == 5 * times
    for start in range(0, len(divided), 5):
        assert sorted(np.concatenate([held for _, held in divided[start : start + 5]])) == list(range(rows))
    assert all(len(learned) + len(held) == rows for learned, held in divided)


def test_folds_have_their_share_of_each_class():
    y = (np.random.default_rng(0).random(2_000) < 0.03).astype(int)
    counts = [int(y[held].sum()) for _, held in folds(y, 2, None, None, 0)]
    assert max(counts) - min(counts) <= 1


def test_rows_that_belong_together_are_in_one_fold_and_folds_stay_even():
    random = np.random.default_rng(1)
    kin = np.repeat(np.arange(200), random.integers(1, 40, 200))
    y = random.integers(0, 3, len(kin))
    divided = folds(y, 3, kin, None, 0)
    assert parted(divided, kin) == 0
    sizes = np.array([len(held) for _, held in divided])
    assert sizes.max() < 1.1 * sizes.min()


def test_many_rows_are_divided_at_once():
    kin = np.random.default_rng(0).integers(0, 55_000, 60_000)
    y = (np.random.default_rng(1).random(60_000) < 0.02).astype(int)
    divided = folds(y, 2, kin, None, 0)
    assert len(divided) == 3 and parted(divided, kin) == 0
    shares = [y[held].mean() for _, held in divided]
    assert max(shares) - min(shares) < 0.001


def test_the_same_seed_gives_the_same_folds():
    y = np.zeros(100)
    one, again, other = (folds(y, 0, None, None, seed) for seed in (1, 1, 2))
    assert all((a[1] == b[1]).all() for a, b in zip(one, again)) and (one[0][1] != other[0][1]).any()


def test_copies_of_rows_are_no_proof(tmp_path):
    """The error of cross-validation agrees with the hold-out's, which was far better when folds parted copies."""
    table = read(problem(tmp_path, pd.concat([charges(200)] * 5, ignore_index=True), "charges"))
    trial = Trial("boosting", CANDIDATES["boosting"].tried[0])
    found = search(table.learned, [trial], table.goal, 1).entries[0]
    answers = fit(found.trial, table.learned, 0).scores(table.unseen.columns)
    assert found.mean == pytest.approx(value("rmse", table.goal.scored(table.unseen.y, answers, None)), rel=0.2)


def test_rows_of_one_id_are_in_one_fold(tmp_path):
    frame = grades(300).assign(patient=[str(number // 3) for number in range(300)])
    table = read(problem(tmp_path, frame, "grade", id="patient"))
    learned = table.learned
    divided = folds(learned.y, 2, learned.kin, None, 0)
    of = {(float(x), float(y)): patient for x, y, patient in zip(frame["x"], frame["y"], frame["patient"])}
    assert len(of) == len(frame)
    patients = np.array([of[cells] for cells in zip(learned.columns["x"].tolist(), learned.columns["y"].tolist())])
    assert parted(divided, patients) == 0


def test_what_is_learned_of_a_column_is_learned_inside_the_fold(tmp_path, monkeypatch):
    """Fills, levels and means come from the rows that a fold learns from; a spy sees every column that is prepared."""
    seen = []
    linear = CANDIDATES["linear"]

    def spying(schema, columns, *target):
        seen.append(set(columns["row"].tolist()))
        return linear.preprocess(schema, columns, *target)

    monkeypatch.setitem(CANDIDATES, "linear", replace(linear, preprocess=spying))
    rows = read(problem(tmp_path, charges(200).assign(row=range(200)), "charges")).learned
    search(rows, [Trial("linear", linear.tried[0])], Goal("rmse", None, 0), 1)
    divided = folds(rows.y, 0, rows.kin, None, 0)[:5]  # one trial is measured on the first repeat
    assert seen == [set(rows.columns["row"][learned].tolist()) for learned, _ in divided]


def test_folds_in_time_learn_from_the_past():
    time = np.random.default_rng(0).permutation(1_000).astype(float)
    time[:5] = np.nan
    divided = folds(np.zeros(1_000), 0, None, time, 0)
    assert len(divided) == 5
    for learned, held in divided:
        assert np.nanmax(time[learned]) < time[held].min() and set(range(5)) <= set(learned)
        assert len(learned) >= 500 and len(held) == pytest.approx(100, abs=2)


def test_equal_times_are_on_one_side():
    time = np.repeat(np.arange(12.0), 30)
    for learned, held in folds(np.zeros(360), 0, None, time, 0):
        assert not set(time[learned]) & set(time[held])


@pytest.mark.parametrize("classes", [0, 2])
def test_folds_in_time_need_two_times(classes):
    with pytest.raises(TableError, match="time: it has one value in all training rows"):
        folds(np.resize([0, 1], 200), classes, None, np.full(200, 7.0), 0)


def test_folds_in_time_need_two_classes_to_learn_from():
    y = np.repeat([0, 1], [195, 5])
    with pytest.raises(TableError, match="all of one class"):
        folds(y, 2, None, np.arange(200.0), 0)
