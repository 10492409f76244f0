"""The rates of false alarms and of what is found, as docs/monitoring.md states them: simulated from counts.

What is drawn has no drift but what a reference of so many rows is wrong by, or the one that a test names.
"""

from datetime import date, timedelta
from itertools import product

import numpy as np
import pytest
from scipy.stats import norm

from slipway.monitoring.drift import Day, floor, look, suspicious, window
from slipway.monitoring.homogeneity import SMALL, compare
from slipway.monitoring.loss import last, limit, sequence
from watched import learned, learned_levels, number, shifted

WEEK = 7
START = date(2026, 11, 1)


def most(rate: float, runs: int) -> float:
    """What a true rate exceeds in so many runs only by two standard errors."""
    return rate + 2 * float(np.sqrt(rate * (1 - rate) / runs))


def windows(daily: np.ndarray, rows: int, looks: int) -> tuple[np.ndarray, int]:
    """Counts of days (runs, days, bins) → those of the last `looks` windows, and the days of a window."""
    length = window([rows] * 28)
    sums = np.concatenate([np.zeros_like(daily[:, :1]), daily.cumsum(axis=1)], axis=1)
    ends = np.arange(daily.shape[1] - looks, daily.shape[1]) + 1
    return sums[:, ends] - sums[:, ends - length], length


def flags(daily: np.ndarray, column, rows: int, columns: int, looks: int = WEEK) -> np.ndarray:
    """Whether each of the last looks flags the column: (runs, looks); days may not be calibrated yet."""
    counts, length = windows(daily, rows, looks + 1)
    p, effects = compare(counts, column)
    floors = floor(np.zeros(p.shape[-1]), length)
    assert (floors == SMALL).all()
    suspected = suspicious(p, effects, floors, columns).any(axis=-1)
    return suspected[:, 1:] & suspected[:, :-1]


@pytest.mark.parametrize("rows, columns", [(40, 20), *product([200, 1_000, 10_000], [20, 170])])
def test_weeks_without_drift_are_quiet(rows, columns):
    random, runs = np.random.default_rng(rows + columns), 200
    flagged = np.zeros(runs, bool)
    for place in range(columns):
        column, truth = (learned if place % 2 else learned_levels)(random, (1_000, 10_000, 100_000)[place % 3])
        daily = random.multinomial(rows, truth, (runs, window([rows] * 28) + WEEK))
        flagged |= flags(daily, column, rows, columns).any(axis=1)
    assert flagged.mean() <= most(0.02, runs)


@pytest.mark.parametrize("columns", [20, 170])
def test_a_shift_of_a_quarter_of_a_deviation_is_found_within_a_week(columns):
    random, rows, runs = np.random.default_rng(columns), 1_000, 1_000
    before = random.multinomial(rows, shifted(), (runs, window([rows] * 28)))
    after = random.multinomial(rows, shifted(0.25), (runs, WEEK))
    found = flags(np.concatenate([before, after], axis=1), number(), rows, columns).any(axis=1)
    assert found.mean() >= 0.95


def test_it_is_found_as_fast_once_days_are_calibrated():
    random, rows, found = np.random.default_rng(6), 1_000, []
    for _ in range(200):
        days, before, flagged = [], [], False
        for place in range(21 + WEEK):
            drawn = random.multinomial(rows, shifted(0.25 if place >= 21 else 0.0))
            days.append(Day(START + timedelta(place), rows, [drawn]))
            if place >= 20:
                one = look([number()], days, before)
                before.append(one.suspects)
                flagged |= one.calibrated and bool(one.flagged)
        found.append(flagged)
    assert np.mean(found) >= 0.95


