"""The search: rounds counted in fits, iterations read from a validation curve, the simpler of equals, and blends."""

from dataclasses import replace

import numpy as np
import pytest

from slipway.table.schema import Field, Schema
from slipway.training.comparison import search as searching
from slipway.training.comparison import work
from slipway.training.comparison.choice import chosen, complexity, lag
from slipway.training.comparison.measured import Measured, settled
from slipway.training.comparison.search import rounds, search
from slipway.training.comparison.speed import Speed
from slipway.training.comparison.work import part_of
from slipway.training.data.labelled import Rows
from slipway.training.fitting.candidates import Blend, Trial, trials
from slipway.training.fitting.fitted import fit, stages
from slipway.training.measures.goal import Goal

RMSE = Goal("rmse", None, 0)
SCHEMA = Schema((Field("a", "number"), Field("b", "number")))
BOOSTING = {"learning_rate": 0.1, "max_leaf_nodes": 8, "min_samples_leaf": 10}


def table(target, rows=300, task="regression", classes=()):
    random = np.random.default_rng(0)
    columns = {"a": random.normal(size=rows), "b": random.normal(size=rows)}
    return Rows(SCHEMA, columns, target(columns["a"], columns["b"], random), task, classes)


def straight(a, b, random):
    return 3 * a + b + random.normal(size=len(a))


def curved(a, b, random):
    return 3 * np.sin(2 * a) * (b > 0) + 0.3 * random.normal(size=len(a))


def mixed(a, b, random):
    """A plane and steps: a linear model sees the one, trees the other."""
    return 2 * a + 2 * b + np.sign(a * b) + 0.7 * random.normal(size=len(a))


def test_many_trials_are_halved_and_few_are_compared_once():
    assert [(each.folds, each.part, each.most) for each in rounds(800, 10, 20, 5, 30)] == [
        (2, 4_000, 30),
        (3, 16_000, 10),
        (20, 800, 5),
    ]
    assert [(each.folds, each.most) for each in rounds(800, 10, 20, 5, 8)] == [(3, 10), (20, 5)]
    assert [(each.folds, each.most) for each in rounds(800, 10, 20, 5, 4)] == [(5, 4)]


def test_a_wide_table_begins_with_fewer_rows():
    assert [each.part for each in rounds(40_000, 1_000, 3, 3, 30)] == [2_000, 8_000, 40_000]


def test_where_a_fold_holds_out_many_rows_the_first_rounds_make_one_less():
    assert [each.folds for each in rounds(5_000, 10, 5, 5, 30)] == [1, 2, 5]
    assert [each.folds for each in rounds(4_999, 10, 5, 5, 30)] == [2, 3, 5]


def test_where_a_fold_holds_out_very_many_rows_one_is_enough_before_the_end():
    assert [each.folds for each in rounds(18_000, 10, 3, 3, 30)] == [1, 1, 3]
    assert [each.folds for each in rounds(17_999, 10, 3, 3, 30)] == [1, 2, 3]


def test_folds_of_a_table_that_is_not_small_are_not_repeated():
    assert [each.folds for each in rounds(2_000, 50, 10, 5, 30)] == [2, 3, 10]
    assert [each.folds for each in rounds(2_000, 51, 10, 5, 30)] == [2, 3, 5]


def test_a_finalist_learns_in_smaller_steps_where_there_is_room_for_more_of_them():
    trial = Trial("boosting", BOOSTING)
    assert trial.refined(300).settings["learning_rate"] == 0.05
    assert trial.refined(301) == trial


def test_a_part_of_the_rows_keeps_the_share_of_each_class():
    rows = table(lambda a, b, random: (np.arange(len(a)) % 10 == 0).astype(int), 1_000, "binary", ("no", "yes"))
    some = part_of(rows, np.arange(900), 100, seed=0)
    assert len(some) == 100 and rows.y[some].sum() == 10
    assert some.tolist() == part_of(rows, np.arange(900), 100, seed=0).tolist()


