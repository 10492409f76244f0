from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from slipway.model.metrics import Scored
from slipway.sections import Gate
from slipway.training.measures.goal import Goal
from slipway.training.measures.units import Units, single
from slipway.training.verdict.gate import Verdict, interval, judge, percent, shuffled_chance
from slipway.training.verdict.looks import Held, Look, Looks, past_looks

RANDOM = np.random.default_rng(0)
Y = RANDOM.normal(10, 3, 400)
GOOD = Scored(Y, Y + RANDOM.normal(0, 0.5, 400))
BAD = Scored(Y, Y + RANDOM.normal(0, 1.0, 400))
DUMMY = Scored(Y, np.full(400, 9.9))
GATE = Gate()
HELD = Held(400, "0123456789")
FIRST = Look(0.06, 1, HELD, 0.1)
RMSE = Goal("rmse", None, 0)


def test_without_a_champion_a_useful_model_is_promoted():
    verdict = judge(RMSE, GOOD, None, DUMMY, GATE, FIRST)
    assert verdict.promoted and "against the baseline's" in verdict.reasons[0] and "400 held-out rows" in verdict.reasons[0]
    met = verdict.meeting
    assert (met.rival, met.rows, met.allowed, met.yearly, met.look) == ("baseline", 400, 0.06, 0.1, 1)
    assert met.low < met.gain < met.high and met.gain == pytest.approx(met.against - met.challenger) and met.chance < 1e-4
    assert verdict.to_json()["figures"]["gain"] == met.gain


@pytest.mark.parametrize(
    ("challenger", "champion", "gate", "outcome", "says"),
    [
        (GOOD, BAD, GATE, "promoted", "gain 0.4"),
        (BAD, GOOD, GATE, "kept", "worse than the champion"),
        (GOOD, GOOD, GATE, "kept", "not certain enough"),
        (GOOD, BAD, Gate(minimum_gain=0.9), "kept", "below gate.minimum_gain, 0.9"),
        (GOOD, BAD, Gate(minimum=0.1), "kept", "misses gate.minimum, 0.1"),
        (GOOD, BAD, Gate(minimum=0.6), "promoted", "comparison 1 this year; false promotions are limited to 10% in a year"),
        (DUMMY, BAD, GATE, "kept", "a baseline that ignores all features"),
        (DUMMY, None, GATE, "kept", "a baseline that ignores all features"),
    ],
)
def test_verdicts(challenger, champion, gate, outcome, says):
    verdict = judge(RMSE, challenger, champion, DUMMY, gate, FIRST)
    assert verdict.outcome == outcome
    assert any(says in reason for reason in verdict.reasons), verdict.reasons
    assert verdict.look == FIRST, "a challenger that is kept has looked, too"


def test_a_gain_that_may_be_chance_is_not_enough():
    random = np.random.default_rng(1)
    rival = Scored(Y, GOOD.scores + random.normal(0, 0.05, 400))
    better, worse = sorted([GOOD, rival], key=lambda one: np.mean((one.scores - Y) ** 2))
    sure, unsure = (judge(RMSE, better, worse, DUMMY, GATE, Look(allowed, 2, HELD)) for allowed in (0.999, 0.001))
    assert 0.001 < sure.meeting.chance == unsure.meeting.chance < 0.999
    assert (sure.outcome, unsure.outcome) == ("promoted", "kept")
    assert "not certain enough: the probability of a gain this large by chance is " in unsure.reasons[1]
    assert "this training allows 0.1%" in unsure.reasons[1]


def test_no_yearly_limit_is_claimed_when_looks_may_be_unknown():
    verdict = judge(RMSE, GOOD, BAD, DUMMY, GATE, Look(0.06, 3, HELD, None, "remote is not set", 1))
    assert verdict.reasons[1].endswith(
        "comparison 3 this year (1 of the earlier ones ended with kept), counting only those known on this machine, "
        "because remote is not set: the yearly limit on false promotions is not guaranteed"
    )
    assert verdict.meeting.yearly is None