def test_days_that_wobble_by_themselves_are_quiet_once_they_are_calibrated():
    random, rows, columns = np.random.default_rng(5), 1_000, 20
    table = [number(name=f"x{place}") for place in range(columns)]
    weeks = []
    for _ in range(12):
        days, before, seen = [], [], []
        for place in range(35):
            drawn = [random.multinomial(rows, shifted(shift)) for shift in random.normal(0, 0.1, columns)]
            days.append(Day(START + timedelta(place), rows, drawn))
            if place >= 20:  # from the first calibrated one
                found = look(table, days, before)
                before.append(found.suspects)
                seen.append(bool(found.flagged))
        weeks += [any(seen[1:8]), any(seen[8:])]
    assert np.mean(weeks) <= most(0.02, len(weeks))


@pytest.mark.parametrize("rows", [200, 1_000])
def test_a_shift_on_day_8_is_flagged_by_day_10_and_nothing_before(rows):
    columns, hits = 20, []
    table = [number(name=f"x{place}") for place in range(columns)]
    for seed in range(20):
        random, days, before, flagged = np.random.default_rng(seed), [], [], []
        for place in range(1, 15):
            drawn = random.multinomial(rows, shifted(), columns)
            drawn[3] = random.multinomial(rows, shifted(1.0 if place >= 8 else 0.0))
            days.append(Day(START + timedelta(place - 1), rows, list(drawn)))
            found = look(table, days, before)
            before += [found.suspects] if found.suspects else []
            flagged.append([move.column.name for move in found.flagged])
        assert not any(flagged[:7])
        hits.append(flagged[9] == ["x3"] and flagged[13] == ["x3"])
    assert all(hits)


HELD = 2_000
PLACES = (np.arange(20) + 0.5) / 20
LOSSES = {  # of twenty equally frequent rows: errors of normal and of exponential size, and three wrong labels
    "normal": norm.ppf((1 + PLACES) / 2),
    "exponential": -np.log(1 - PLACES),
    "wrong": (PLACES < 0.15).astype(float),
}


def tallies(
    random: np.random.Generator, losses: np.ndarray, rows: int, runs: int, days: int, wobble: float = 0.0
) -> np.ndarray:
    """Rows, sum and sum of squares of each day: (runs, days, 3). All losses of a day may be larger or smaller by a factor."""
    drawn = random.multinomial(rows, np.full(20, 1 / 20), (runs, days))
    factor = 1 + random.normal(0, wobble, (runs, days))
    return np.stack([drawn.sum(axis=-1), drawn @ losses * factor, drawn @ losses**2 * factor**2], axis=-1)


def crossings(
    random: np.random.Generator, losses: np.ndarray, rows: int, runs: int, days: int, worse: float = 1.0, wobble: float = 0.0
) -> np.ndarray:
    """Whether each daily look finds the loss above its limit: (runs, days). The hold-out is drawn, too."""
    held = tallies(random, losses, HELD, runs, 1)[:, 0]
    mean = held[:, 1] / HELD
    allowed = limit(mean, np.sqrt(held[:, 2] / HELD - mean**2), HELD)
    live = tallies(random, worse * losses, rows, runs, days, wobble)
    lows = [np.maximum(sequence(live[:, :seen], HELD), last(live[:, max(0, seen - 28) : seen])) for seen in range(1, days + 1)]
    return np.array(lows).T > allowed[:, None]


@pytest.mark.parametrize("losses", LOSSES.values(), ids=LOSSES)
@pytest.mark.parametrize("rows", [20, 200, 2_000])
def test_a_model_as_good_as_ever_raises_no_alarm_in_180_looks(rows, losses):
    assert crossings(np.random.default_rng(rows), losses, rows, 400, 180).any(axis=1).mean() <= 0.05


def test_a_loss_that_differs_by_a_tenth_from_day_to_day_raises_none_either():
    found = crossings(np.random.default_rng(2), LOSSES["normal"], 2_000, 400, 180, wobble=0.1)
    assert found.any(axis=1).mean() <= 0.05


def test_errors_that_are_a_fifth_larger_are_found_within_a_week():
    found = crossings(np.random.default_rng(1), LOSSES["normal"], 200, 1_000, 60, worse=1.2)
    days = np.where(found.any(axis=1), found.argmax(axis=1) + 1, 99)
    assert np.median(days) <= WEEK
