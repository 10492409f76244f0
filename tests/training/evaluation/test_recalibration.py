import numpy as np
import pytest

from slipway.model.metrics import Scored
from slipway.model.predictor import calibrated
from slipway.training.evaluation.recalibration import decided
from slipway.training.evaluation.reliability import reliability


def answers(rows: int, exaggerated: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, and probabilities whose logits are too large by a factor."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 1.5, rows)
    y = (random.random(rows) < 1 / (1 + np.exp(-logits))).astype(np.int64)
    return y, 1 / (1 + np.exp(-exaggerated * logits))


def test_exaggerated_probabilities_are_corrected():
    y, said = answers(2_000, exaggerated=2.5)
    calibration, told = decided(y, said, 0)
    assert calibration.slope == pytest.approx(1 / 2.5, rel=0.15) and abs(calibration.shift) < 0.2
    assert told.method == "logit" and told.after < told.before and told.gain.low > 0
    assert reliability(Scored(y, said, 0.5), 0.9, 0).error.value > 0.08
    after = reliability(Scored(y, calibrated(said, calibration), 0.5), 0.9, 0)
    assert after.error.value <= after.chance


def test_ranks_stay():
    y, said = answers(500, exaggerated=3.0)
    after = calibrated(said, decided(y, said, 0)[0])
    assert (np.argsort(after, kind="stable") == np.argsort(said, kind="stable")).all()


def test_probabilities_that_come_true_stay_as_they_are():
    kept = [decided(*answers(400, 1.0, seed), 0)[0] is None for seed in range(20)]
    assert sum(kept) >= 17  # 19 expected


def test_too_few_rows_of_a_class_tell_nothing():
    assert decided(*answers(60, 3.0), 0) == (None, None)


def test_rows_without_an_answer_do_not_count():
    y, said = answers(1_000, exaggerated=2.5)
    missing = np.concatenate([said, np.full(50, np.nan)]), np.concatenate([y, np.ones(50, dtype=np.int64)])
    assert decided(missing[1], missing[0], 0)[0].slope == decided(y, said, 0)[0].slope


def test_the_error_of_the_probabilities_is_told_with_what_chance_makes_of_perfect_ones():
    exceeded = [
        one.error.value > one.chance for one in (reliability(Scored(*answers(300, 1.0, s), 0.5), 0.9, 0) for s in range(40))
    ]
    assert sum(exceeded) <= 9  # 4 expected
