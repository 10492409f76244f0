"""What a bundle says of itself: golden predictions, drift profile, hold-out metrics, the leaderboard."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from slipway.kinds import Task
from slipway.model.contents import Estimate, Golden, Holdout, Ranked
from slipway.model.metrics import Scored, value
from slipway.model.predictor import Predictor, golden_answers
from slipway.problem import TASK_METRICS
from slipway.table.cell import request_rows
from slipway.table.schema import Field
from slipway.training.data.labelled import Rows
from slipway.training.fitting.fitted import Entry, baseline_scored
from slipway.training.measures.goal import Goal
from slipway.training.measures.units import Units
from slipway.training.verdict.gate import interval

GOLDEN = 32
BINS = 10


def golden(predictor: Predictor, held: Rows, seed: int) -> Golden:
    """golden.json: a random sample of held-out rows as requests carry them, and the answers to them."""
    number = min(GOLDEN, len(held.y))
    chosen = np.sort(np.random.default_rng(seed).choice(len(held.y), number, replace=False))
    columns = held.take(chosen).columns
    return Golden(tuple(request_rows(held.schema, columns)), tuple(golden_answers(predictor, columns)))


def drift_profile(rows: Rows) -> dict[str, Any]:
    """drift.json: per field the share of missing cells and the distribution that production is compared with."""
    fields = {field.name: _profile(field, rows.columns[field.name]) for field in rows.schema}
    return {"rows": len(rows.y), "fields": fields}


def _profile(field: Field, column: np.ndarray) -> dict[str, Any]:
    if field.type == "category":
        counts = np.bincount(column[column >= 0], minlength=len(field.levels)) / len(column)
        return {"missing": float((column < 0).mean()), "levels": dict(zip(field.levels, counts.tolist()))}
    known = column[~np.isnan(column)]
    if not len(known):
        return {"missing": 1.0, "edges": [], "counts": []}
    edges, numbers = binned(known)
    return {"missing": float(np.isnan(column).mean()), "edges": edges, "counts": numbers}


def binned(values: np.ndarray) -> tuple[list[float], list[int]]:
    """Edges of at most ten bins of about as many values each, and how many there are in each."""
    edges = np.unique(np.quantile(values, np.linspace(0, 1, BINS + 1)))
    if len(edges) == 1:
        edges = np.repeat(edges, 2)
    return edges.tolist(), np.histogram(values, edges)[0].tolist()


def holdout_metrics(task: Task, scored: Scored, rows: Rows, confidence: float, goal: Goal, units: Units) -> Holdout:
    """Every metric of the task on the held-out rows, with its interval, and the baseline's value of it."""
    names = [name for name in TASK_METRICS[task] if name != "cost" or goal.costs]
    dummy = baseline_scored(rows, scored.y, goal)
    intervals = {name: interval(name, scored, confidence, goal.seed, units) for name in names}
    return Holdout(
        len(scored.y),
        {name: Estimate(one.value, one.low, one.high) for name, one in intervals.items()},
        {name: value(name, dummy) for name in names},
    )


def leaderboard(entries: Sequence[Entry], refused: Mapping[int, str]) -> tuple[Ranked, ...]:
    """The comparison; `refused` has the reasons by position."""
    return tuple(
        Ranked(
            entry.trial.candidate,
            entry.trial.described(),
            entry.mean,
            entry.error,
            position not in refused and not entry.reason,
            refused.get(position, entry.reason),
        )
        if entry.trial
        else Ranked("baseline", {}, entry.mean, entry.error, False, "ignores all features")
        for position, entry in enumerate(entries)
    )
