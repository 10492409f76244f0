import sys
from types import SimpleNamespace

import numpy as np
import pytest
from msgspec.structs import replace

from slipway.errors import TableError
from slipway.model.contents import Estimate
from slipway.sections import Search
from slipway.store.local import LocalStore
from slipway.training.data.dataset import read
from slipway.training.fitting.candidates import Blend, Trial
from slipway.training.fitting.fitted import Entry
from slipway.training.fitting.xgboost_trees import USUAL
from slipway.training.train import train
from slipway.training.whole import whole_table
from slipway.training.whole.gain import Gain
from slipway.training.whole.whole_table import _trial, from_all_rows
from tables import charges, problem


def test_what_a_cluster_needs_is_missed_before_the_search(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "xgboost", None)
    asked = replace(problem(tmp_path, charges(), "charges"), search=Search(engine="spark"))
    with pytest.raises(TableError, match="XGBoost is not installed"):
        train(asked, LocalStore(tmp_path / "artifacts"), jobs=1)


@pytest.mark.parametrize(
    ("estimate", "sure", "says"),
    [
        (Estimate(1.84, 1.72, 1.97), True, "gained 1.84 (1.72 to 1.97) of rmse on 3,974 rows that neither had learned from"),
        (Estimate(0.1, -0.1, 0.3), False, "which chance explains: the model of the sample is kept"),
    ],
)
def test_a_gain_is_sure_when_its_interval_is_above_zero(estimate, sure, says):
    gain = Gain("rmse", estimate, 0.1, 3_974, 20_009, 127_791)
    assert gain.sure == sure and str(gain).endswith(says)


def test_the_settings_are_those_of_the_best_boosting_with_trees_that_are_not_small():
    small = {"learning_rate": 0.05, "max_leaf_nodes": 4, "min_samples_leaf": 3, "max_features": 0.5, "max_iter": 77}
    blend = Blend((Trial("linear", {"penalty": 1.0}), Trial("boosting", small, True)), (0.5, 0.5))
    found = _trial([Entry(blend, 1.0, 0.1), Entry(Trial("boosting", {"max_leaf_nodes": 63}), 2.0, 0.1), Entry(None, 3.0, 0.1)])
    expected = {"learning_rate": 0.05, "max_leaf_nodes": 31, "min_samples_leaf": 3, "max_features": 0.5}
    assert found == Trial("xgboost", expected, True)
    assert _trial([Entry(Trial("linear", {"penalty": 1.0}), 1.0, 0.1)]).settings["max_leaf_nodes"] == 31


def on_cluster(folder, frame, **settings):
    """A problem and its table as if a cluster had it, and a leaderboard whose best answers the mean."""
    asked = replace(problem(folder, frame, "charges", **settings), search=Search(engine="spark"))
    table = read(asked)
    answers = np.full(table.used.sum(), 15_000.0)
    return asked, table, [Entry(Trial("linear", {"penalty": 1.0}), 5_000.0, 100.0, answers=answers)]


@pytest.mark.parametrize(
    ("column", "settings"),
    [
        ([str(2020 + number // 350) for number in range(400)], {"time": "when"}),  # the years learned from are one
        ([str(number % 6) for number in range(400)], {"group": "when"}),  # none of few groups checks
    ],
)
def test_where_too_few_rows_check_the_model_of_the_sample_is_kept(tmp_path, column, settings):
    asked, table, entries = on_cluster(tmp_path, charges(400).assign(when=column), **settings)
    found = from_all_rows(asked, table, entries)
    assert found.models is None and found.placed(entries) == entries
    (said,) = found.said
    assert said.startswith("the cluster did not learn from all rows") and "few groups, few moments" in said


def test_of_five_years_the_last_that_is_learned_from_checks(tmp_path):
    frame = charges(500).assign(year=[str(2020 + number // 100) for number in range(500)])
    _, table, _ = on_cluster(tmp_path, frame, time="year")
    years = table.rows.time
    assert set(years[table.held]) == {2024} and set(years[table.checks]) == {2023}


@pytest.mark.parametrize(("bound", "eligible"), [(1_000, True), (20, False)])
def test_a_model_of_all_rows_keeps_the_time_of_a_row(tmp_path, monkeypatch, bound, eligible):
    """The twin and the refit of one that would take too long are never grown."""
    asked, table, entries = on_cluster(tmp_path, charges(600), **{"serving.max_row_microseconds": bound})
    fits = []

    def fit(self, rows, part):
        fits.append(part)
        checks = table.learned.take(table.checks[table.used])
        made = SimpleNamespace(scores=lambda columns: checks.y, trial=Trial("xgboost", USUAL))
        return made, SimpleNamespace(rows=100_000)

    monkeypatch.setattr(whole_table._Cluster, "fit", fit)
    spark = SimpleNamespace(SparkTable=lambda problem: SimpleNamespace(frame=lambda names: None))
    monkeypatch.setitem(sys.modules, "slipway.sources.spark", spark)
    found = from_all_rows(asked, table, entries)
    assert len(fits) == (3 if eligible else 1) and (found.models is not None) == eligible
    assert found.placed(entries)[0 if eligible else -1] is found.entry
    assert len(found.said) == 1  # the table is not smaller than what was learned from
    if not eligible:
        assert found.entry.reason.endswith("µs, more than serving.max_row_microseconds")
        assert found.said[0].endswith("serving.max_row_microseconds: the model of the sample is kept")
