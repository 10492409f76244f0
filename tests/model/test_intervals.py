import numpy as np
import pytest

from slipway.model.contents import Estimate
from slipway.model.evaluation import IntervalLevel, Intervals
from slipway.model.intervals import interval, levels

NINE = IntervalLevel(level=0.9, below=(1.0, 10.0), above=(2.0, 20.0), coverage=Estimate(0.9, 0.85, 0.95))
ONE_BIN = IntervalLevel(level=0.8, below=(1.0,), above=(1.0,), coverage=Estimate(0.8, 0.75, 0.85))
TWO_BINS = Intervals(edges=(100.0,), levels=(NINE,))


def test_the_bin_of_the_answer_says_how_wide_its_interval_is():
    low, high = interval(TWO_BINS, np.array([-5.0, 99.9, 100.0, 5_000.0]), 0.9)
    assert low.tolist() == [-6.0, 98.9, 90.0, 4_990.0]
    assert high.tolist() == [-3.0, 101.9, 120.0, 5_020.0]


def test_no_interval_goes_below_what_the_target_can_be():
    low, high = interval(Intervals(edges=(), levels=(ONE_BIN,), least=0.0), np.array([0.5, 5.0]), 0.8)
    assert low.tolist() == [0.0, 4.0]
    assert high.tolist() == [1.5, 6.0]


def test_an_answer_below_what_the_target_can_be_is_in_its_interval():
    low, high = interval(Intervals(edges=(), levels=(ONE_BIN,), least=0.0), np.array([-0.5, -9.0]), 0.8)
    assert low.tolist() == [-0.5, -9.0]
    assert high.tolist() == [0.5, 0.0]


def test_a_level_that_the_bundle_has_not_is_named_with_those_it_has():
    with pytest.raises(ValueError, match="no interval of level 0.5; there are 0.9"):
        interval(TWO_BINS, np.array([1.0]), 0.5)


def test_the_levels_of_a_bundle():
    assert levels(TWO_BINS) == (0.9,)
    assert levels(None) == ()


def test_widths_fit_the_edges():
    with pytest.raises(ValueError, match="intervals of level 0.9 do not fit 0 edges"):
        Intervals(edges=(), levels=(NINE,))
    with pytest.raises(ValueError, match="must rise"):
        Intervals(edges=(2.0, 1.0), levels=())
