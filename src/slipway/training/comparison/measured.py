"""What cross-validation says of a trial: its answers to rows it had not learned from, and the metric per fold."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from slipway.model.metrics import METRICS, value
from slipway.training.data.folds import Fold
from slipway.training.data.labelled import Rows
from slipway.training.fitting.candidates import Blend, Trial
from slipway.training.fitting.fitted import Entry
from slipway.training.measures.goal import Goal

Answers = Mapping[int, np.ndarray]  # by the number of the fold, for the rows it holds out


@dataclass(frozen=True)
class Measured:
    """A trial and how it did.

    Parameters
    ----------
    trial : Trial or Blend
    answers : mapping of int to ndarray
    values : ndarray of float
        The metric by fold, NaN where a fold says nothing of it (it may lack a rare class); the sign is such that more is
        better.
    threshold : float or None
    goal : Goal
    """

    trial: Trial | Blend
    answers: Answers
    values: np.ndarray
    threshold: float | None
    goal: Goal

    @property
    def mean(self) -> float:
        return float(np.nanmean(self.values))

    def entry(self, rows: Rows, folds: Sequence[Fold], reason: str = "") -> Entry:
        """Its line of the leaderboard."""
        known = self.values[~np.isnan(self.values)]
        mean = METRICS[self.goal.metric].sign * self.mean
        error = float(known.std(ddof=1) / np.sqrt(len(known))) if len(known) > 1 else 0.0
        return Entry(self.trial, mean, error, self.threshold, reason, None if reason else self._ordered(rows, folds))

    def _ordered(self, rows: Rows, folds: Sequence[Fold]) -> np.ndarray:
        """The first answer to each row, in the order of the rows."""
        shape = next(iter(self.answers.values())).shape[1:]
        ordered = np.full((len(rows.y), *shape), np.nan)
        for fold in sorted(self.answers, reverse=True):
            ordered[folds[fold][1]] = self.answers[fold]
        return ordered


def measured(trial: Trial | Blend, answers: Answers, rows: Rows, folds: Sequence[Fold], goal: Goal) -> Measured:
    """The metric of each fold, with one threshold for all."""
    numbers = sorted(answers)
    truth = np.concatenate([rows.y[folds[number][1]] for number in numbers])
    threshold = goal.threshold(rows.task, truth, np.concatenate([answers[number] for number in numbers]))
    values = [value(goal.metric, goal.scored(rows.y[folds[number][1]], answers[number], threshold)) for number in numbers]
    return Measured(trial, answers, METRICS[goal.metric].sign * np.array(values), threshold, goal)


def settled(
    trial: Trial,
    stages: Mapping[int, Mapping[int, np.ndarray]],
    rows: Rows,
    folds: Sequence[Fold],
    goal: Goal,
    allowed: Callable[[Trial], bool] = lambda trial: True,
) -> Measured:
    """The trial with the number of iterations of the least loss; `stages` are its answers by fold and iterations."""
    if not trial.staged:
        return measured(trial, {fold: answers[0] for fold, answers in stages.items()}, rows, folds, goal)
    steps = sorted({step for answers in stages.values() for step in answers})
    steps = [step for step in steps if allowed(trial.settled(step))] or steps[:1]
    best: tuple[float, int, Answers] | None = None
    for step in steps:
        reached = {fold: answers[_last(answers, step)] for fold, answers in stages.items()}
        mean = measured(trial, reached, rows, folds, goal.loss).mean
        if best is None or mean > best[0]:
            best = mean, step, reached
    assert best is not None
    return measured(trial.settled(best[1]), best[2], rows, folds, goal)


def _last(answers: Mapping[int, np.ndarray], step: int) -> int:
    """A fit that ended earlier answers what it last answered."""
    return max((each for each in answers if each <= step), default=min(answers))
