import numpy as np
import pytest

from slipway.model.intervals import interval
from slipway.model.metrics import Scored
from slipway.training.evaluation.conformal import intervals, residuals


def errors_that_grow(rows: int, seed: int = 0) -> Scored:
    random = np.random.default_rng(seed)
    answers = random.uniform(1, 10, rows)
    return Scored(answers + answers * random.normal(size=rows), answers)


def test_a_large_answer_has_a_wider_interval():
    found = intervals(errors_that_grow(600), None, 0.9, 0)
    assert [one.level for one in found.levels] == [0.8, 0.9, 0.95]
    for one in found.levels:
        assert len(one.below) == len(found.edges) + 1 == 10
        assert one.below == one.above and one.below[-1] > 3 * one.below[0]
    narrow, _, wide = found.levels
    assert all(few < many for few, many in zip(narrow.above, wide.above))


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_it_holds_the_truth_as_often_as_it_says(level):
    found, fresh = intervals(errors_that_grow(2_000), None, 0.9, 0), errors_that_grow(5_000, seed=1)
    low, high = interval(found, fresh.scores, level)
    assert np.mean((low <= fresh.y) & (fresh.y <= high)) == pytest.approx(level, abs=0.03)
    said = next(one.coverage for one in found.levels if one.level == level)
    assert said.low <= level <= said.high


def test_its_width_is_of_the_rows_with_the_finite_sample_correction():
    scored = Scored(np.arange(1.0, 40.0), np.zeros(39))  # errors 1 to 39, all answers alike
    found = intervals(scored, None, 0.9, 0)
    assert found.edges == ()
    assert [one.above for one in found.levels] == [(32.0,), (36.0,), (38.0,)]  # ceil(40 · level)


def test_a_level_that_so_few_rows_cannot_vouch_for_is_left_out():
    assert [one.level for one in intervals(errors_that_grow(20), None, 0.9, 0).levels] == [0.8, 0.9]
    assert intervals(errors_that_grow(6), None, 0.9, 0) is None


def test_residuals_are_actual_minus_predicted_by_rising_answer():
    found = residuals(errors_that_grow(1_000), 0)
    assert len(found.predicted) == len(found.actual) == 400
    assert sum(band.rows for band in found.bands) == 1_000 and len(found.bands) == 10
    assert [band.low for band in found.bands] == sorted(band.low for band in found.bands)
    assert found.bands[-1].q90 - found.bands[-1].q10 > 5 * (found.bands[0].q90 - found.bands[0].q10)
