"""What counts as a flip, and where flips are concentrated, from arrays alone."""

import numpy as np
import pytest

from slipway.model.contents import Estimate
from slipway.model.evaluation import IntervalLevel, Intervals
from slipway.model.scoring import Answers
from slipway.monitoring.bins import Column
from slipway.monitoring.flips import Flips, Pairs, pairs_of_labels, pairs_of_numbers
from slipway.table.schema import MISSING, UNSEEN
from watched import LEVELS, number

BEFORE = np.array([100.0, 100.0, 100.0, -100.0, 0.0])
AFTER = np.array([100.0, 104.0, 106.0, -94.0, 1.0])


def test_without_an_interval_a_number_flips_by_more_than_five_per_cent():
    pairs = pairs_of_numbers(BEFORE, AFTER, None)
    assert pairs.flipped.tolist() == [False, False, True, True, True] and not pairs.by_interval
    assert pairs.moved.tolist() == [0, 4, 6, 6, 1]


@pytest.mark.parametrize("level, flipped", [(0.9, [False, True, True, False, False]), (0.8, [False, False, True, True, True])])
def test_with_one_it_flips_by_leaving_that_of_ninety_per_cent(level, flipped):
    widths = IntervalLevel(
        level=level, below=(2.0,), above=(3.0 if level == 0.9 else 100.0,), coverage=Estimate(0.9, 0.9, 0.9)
    )
    after = AFTER.copy()
    after[3] = -98.0 if level == 0.9 else -94.0
    pairs = pairs_of_numbers(BEFORE, after, Intervals(edges=(), levels=(widths,)))
    assert pairs.flipped.tolist() == flipped


def flips_in(column: Column, values: np.ndarray, flipped: np.ndarray) -> Flips:
    """Rows of one column, added in two pieces."""
    flips = Flips([column])
    for half in np.array_split(np.arange(len(values)), 2):
        moved = flipped[half] * 1.0
        pairs = Pairs(np.zeros(len(half)), moved, moved, flipped[half])
        flips.add(pairs, np.ones(len(half)), {column.name: values[half]}, (["a"] * len(half), range(len(half))))
    return flips


@pytest.mark.parametrize(
    "code, where", [(1, "region = south"), (MISSING, "region missing"), (UNSEEN, "region of an unseen level")]
)
def test_a_level_a_missing_cell_and_an_unseen_level_can_be_where_answers_change(code, where):
    column = Column("field/region", "region", LEVELS, np.array([0, 0, 0, 50, 50]), 100, levels=("north", "south"))
    values = np.array([0, 1, MISSING, UNSEEN] * 100)
    [spot] = flips_in(column, values, values == code).spots
    assert (spot.where, spot.rows, spot.share) == (where, 100, 1.0)


@pytest.mark.parametrize("place, where", [(0, "x below"), (4, "x from"), (9, "x of")])
def test_a_range_of_numbers_too(place, where):
    column = number(name="x")
    values = np.random.default_rng(0).normal(size=2_000)
    inside = np.digitize(values, column.edges[1:-1]) == place
    [spot] = flips_in(column, values, inside).spots
    assert spot.where.startswith(where) and spot.rows == inside.sum()


def test_what_is_sure_but_small_is_no_spot():
    column = Column("field/region", "region", LEVELS, np.array([0, 0, 0, 50, 50]), 100, levels=("north", "south"))
    values = np.repeat([0, 1], 50_000)
    flipped = np.tile(np.arange(1_000) < 100, 100)
    flipped[50_000:] |= np.tile(np.arange(1_000) < 120, 50)  # 12 % there, 10 % elsewhere
    assert flips_in(column, values, flipped).spots == []


def test_all_or_nothing_has_no_spot():
    column = number(name="x")
    for flipped in (np.zeros(100, dtype=bool), np.ones(100, dtype=bool)):
        assert flips_in(column, np.zeros(100), flipped).spots == []


def test_flips_that_are_spread_evenly_have_no_spot():
    """Of 200 logs without any concentration at most one in twenty has a spot, and a few by chance."""
    random = np.random.default_rng(0)
    column = number(name="x")
    seen = 0
    for _ in range(200):
        seen += bool(flips_in(column, random.normal(size=500), random.random(500) < 0.1).spots)
    assert seen <= 0.05 * 200 + 2 * np.sqrt(200 * 0.05 * 0.95)


def test_a_label_that_stays_is_shown_with_the_probability_that_moved():
    """The classes of the two need not have one order."""
    before = Answers(None, np.array(["yes", "no"], dtype=object), np.array([[0.4, 0.6], [0.7, 0.3]]), {}, {})
    after = Answers(None, np.array(["yes", "yes"], dtype=object), np.array([[0.9, 0.1], [0.55, 0.45]]), {}, {})
    flips = Flips([])
    flips.add(pairs_of_labels(before, after, ("no", "yes"), ("yes", "no")), np.ones(2), {}, (["a", "b"], [0, 1]))
    assert [(each.request, each.before, each.after) for each in flips.most] == [
        ("a", "yes (0.6000)", "yes (0.9000)"),
        ("b", "no (0.7000)", "yes (0.5500)"),
    ]
