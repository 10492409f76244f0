"""Would more rows help? The chosen settings on ever more of the rows, measured on those held out."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slipway.model.contents import Calibration
from slipway.model.evaluation import LearningPoint
from slipway.model.metrics import METRICS, Scored, value
from slipway.model.predictor import calibrated
from slipway.report.numbers import number
from slipway.training.data.labelled import Rows
from slipway.training.fitting.candidates import Blend, Trial
from slipway.training.fitting.workers import fit_all
from slipway.training.measures.goal import Goal
from slipway.training.measures.resampling import drawn, draws, estimate

SIZES = 5
SMALLEST = 30
PART = 8
CELLS = 2_000_000
HELD = 5_000
SMALL = 0.25  # part of the whole gain
FEW = 50_000  # cells up to which each size is learned from twice, by other rows


@dataclass(frozen=True)
class Step:
    """One size: the metric it reaches, and the same on each bootstrap draw of the held-out rows."""

    rows: int
    reached: float
    drawn: np.ndarray


def learning_curve(
    trial: Trial | Blend,
    learned: Rows,
    held: Rows,
    twin: Scored,
    calibration: Calibration | None,
    goal: Goal,
    jobs: int = 1,
    of_twin: int | None = None,
) -> list[Step]:
    """Five sizes: four as `sizes` says, and all rows, which the twin learned from.

    In a small table each size stands for two sets of rows, because with few rows it matters which they are.

    Parameters
    ----------
    learned, held : Rows
        What the twin learned from, and what it is measured on: at most 5,000 rows of it here.
    twin : Scored
        Its answers to `held`.
    calibration : Calibration or None
        Of the twin; the others answer through it too.
    jobs : int
        Worker processes.
    of_twin : int, optional
        How many rows it learned from, where these are more than `learned`.
    """
    random = np.random.default_rng(goal.seed)
    checked = np.sort(random.permutation(len(held.y))[:HELD])
    held, twin = held.take(checked), twin.take(checked)
    weights, order = draws(len(checked), goal.seed), random.permutation(len(learned.y))
    parts: list[tuple[int, Rows]] = []
    for size in sizes(len(learned.y), len(learned.columns)):
        chosen = [order[:size], order[-size:]] if len(order) * len(learned.columns) <= FEW else [order[:size]]
        parts += [(size, learned.take(rows)) for rows in chosen if _can_learn(learned, rows)]
    answered: dict[int, list[Scored]] = {}
    for (size, _), fitted in zip(parts, fit_all(trial, [part for _, part in parts], goal.seed, jobs)):
        answers = calibrated(fitted.scores(held.columns), calibration)
        answered.setdefault(size, []).append(goal.scored(held.y, answers, twin.threshold))
    steps = [_step(size, scored, weights, goal.metric) for size, scored in answered.items()]
    return [*steps, _step(of_twin or len(order), [twin], weights, goal.metric)]


def sizes(rows: int, fields: int) -> list[int]:
    """The four sizes before all rows: half of them and what is halved from there, closer together where that is too few.

    Of a large table the first of these has 2 million cells, which bounds the time.
    """
    largest = min(rows / 2, CELLS / fields)
    smallest = max(largest / PART, min(SMALLEST, largest / 2))
    return [round(each) for each in np.geomspace(smallest, largest, SIZES - 1).tolist()]


def _can_learn(rows: Rows, chosen: np.ndarray) -> bool:
    """Whether each class of two, or at least two of many, occur twice."""
    return rows.task == "regression" or int((np.bincount(rows.y[chosen].astype(np.int64)) >= 2).sum()) >= 2


def _step(rows: int, answered: Sequence[Scored], weights: np.ndarray, metric: str) -> Step:
    reached = float(np.mean([value(metric, each) for each in answered]))
    return Step(rows, reached, np.mean([drawn(metric, each, weights) for each in answered], axis=0))


def points(steps: Sequence[Step], confidence: float) -> tuple[LearningPoint, ...]:
    """The steps with their intervals."""
    return tuple(LearningPoint(step.rows, estimate(step.reached, step.drawn, confidence)) for step in steps)


def said(steps: Sequence[Step], metric: str, confidence: float, baseline: float) -> str:
    """In a sentence, whether more rows would help, and from how many on they did not; empty when nothing is known.

    A size is behind when all rows are better than it by more than chance explains, on the same held-out rows. Where no size
    just before the end is behind, it takes a second look to say that more rows are of no use: what the last doubling may have
    gained at most must be a small part of what all of them gained. Of a model that is no better than the baseline nothing is
    foretold: it may get worse less fast.
    """
    if len(steps) < 2:
        return ""
    first, half, last = steps[0], steps[-2], steps[-1]
    sign = METRICS[metric].sign
    if sign * (last.reached - baseline) <= 0:
        worse = f"{metric} is {number(last.reached)}, that of a baseline that ignores all fields {number(baseline)}"
        return f"Whether more rows would help cannot be told while the model is no better than guessing: {worse}."
    tail = (1 - confidence) / 2
    gains = [np.nanquantile(sign * (last.drawn - step.drawn), [tail, 1 - tail]) for step in steps[:-1]]
    behind = [place for place, (low, _) in enumerate(gains) if low > 0]
    went = f"from {half.rows:,} to {last.rows:,} rows {metric} went from {number(half.reached)} to {number(last.reached)}"
    if len(steps) - 2 in behind:
        return f"More rows would probably help: {went}, more than chance explains when compared row by row."
    if gains[-1][1] > SMALL * sign * (last.reached - first.reached):
        return f"Whether more rows would help cannot be told from so few held-out rows: {went}, which chance explains."
    enough = steps[behind[-1] + 1] if behind else first
    return (
        f"More rows like these would hardly help: {enough.rows:,} rows reached a {metric} of {number(enough.reached)}, "
        f"all {last.rows:,} rows {number(last.reached)}, a difference that chance explains."
    )