def test_a_fit_that_an_earlier_round_made_is_not_made_again(monkeypatch):
    made, fitting = [], work.Work.stages
    monkeypatch.setattr(work.Work, "stages", lambda self, job: made.append(job) or fitting(self, job))
    rows, compared = table(straight), [Trial("linear", {"penalty": float(penalty)}) for penalty in range(1, 13)]
    found = search(rows, compared, RMSE, 1).entries
    apart = {(job.trial.settings["penalty"], job.fold) for job in made}
    assert len(made) == len(apart) == 12 * 2 + 10 * 1 + 5 * 17  # of the rounds of 2, 3 and 20 folds
    monkeypatch.setattr(work, "ROOM", 0)
    again = search(rows, compared, RMSE, 1).entries
    assert len(made) == len(apart) + 12 * 2 + 10 * 3 + 5 * 20
    assert [(each.trial, each.mean) for each in again] == [(each.trial, each.mean) for each in found]


def test_what_no_trial_asks_for_any_more_is_forgotten():
    known, answers = work.Known(), {0: np.zeros(3)}
    staying, leaving = (work.Job(0, Trial("linear", {"penalty": penalty}), 0, 240) for penalty in (1.0, 2.0))
    known.keep(staying, answers)
    known.keep(leaving, answers)
    assert known.divide([replace(staying, number=1), replace(staying, fold=1)]) == (
        [(replace(staying, number=1), answers)],
        [replace(staying, fold=1)],
    )
    assert known.divide([leaving]) == ([], [leaving])
    assert known.divide([replace(staying, part=100)])[0] == []  # it learns from other rows


def test_one_fit_answers_for_every_number_of_iterations():
    """The staged answers are those of fits that end there."""
    rows = table(curved)
    learned, held = rows.take(np.arange(200)), rows.take(np.arange(200, 300))
    answers = stages(Trial("boosting", BOOSTING), learned, held, 0)
    assert len(answers) > 5
    for iterations in (10, 40):
        alone = fit(Trial("boosting", BOOSTING).settled(iterations), learned, 0)
        np.testing.assert_allclose(answers[iterations], alone.scores(held.columns))


@pytest.mark.parametrize(("step", "patience"), [(0.1, 15), (0.05, 30)])
def test_a_fit_ends_when_nothing_was_gained_for_a_while_which_is_longer_in_smaller_steps(step, patience):
    rows, trial = table(curved), Trial("boosting", BOOSTING | {"learning_rate": step})
    learned, held = rows.take(np.arange(200)), rows.take(np.arange(200, 300))
    answers = stages(trial, learned, held, 0)
    best = fit(trial.settled(max(answers) - patience), learned, 0).scores(held.columns)
    assert all(np.mean((held.y - best) ** 2) < np.mean((held.y - other) ** 2) + 1e-12 for other in answers.values())


def test_the_number_of_iterations_is_found_inside_the_folds():
    found = search(table(straight), [Trial("boosting", BOOSTING), Trial("boosting", BOOSTING | {"max_iter": 600})], RMSE, 1)
    best, other = found.entries[:2]
    assert best.trial.settings["max_iter"] < 600 and best.mean < other.mean


def test_the_linear_model_is_chosen_where_it_does_as_well():
    found = search(table(straight), trials(("linear", "boosting"), 4, "regression", 0, False), RMSE, 1)
    assert found.entries[0].trial.candidate == "linear"


def test_a_blend_is_chosen_where_it_wins_beyond_its_error():
    found = search(table(mixed), trials(("linear", "boosting"), 2, "regression", 0, False), RMSE, 1)
    best = found.entries[0]
    assert isinstance(best.trial, Blend) and {each.candidate for each in best.trial.trials} == {"linear", "boosting"}
    assert sum(best.trial.weights) == pytest.approx(1)
    assert all(best.mean < entry.mean for entry in found.entries[1:])


def test_a_blend_of_two_settings_of_one_candidate_names_what_differs():
    linear = {"penalty": 1.0, "solver": "one"}
    ones = Trial("linear", linear), Trial("linear", linear | {"penalty": 10.0}), Trial("boosting", {"max_iter": 9})
    described = Blend(ones, (0.5, 0.25, 0.25)).described()
    assert described == {"of": "0.5 linear (penalty 1.0) + 0.25 linear (penalty 10.0) + 0.25 boosting"}


def test_the_bound_keeps_out_what_would_answer_too_slowly():
    rows = table(mixed)
    compared = trials(("linear", "boosting"), 2, "regression", 0, False)
    quick = search(rows, compared, RMSE, 1, bound=20).entries
    times = [Speed(rows).microseconds(entry.trial) for entry in quick if entry.trial]
    assert not any(isinstance(entry.trial, Blend) for entry in quick) and max(times) <= 20
    nothing = search(rows, compared, RMSE, 1, bound=1.0)
    assert "no candidate keeps serving.max_row_microseconds" in nothing.remarks[0]


