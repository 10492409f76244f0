from datetime import date, timedelta
from math import log, sqrt

import numpy as np
import pytest
from scipy.stats import norm

from slipway.model.reference import Loss
from slipway.monitoring.loss import Tally, last, limit, live_loss, sequence, tally

START = date(2026, 11, 1)
USUAL = Loss(1.0, 0.75)
ROWS = 2_000


def days_of(*means: float, rows: int = 200) -> list[Tally]:
    """Days without noise, whose rows deviate by 0.75 from their mean."""
    spread = np.tile([-0.75, 0.75], rows // 2)
    return [tally(START + timedelta(place), mean + spread) for place, mean in enumerate(means)]


def array(days: list[Tally]) -> np.ndarray:
    return np.array([(day.rows, day.total, day.squares) for day in days])


def test_losses_are_summed_up_by_day():
    assert tally(START, np.array([1.0, 2.0, 3.0])) == Tally(START, 3, 6.0, 14.0)
    assert tally(START, np.array([])) == Tally(START, 0, 0.0, 0.0)


def test_the_limit_has_a_tolerance_and_the_doubt_of_the_hold_out():
    assert limit(2.0, 10.0, 400) == pytest.approx(2.0 * 1.05 + 1.645 * 10 / 20)


def test_the_sequence_is_that_of_the_paper():
    low = sequence(array(days_of(1.2, 1.2, 1.2)), tuned=ROWS)
    t, alpha = 600, 0.025
    rho2 = (-2 * log(2 * alpha) + log(-2 * log(2 * alpha)) + 1) / ROWS
    radius = 0.75 * sqrt(2 * (t * rho2 + 1) / (t**2 * rho2) * log(1 + sqrt(t * rho2 + 1) / (2 * alpha)))
    assert low == pytest.approx(1.2 - radius)


def test_the_sequence_is_tightest_where_it_is_tuned_to():
    days = [array(days_of(*[1.0] * 5, rows=size)) for size in (40, 400, 4_000)]
    widths = {tuned: [1.0 - sequence(each, tuned) for each in days] for tuned in (200, 2_000, 20_000)}
    for place, tuned in enumerate(widths):
        assert min(widths, key=lambda other: widths[other][place]) == tuned


def test_the_last_days_share_a_year_of_looks():
    assert last(array(days_of(1.0, 1.0, 1.0, 1.0))) == pytest.approx(1 - norm.isf(0.025 / 365) * 0.75 / np.sqrt(800))


def test_bounds_of_many_runs_are_those_of_each():
    runs = np.stack([array(days_of(*means)) for means in ([1.0] * 20, [1.0, 2.0] * 10)])
    for bound in (last, lambda days: sequence(days, ROWS)):
        assert bound(runs).tolist() == [bound(run) for run in runs]


def test_a_loss_as_on_the_hold_out_crosses_nothing():
    found = live_loss(days_of(*[1.0] * 30), USUAL, ROWS)
    assert (found.release.rows, found.recent.rows) == (6_000, 5_600)
    assert found.release.mean == pytest.approx(1) and found.low < 1 < found.allowed and not found.crossed


def test_a_loss_that_grew_crosses():
    found = [live_loss(days_of(*[1.2] * number), USUAL, ROWS).crossed for number in range(1, 8)]
    assert found == sorted(found) and not found[0] and found[-1]


def test_a_decay_after_a_long_time_is_found_in_the_last_days():
    found = live_loss(days_of(*[1.0] * 300, *[1.25] * 28), USUAL, ROWS)
    assert found.release.low < found.allowed < found.recent.low == found.low and found.crossed


def test_days_without_labels_are_absent_from_the_last_28():
    early, late = days_of(1.0, 1.0), days_of(1.0)[0]
    found = live_loss([*early, Tally(START + timedelta(28), late.rows, late.total, late.squares)], USUAL, ROWS)
    assert (found.release.rows, found.recent.rows) == (600, 400)


NONE = Tally(START, 0, 0.0, 0.0)


@pytest.mark.parametrize("days", [[], [NONE], days_of(9.0, 9.0, 9.0, rows=32), days_of(9.0, 9.0), [*days_of(9.0, 9.0), NONE]])
def test_too_few_labels_or_days_have_no_bound(days):
    found = live_loss(days, USUAL, ROWS)
    assert (found.release.low, found.low, found.crossed) == (None, None, False)
    assert found.release.mean == (pytest.approx(9) if found.release.rows else None)


def test_a_loss_that_wobbles_from_day_to_day_has_a_wider_bound():
    still, wobbling = (live_loss(days_of(*means), USUAL, ROWS) for means in ([1.2] * 20, [1.0, 1.4] * 10))
    assert still.release.mean == pytest.approx(wobbling.release.mean)
    assert still.crossed and not wobbling.crossed


def test_a_lasting_change_is_no_wobble():
    means = [1.0] * 7 + [1.5] * 13
    step = array(days_of(*means))
    assert sequence(step, ROWS) == pytest.approx(np.mean(means) - 0.1, abs=0.05)
