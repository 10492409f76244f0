"""The metric on parts of the held-out rows: where the model is worse than as a whole."""

from collections.abc import Iterator, Sequence
from math import sqrt

import numpy as np

from slipway.model.contents import Estimate
from slipway.model.evaluation import Slice, Slices
from slipway.model.metrics import METRICS, Scored, value
from slipway.table.dates import show_date
from slipway.table.schema import Field
from slipway.training.data.labelled import Rows
from slipway.training.measures.goal import Goal
from slipway.training.measures.resampling import deviations, drawn, draws, significant

FIELDS = 40
FEWEST = 30
FEWEST_OF_CLASS = 5
LEVELS = 12
RANGES = 4
LISTED = 60
SHOWN_DIGITS = 4
# What depends on how many positives a slice has, or on how much its target varies, would call slices bad that are not.
RELATIVES = {"pr_auc": "roc_auc", "r2": "rmse"}
SHARES = ("accuracy", "balanced_accuracy", "f1", "f1_macro", "roc_auc")


def slices(scored: Scored, held: Rows, names: Sequence[str], goal: Goal, confidence: float) -> Slices:
    """The metric per level and per quarter (of few rows, third or half) of the values of the first forty of these fields.

    An interval is as wide as `confidence` of all slices together asks for (Bonferroni), and never narrower than that of as
    many rows drawn from all.

    Parameters
    ----------
    scored : Scored
        The answers to `held`.
    names : sequence of str
        Fields, those that matter most first.
    """
    metric = RELATIVES.get(goal.metric, goal.metric)
    whole = value(metric, scored)
    spread = _spread(metric, scored, goal.seed) * sqrt(len(scored.y))
    parts = [
        (name, part, rows)
        for name in names[:FIELDS]
        for part, rows in _parts(held.schema[name], held.columns[name])
        if _enough(held, rows)
    ]
    wide = deviations(1 - (1 - confidence) / max(1, len(parts)))
    found = []
    for name, part, rows in parts:
        inside = scored.take(rows)
        error = max(_spread(metric, inside, goal.seed), spread / sqrt(len(rows)))
        bounds = _bounded(metric, value(metric, inside), wide * error)
        apart = not bounds.low <= whole <= bounds.high
        found.append(Slice(field=name, part=part, rows=len(rows), estimate=bounds, apart=apart))
    worst = sorted(found, key=lambda one: METRICS[metric].sign * one.estimate.value)[:LISTED]
    return Slices(metric=metric, whole=whole, worst=tuple(worst), examined=len(found))


def _spread(metric: str, scored: Scored, seed: int) -> float:
    return float(np.nanstd(drawn(metric, scored, draws(len(scored.y), seed)), ddof=1))


def _bounded(metric: str, reached: float, half: float) -> Estimate:
    """No metric of a slice is below zero, and shares are not above one."""
    return Estimate(reached, max(0.0, reached - half), min(1.0, reached + half) if metric in SHARES else reached + half)


def _enough(held: Rows, rows: np.ndarray) -> bool:
    if not FEWEST <= len(rows) < len(held.y):
        return False
    return held.task != "binary" or int(np.bincount(held.y[rows].astype(np.int64), minlength=2).min()) >= FEWEST_OF_CLASS


def _parts(field: Field, column: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The parts of the rows by one field, in words, and which rows each has."""
    if field.type == "category":
        counts = np.bincount(column[column >= 0], minlength=len(field.levels))
        for code in np.argsort(-counts, kind="stable")[:LEVELS]:
            yield field.levels[code], np.nonzero(column == code)[0]
        yield "missing", np.nonzero(column < 0)[0]
        return
    known = ~np.isnan(column)
    values = np.unique(column[known])
    ranges = min(RANGES, int(known.sum()) // FEWEST)
    if len(values) <= ranges:
        edges = values[1:]
    else:
        edges = np.unique(np.quantile(column[known], np.arange(1, ranges) / ranges)) if ranges > 1 else values[:0]
    bins = np.where(known, np.searchsorted(edges, column, side="right"), -1)
    for each in range(len(edges) + 1):
        rows = np.nonzero(bins == each)[0]
        if len(rows):
            yield _range(field, column[rows]), rows
    yield "missing", np.nonzero(~known)[0]


def _range(field: Field, numbers: np.ndarray) -> str:
    low, high = (_shown(field, each) for each in (float(numbers.min()), float(numbers.max())))
    return low if low == high else f"{low} to {high}"


def _shown(field: Field, number: float) -> str:
    return show_date(number) if field.type == "date" else field.show(significant(number, SHOWN_DIGITS))
