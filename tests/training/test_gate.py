import numpy as np
import pytest

from slipway.problem import Gate
from slipway.training.gate import interval, judge
from slipway.training.metrics import Scored

RANDOM = np.random.default_rng(0)
Y = RANDOM.normal(10, 3, 400)
GOOD = Scored(Y, Y + RANDOM.normal(0, 0.5, 400))
BAD = Scored(Y, Y + RANDOM.normal(0, 1.0, 400))
GATE = Gate()


def test_without_a_champion_a_useful_model_is_promoted():
    verdict = judge("rmse", GOOD, None, 3.0, GATE, 0)
    assert verdict.promoted and "400 held-out rows" in verdict.reasons[0]


@pytest.mark.parametrize(
    ("challenger", "champion", "gate", "outcome", "says"),
    [
        (GOOD, BAD, GATE, "promoted", "gain 0.4"),
        (BAD, GOOD, GATE, "kept", "below gate.minimum_gain, 0"),
        (GOOD, GOOD, GATE, "kept", "below the required confidence of 90%"),
        (GOOD, BAD, Gate(minimum_gain=0.9), "kept", "below gate.minimum_gain, 0.9"),
        (GOOD, BAD, Gate(minimum=0.1), "kept", "misses the minimum of 0.1"),
        (GOOD, BAD, Gate(minimum=0.6), "promoted", "better in 100.0%"),
    ],
)
def test_verdicts(challenger, champion, gate, outcome, says):
    verdict = judge("rmse", challenger, champion, 3.0, gate, 0)
    assert verdict.outcome == outcome
    assert any(says in reason for reason in verdict.reasons), verdict.reasons


def test_a_gain_that_may_be_chance_is_not_enough():
    rival = Scored(Y, GOOD.scores + RANDOM.normal(0, 0.05, 400))
    better, worse = sorted([GOOD, rival], key=lambda one: np.mean((one.scores - Y) ** 2))
    assert judge("rmse", better, worse, 3.0, Gate(confidence=0.999), 0).outcome == "kept"


def test_a_model_no_better_than_the_baseline_is_refused():
    verdict = judge("rmse", Scored(Y, np.full(400, 10.5)), None, 3.0, GATE, 0)
    assert verdict.outcome == "kept" and "baseline" in verdict.reasons[0]


def test_for_a_metric_of_which_more_is_better_the_sign_turns():
    y = (Y > 10).astype(int)
    good, bad = Scored(y, 1 / (1 + np.exp(10 - GOOD.scores)), 0.5), Scored(y, RANDOM.random(400), 0.5)
    assert judge("roc_auc", good, bad, 0.5, GATE, 0).promoted
    assert not judge("roc_auc", bad, good, 0.5, GATE, 0).promoted


def test_the_interval_holds_the_value_and_narrows_with_rows():
    wide, narrow = (interval("rmse", GOOD.take(np.arange(size)), 0.9, 0) for size in (40, 400))
    assert narrow.low < narrow.value < narrow.high
    assert narrow.high - narrow.low < wide.high - wide.low


def test_too_few_rows_do_not_judge():
    assert judge("rmse", GOOD.take(np.arange(5)), None, 3.0, GATE, 0).outcome == "kept"
