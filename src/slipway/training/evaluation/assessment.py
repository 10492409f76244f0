"""evaluation.json of a twin: everything that was measured on the rows held out, and what the table has."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec
import numpy as np

from slipway.model.evaluation import Evaluation, LeftOut
from slipway.model.metrics import Scored, value
from slipway.model.predictor import Predictor
from slipway.problem import Problem
from slipway.table.schema import Schema
from slipway.training.data.dataset import Table
from slipway.training.data.labelled import Rows
from slipway.training.evaluation import conformal, distributions, learning, thresholds
from slipway.training.evaluation.effects import effects
from slipway.training.evaluation.importances import importances
from slipway.training.evaluation.recalibration import recalibrated
from slipway.training.evaluation.reliability import reliability
from slipway.training.evaluation.slices import slices
from slipway.training.fitting.fitted import Entry, baseline_scored
from slipway.training.measures.goal import Goal
from slipway.training.measures.resampling import significant

ROWS = 20_000


def evaluate(problem: Problem, table: Table, entry: Entry, twin: Predictor, jobs: int = 1) -> Evaluation:
    """The evaluation of the chosen entry's twin, on at most 20,000 of the rows held out.

    Parameters
    ----------
    entry : Entry
        Whose settings the learning curve learns with, and whose out-of-fold answers decided the calibration.
    twin : Predictor
        Fitted to the rows that are not held out.
    jobs : int
        Worker processes.
    """
    goal, confidence, everything = table.goal, problem.gate.confidence, table.rows
    held = _some(table.unseen, goal.seed)
    scored = goal.scored(held.y, twin.scores(held.columns), twin.threshold)
    assert entry.trial is not None
    guessed = value(goal.metric, baseline_scored(table.learned, held.y, goal))
    with ThreadPoolExecutor(1) as beside:  # worker processes learn the curve while this one asks the twin
        learns = (entry.trial, table.learned, held, scored, twin.model.calibration, goal, jobs, twin.model.rows.twin)
        curve = beside.submit(learning.learning_curve, *learns)
        ranked = importances(twin, held, goal, confidence)
        names = [one.field for one in ranked]
        moved = effects(twin, held, names, goal.seed)
        steps = curve.result()
    more = twin.model.rows.twin > len(table.learned.y)  # a cluster's: the step to it says nothing of the steps before
    parts = (
        _of_classes(scored, twin, goal, confidence) if twin.classes else _of_numbers(scored, everything.y, goal, confidence)
    )
    found = Evaluation(
        metric=goal.metric,
        confidence=confidence,
        rows=len(held.y),
        target=distributions.of_target(everything.y, everything.classes),
        fields=distributions.profiles(everything.schema, everything.columns),
        left_out=left_out(problem, everything.schema),
        recalibration=recalibrated(entry, table.learned, goal)[1],
        importance=ranked,
        effects=moved,
        slices=slices(scored, held, names, goal, confidence),
        learning_curve=learning.points(steps, confidence),
        learning="" if more else learning.said(steps, goal.metric, confidence, guessed),
        **parts,
    )
    return msgspec.convert(_short(msgspec.to_builtins(found)), Evaluation)


def _of_classes(scored: Scored, twin: Predictor, goal: Goal, confidence: float) -> dict[str, Any]:
    counts = thresholds.confusion(scored, len(twin.classes))
    return {
        "reliability": reliability(scored, confidence, goal.seed),
        "threshold": twin.threshold,
        "curve": thresholds.points(scored, goal.costs is not None) if twin.task == "binary" else (),
        "classes": thresholds.class_lines(counts, twin.classes, confidence),
        "confusion": tuple(map(tuple, counts.tolist())),
    }


def _of_numbers(scored: Scored, targets: np.ndarray, goal: Goal, confidence: float) -> dict[str, Any]:
    least = 0.0 if targets.min() >= 0 else None
    return {
        "residuals": conformal.residuals(scored, goal.seed),
        "intervals": conformal.intervals(scored, least, confidence, goal.seed),
    }


def _some(rows: Rows, seed: int) -> Rows:
    chosen = np.random.default_rng(seed).permutation(len(rows.y))[:ROWS]
    return rows.take(np.sort(chosen))


def left_out(problem: Problem, schema: Schema) -> tuple[LeftOut, ...]:
    """The columns that slipway.yaml keeps from the model, and those of which nothing can be learned."""
    reasons = (
        dict(schema.left_out)
        | dict.fromkeys(problem.drop, "dropped in slipway.yaml")
        | dict.fromkeys(problem.group, "names the group of the row")
        | dict.fromkeys(problem.id, "names the row")
    )
    return tuple(LeftOut(name, reason) for name, reason in reasons.items())


def _short(value: Any) -> Any:
    """The same with six significant digits, which keeps the document small."""
    if isinstance(value, float):
        return significant(value)
    if isinstance(value, dict):
        return {key: _short(each) for key, each in value.items()}
    return [_short(each) for each in value] if isinstance(value, (list, tuple)) else value