def measured(trial, *values):
    return Measured(trial, {}, np.array(values), None, RMSE)


def test_of_those_within_a_standard_error_the_simplest_is_chosen_or_a_blend_that_does_better():
    linear, small = Trial("linear", {"penalty": 1.0}), Trial("boosting", {"max_iter": 100, "max_leaf_nodes": 8})
    both = Blend((linear, small), (0.5, 0.5))
    best = measured(small, 10.0, 12.0, 11.0, 13.0, 9.0)
    near = measured(linear, 10.1, 11.8, 10.9, 13.2, 8.8)
    behind = measured(linear, 9.0, 11.1, 9.9, 12.0, 8.1)
    better, worse, far = (measured(both, 10.1 + more, 11.8, 10.9, 13.2, 8.8) for more in (0.1, -0.1, -9))
    assert chosen([best, near], 200) is near
    assert chosen([best, behind], 200) is best
    assert chosen([best, near, better], 200) is better
    assert chosen([best, near, worse], 200) is near
    assert chosen([best, behind, far], 200) is best


def test_the_number_of_iterations_is_that_of_the_least_loss():
    """Later answers are far too sure, but their ranks are a little better."""
    random = np.random.default_rng(0)
    y, noise = random.integers(0, 2, 400), random.normal(0, 1.5, 400)
    sure, surer = (1 / (1 + np.exp(-size * (2 * y - 1 + share * noise))) for size, share in ((1, 1.0), (6, 0.9)))
    held = [(np.arange(200, 400), np.arange(200)), (np.arange(200), np.arange(200, 400))]
    staged = {fold: {10: sure[rows], 100: surer[rows]} for fold, (_, rows) in enumerate(held)}
    rows = Rows(Schema(()), {}, y, "binary", ("no", "yes"))
    found = settled(Trial("boosting", BOOSTING), staged, rows, held, Goal("roc_auc", None, 0))
    assert found.trial.settings["max_iter"] == 10 and found.goal.metric == "roc_auc"


def test_the_error_of_a_lag_is_that_of_the_differences():
    linear = Trial("linear", {"penalty": 1.0})
    behind, error = lag(measured(linear, 1.0, 2.0, 3.0, 4.0), measured(linear, 1.5, 2.5, 3.5, 5.5))
    assert (behind, error) == (pytest.approx(0.75), pytest.approx(0.25))


def test_complexity_is_of_kinds():
    linear, small, large = (
        Trial("linear", {"penalty": 1.0}),
        Trial("boosting", {"max_iter": 100, "max_leaf_nodes": 8, "min_samples_leaf": 10}),
        Trial("forest", {"min_samples_leaf": 1}),
    )
    both = Blend((linear, small), (0.5, 0.5))
    assert [complexity(each, 1_000) for each in (linear, small, large, both)] == [0, 1, 2, 3]


def test_what_left_earlier_says_after_which_round(monkeypatch):
    monkeypatch.setattr(searching, "FEW", 2)
    steps = []
    found = search(table(curved), trials(("linear", "boosting"), 8, "regression", 0, False), RMSE, 1, steps.append)
    reasons = {entry.reason for entry in found.entries}
    assert reasons == {"", "left after round 1 of 3", "left after round 2 of 3"}
    assert all((entry.answers is None) == bool(entry.reason) for entry in found.entries)
    assert found.entries[0].answers.shape == (300,) and np.isfinite(found.entries[0].answers).all()
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    assert steps[-1].done == pytest.approx(steps[-1].total)
    assert steps[0].best is None and steps[-1].best is not None


def test_early_rounds_rank_by_what_moves_with_every_answer_and_tell_the_metric_asked_for(monkeypatch):
    monkeypatch.setattr(searching, "FEW", 1)
    rows = table(lambda a, b, random: (a + b > 0).astype(int), 200, "binary", ("no", "yes"))
    found = search(rows, trials(("linear",), 12, "binary", 0, False), Goal("accuracy", None, 0), 1)
    assert {entry.reason for entry in found.entries} > {""}
    assert all(0.4 < entry.mean <= 1 for entry in found.entries)
