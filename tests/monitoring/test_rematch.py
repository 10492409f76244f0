"""The interval of a paired difference."""

import numpy as np
import pytest

from slipway.monitoring.rematch import difference


@pytest.mark.parametrize("size", [1, 5])
def test_the_interval_holds_the_truth_as_often_as_it_says_also_when_rows_belong_together(size):
    """600 samples of 40 units; the rows of a unit are alike."""
    random = np.random.default_rng(0)
    held = 0
    for _ in range(600):
        gains = np.repeat(random.normal(0.3, 1, 40), size) + random.normal(0, 0.3, 40 * size)
        before = random.exponential(size=40 * size)
        found = difference("error", before, before + gains, np.repeat(np.arange(40), size), 0.9)
        held += found.low <= 0.3 <= found.high
    assert held / 600 == pytest.approx(0.9, abs=2.5 * np.sqrt(0.09 / 600))


def test_what_pairs_share_does_not_widen_it():
    random = np.random.default_rng(0)
    before = random.exponential(1_000, 200)
    found = difference("error", before, before - 1 + random.normal(0, 0.1, 200), np.arange(200), 0.9)
    assert -1.1 < found.low < -1 < found.high < -0.9
    assert (found.rows, found.units) == (200, 200) and found.after == pytest.approx(found.before - 1, abs=0.05)


def test_without_a_difference_it_is_empty():
    found = difference("error", np.ones(50), np.ones(50), np.arange(50), 0.9)
    assert (found.low, found.high) == (0, 0)
