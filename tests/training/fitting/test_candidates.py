"""What training knows of estimators: each is one file and one line of the registry."""

from dataclasses import replace as replaced

import numpy as np
import pytest
from msgspec.structs import replace
from sklearn.linear_model import LinearRegression
from threadpoolctl import threadpool_info

from slipway.kinds import CANDIDATES as NAMES
from slipway.model.predictor import Predictor
from slipway.store.local import LocalStore
from slipway.table.cell import columns_from_rows
from slipway.training.fitting.candidate import Candidate
from slipway.training.fitting.candidates import CANDIDATES, distinct, learner, trials
from slipway.training.fitting.export import Graph, linear_graph
from slipway.training.fitting.preprocessing import for_linear
from slipway.training.train import train
from tables import charges, problem


def test_slipway_yaml_may_name_all_candidates_and_no_other():
    assert (*NAMES, "xgboost") == tuple(CANDIDATES), "that of a cluster is asked for by search.engine"


def test_each_gets_its_share_of_the_trials_in_the_order_asked_for():
    made = trials(("boosting", "forest", "linear"), 16, "regression", seed=0, log_target=True)
    assert [(each.candidate, each.log_target) for each in made] == [
        *[("boosting", False)] * 16,
        *[("boosting", True)] * 4,
        *[("forest", False)] * 4,
        *[("forest", True)],
        *[("linear", False)] * 4,
        *[("linear", True)],
    ]
    assert [each.settings for each in made[:6]] == list(CANDIDATES["boosting"].tried)


def test_only_the_trees_of_a_forest_see_a_part_of_many_rows():
    few, many = (trials(NAMES, 3, "binary", 0, False, rows) for rows in (10_000, 10_001))
    changed = [(one, other) for one, other in zip(few, many) if one != other]
    assert [other.candidate for _, other in changed] == ["forest"]
    assert all(other.settings == {**one.settings, "max_samples": 10_000} for one, other in changed)


def test_a_forest_of_very_many_cells_splits_at_random_and_tries_nothing_twice():
    few, many = (trials(NAMES, 30, "binary", 0, False, cells=cells) for cells in (2_000_000, 2_000_001))
    assert {each.settings.get("splits") for each in few if each.candidate == "forest"} == {None, "random"}
    forests = [each.settings for each in many if each.candidate == "forest"]
    assert {each["splits"] for each in forests} == {"random"}
    assert len(forests) == len(distinct(forests)) < sum(each.candidate == "forest" for each in few)
    assert [each for each in few if each.candidate != "forest"] == [each for each in many if each.candidate != "forest"]


def test_boosting_splits_many_levels_by_sets_only():
    few, many = (trials(NAMES, 8, "binary", 0, False, levels=levels) for levels in (100, 101))
    assert {each.settings["native_levels"] for each in few if each.candidate == "boosting"} == {True, False}
    assert {each.settings["native_levels"] for each in many if each.candidate == "boosting"} == {True}
    assert [each for each in few if each.candidate != "boosting"] == [each for each in many if each.candidate != "boosting"]


@pytest.mark.parametrize(
    "asked, name, settings",
    [
        (("linear", "forest", "boosting"), "boosting", {"max_leaf_nodes": 31}),
        (("linear", "forest"), "linear", {"penalty": 1.0}),
        (("forest", "linear"), "forest", {"min_samples_leaf": 5}),
    ],
)
def test_the_learning_curve_is_that_of_what_learns_fast_from_many_rows(asked, name, settings):
    chosen = learner(asked, "regression", log_target=True)
    assert (chosen.candidate, chosen.log_target) == (name, True)
    assert settings.items() <= chosen.settings.items()


def test_a_new_candidate_is_one_definition_and_one_line(tmp_path, monkeypatch):
    """docs/architecture.md says so: it is compared, exported, judged and answers."""

    def estimator(task, settings, seed, encoding):
        seen.update(library["num_threads"] for library in threadpool_info())
        return LinearRegression(**settings)

    seen: set[int] = set()
    least_squares = Candidate(
        estimator=estimator,
        preprocess=for_linear,
        dtype="float64",
        export=lambda fitted, features: Graph(linear_graph(fitted.coef_[:, None]), "identity", [float(fitted.intercept_)]),
        tried=({"fit_intercept": True}, {"fit_intercept": False}),
        tried_on_classes=(),
    )
    monkeypatch.setitem(CANDIDATES, "least_squares", least_squares)
    asked = replace(problem(tmp_path, charges(), "charges", **{"search.trials": 8}), candidates=("least_squares",))
    outcome = train(asked, LocalStore(tmp_path / "artifacts"), inputs=None, jobs=1)
    assert outcome.verdict.promoted
    predictor = Predictor(outcome.bundle)
    (member,) = predictor.model.members
    assert member.candidate == "least_squares" and member.settings == {"fit_intercept": True}
    assert not predictor.has_trees
    leaderboard = outcome.bundle.json("metrics.json")["leaderboard"]
    assert {each["candidate"] for each in leaderboard} == {"least_squares", "baseline"}
    predictor.replay()
    assert seen == {1}, "several threads make sums, and with them the digest, depend on the number of cores"


def test_boosting_may_split_by_sets_of_levels(tmp_path, monkeypatch):
    """A setting of the trial decides; rows with a level that training never saw are answered all the same."""
    native = {"max_iter": 30, "native_levels": True}
    monkeypatch.setitem(CANDIDATES, "boosting", replaced(CANDIDATES["boosting"], tried=(native,)))
    asked = replace(problem(tmp_path, charges(), "charges", **{"search.trials": 1}), candidates=("boosting",))
    predictor = Predictor(train(asked, LocalStore(tmp_path / "artifacts"), inputs=None, jobs=1).bundle)
    (member,) = predictor.model.members
    assert member.settings == native
    categories = [field.name for field in predictor.schema if field.type == "category"]
    assert [each.field for each in member.encoding.outputs if each.kind == "rank"] == categories
    predictor.replay()
    row = {field.name: field.example for field in predictor.schema} | {categories[0]: "never seen"}
    assert np.isfinite(predictor.predict(columns_from_rows(predictor.schema, [row])).values[0])