def test_a_first_model_of_an_unrelated_target_is_seldom_promoted():
    """In at most 10 % of trainings and 2 standard errors; the baseline alone let half of them through."""
    random = np.random.default_rng(1)
    promoted = dict.fromkeys(("roc_auc", "pr_auc", "f1"), 0)
    for _ in range(40):
        y = (random.random(60) < 0.35).astype(int)
        scored, dummy = Scored(y, np.clip(random.normal(0.4, 0.15, 60), 0.01, 0.99), 0.5), Scored(y, np.full(60, 0.35), 0.5)
        for metric in promoted:
            promoted[metric] += judge(Goal(metric, None, 0), scored, None, dummy, GATE, Look(0.1, 1, HELD)).promoted
    assert max(promoted.values()) <= 4 + 3, promoted


@pytest.mark.parametrize("metric", ["rmse", "roc_auc"])
def test_a_first_model_of_groups_that_it_knows_nothing_of_is_seldom_promoted(metric):
    """Rows of a group have a level of their own: drawn one by one, they let a third of such models through."""
    random, group = np.random.default_rng(5), np.repeat(np.arange(12), 10)
    promoted = []
    for _ in range(60):
        y, scores = random.normal(size=12)[group] + random.normal(0, 0.5, 120), 0.5 + 0.05 * random.normal(size=12)[group]
        scored, dummy, threshold = Scored(y, scores - 0.5), Scored(y, np.zeros(120)), None
        if metric == "roc_auc":
            y, threshold = (y > 0).astype(int), 0.5
            scored, dummy = Scored(y, scores, threshold), Scored(y, np.full(120, 0.5), threshold)
        promoted.append(judge(Goal(metric, None, 0), scored, None, dummy, GATE, Look(0.067, 1, HELD), Units(group)).promoted)
    assert sum(promoted) <= 4 + 4, sum(promoted)


def test_a_gain_in_every_group_is_still_promoted():
    verdict = judge(RMSE, GOOD, BAD, DUMMY, GATE, FIRST, Units(np.arange(400) // 40))
    alone = judge(RMSE, GOOD, BAD, DUMMY, GATE, FIRST)
    assert verdict.promoted and verdict.meeting.chance >= alone.meeting.chance


def test_too_few_groups_cannot_judge():
    verdict = judge(RMSE, GOOD, BAD, DUMMY, GATE, FIRST, Units(np.arange(400) // 200))
    assert (verdict.outcome, verdict.look) == ("kept", None) and "too few groups or moments to judge by" in verdict.reasons[0]


def monthly(challengers, champion, dummy, helds) -> list[Verdict]:
    """The verdicts of a year: one challenger a month meets the champion, and each look is in the journal of the next."""
    entries, verdicts = [], []
    for month, (challenger, held) in enumerate(zip(challengers, helds)):
        now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=30 * month)
        look = Looks(past_looks(entries, "a"), 0.1).next(str(month), "champion", held, now)
        verdicts.append(judge(RMSE, challenger, champion[month % len(champion)], dummy[month % len(dummy)], GATE, look))
        noted = {"at": now.isoformat(), "problem": "a", "digest": str(month), "champion": "champion"}
        entries.append(noted | {"outcome": verdicts[-1].outcome, "look": look.to_json()})
    return verdicts


def like(y: np.ndarray, noise: float, random: np.random.Generator) -> Scored:
    return Scored(y, y + random.normal(0, noise, len(y)))


def test_a_year_of_equal_challengers_seldom_promotes_one():
    """At most 10 % and 2 standard errors of 50 years; a confidence of 90 % at each look made it seven of ten."""
    random, years = np.random.default_rng(3), []
    for _ in range(50):
        y = random.normal(10, 3, 60)
        equal = [like(y, 1, random) for _ in range(12)]
        verdicts = monthly(equal, [like(y, 1, random)], [Scored(y, np.full(60, 10.0))], [HELD] * 12)
        years.append(any(verdict.promoted for verdict in verdicts))
    assert sum(years) <= 5 + 4, sum(years)


def test_a_true_gain_of_two_standard_errors_is_promoted_within_three_looks():
    """In at least 80 % less 2 standard errors of 40 runs, where each look has new rows."""
    random, runs = np.random.default_rng(4), []
    for _ in range(40):
        ys = [random.normal(10, 3, 120) for _ in range(3)]
        better = [like(y, 1, random) for y in ys]
        # squares of errors with the variances 1 and v differ by v - 1 with the standard error sqrt((2 + 2 v²) / 120)
        champion = [like(y, np.sqrt(1.45), random) for y in ys]
        helds = [Held(120, "".join(f"{number:010x}" for number in range(50 * turn, 50 * turn + 50))) for turn in range(3)]
        verdicts = monthly(better, champion, [Scored(y, np.full(120, 10.0)) for y in ys], helds)
        runs.append(any(verdict.promoted for verdict in verdicts))
    assert sum(runs) >= 32 - 5, sum(runs)


def test_a_metric_that_flatters_small_tables_meets_shuffled_targets():
    """Average precision is above the share of positives by chance: bootstrap draws of 60 rows cannot tell that."""
    random = np.random.default_rng(2)
    chances = []
    for _ in range(30):
        y = np.zeros(60, dtype=int)
        y[random.choice(60, 6, replace=False)] = 1
        chances.append(shuffled_chance("pr_auc", Scored(y, random.random(60), 0.5), 0, single(60)))
    assert np.mean(np.array(chances) <= 0.1) <= 0.21 and np.mean(np.array(chances) <= 0.5) == pytest.approx(0.5, abs=0.18)


def test_the_other_metrics_are_heard():
    """The ranking is good, but every probability is far too high."""
    y = (Y > 10).astype(int)
    scored = Scored(y, 0.98 + 0.001 * GOOD.scores, 0.5)
    verdict = judge(Goal("roc_auc", None, 0), scored, None, Scored(y, np.full(400, y.mean()), 0.5), GATE, FIRST)
    assert verdict.promoted and "but worse than the baseline by accuracy, log_loss and brier" in verdict.reasons
    assert verdict.meeting.worse == ("accuracy", "log_loss", "brier")


def test_a_promotion_can_be_refused_whatever_the_figures_say():
    verdict = judge(RMSE, GOOD, BAD, DUMMY, GATE, FIRST).refused("a field leaks the target")
    assert (verdict.outcome, verdict.reasons[0]) == ("kept", "a field leaks the target")
    assert verdict.meeting.gain > 0 and verdict.look == FIRST and verdict.to_json()["doubted"]


@pytest.mark.parametrize(
    ("share", "says"), [(0.00001, "below 0.01%"), (0.0667, "6.7%"), (0.985, "98%"), (0.996, "above 99%"), (1.0, "100%")]
)
def test_a_chance_is_a_percentage_that_people_read(share, says):
    assert percent(share) == says


def test_for_a_metric_of_which_more_is_better_the_sign_turns():
    random = np.random.default_rng(1)
    y = (Y > 10).astype(int)
    good, bad = Scored(y, 1 / (1 + np.exp(10 - GOOD.scores)), 0.5), Scored(y, random.random(400), 0.5)
    goal, dummy = Goal("roc_auc", None, 0), Scored(y, np.full(400, 0.5), 0.5)
    assert judge(goal, good, bad, dummy, GATE, FIRST).promoted
    assert not judge(goal, bad, good, dummy, GATE, FIRST).promoted


def test_the_interval_holds_the_value_and_narrows_with_rows():
    wide, narrow = (interval("rmse", GOOD.take(np.arange(size)), 0.9, 0, single(size)) for size in (40, 400))
    assert narrow.low < narrow.value < narrow.high
    assert narrow.high - narrow.low < wide.high - wide.low


@pytest.mark.parametrize("rows", [np.arange(5), np.nonzero(Y > 10)[0]])
def test_rows_that_cannot_judge_are_no_look(rows):
    """Too few, or all of one class."""
    y = (Y > 10).astype(int)
    good = Scored(y, 1 / (1 + np.exp(10 - GOOD.scores)), 0.5).take(rows)
    verdict = judge(Goal("roc_auc", None, 0), good, None, Scored(good.y, np.full(len(rows), 0.5), 0.5), GATE, FIRST)
    assert (verdict.outcome, verdict.meeting, verdict.look) == ("kept", None, None)
    assert "too few to judge by" in verdict.reasons[0] or "all of one class" in verdict.reasons[0]
