"""A blend of finalists: weights found by greedy selection on out-of-fold answers, judged on folds that did not find them.

Source: Caruana and others, "Ensemble selection from libraries of models", ICML 2004.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from slipway.model.metrics import METRICS, value
from slipway.training.comparison.measured import Measured, measured
from slipway.training.data.folds import Fold
from slipway.training.data.labelled import Rows
from slipway.training.fitting.candidates import Blend, Trial
from slipway.training.measures.goal import Goal

MEMBERS = 3
PICKS = 10  # so a weight is a multiple of a tenth


def blended(finalists: Sequence[Measured], rows: Rows, folds: Sequence[Fold], goal: Goal) -> Measured | None:
    """The blend of up to three finalists, or None when one alone is picked."""
    numbers = sorted(finalists[0].answers)
    weights = _weights(finalists, numbers, rows, folds, goal)
    picked = np.flatnonzero(weights)
    trials = [each.trial for each in finalists if isinstance(each.trial, Trial)]
    if len(picked) < 2:
        return None
    answers = {}
    for fold in numbers:
        others = _apart(fold, numbers, folds)
        found = _weights(finalists, others, rows, folds, goal) if others else weights
        answers[fold] = _mixed(finalists, found, fold)
    blend = Blend(tuple(trials[place] for place in picked), tuple(float(weights[place]) for place in picked))
    return measured(blend, answers, rows, folds, goal)


def _apart(fold: int, numbers: Sequence[int], folds: Sequence[Fold]) -> list[int]:
    """The folds that hold out none of the rows of this one: the others of its repeat."""
    held = folds[fold][1]
    return [other for other in numbers if not len(np.intersect1d(folds[other][1], held))]


def _mixed(finalists: Sequence[Measured], weights: np.ndarray, fold: int) -> np.ndarray:
    total: np.ndarray = np.sum([weight * each.answers[fold] for each, weight in zip(finalists, weights) if weight], axis=0)
    return total


def _weights(
    finalists: Sequence[Measured], chosen: Iterable[int], rows: Rows, folds: Sequence[Fold], goal: Goal
) -> np.ndarray:
    """Pick again and again the finalist that improves the mean of all picked most."""
    numbers = list(chosen)
    guide, sign = goal.guide, METRICS[goal.guide.metric].sign
    truth = np.concatenate([rows.y[folds[number][1]] for number in numbers])
    said = [np.concatenate([each.answers[number] for number in numbers]) for each in finalists]
    counts, total = np.zeros(len(finalists)), np.zeros_like(said[0])
    for picks in range(1, PICKS + 1):
        full = (counts > 0).sum() == MEMBERS
        reached = [
            -np.inf
            if full and not counts[number]
            else sign * value(guide.metric, guide.scored(truth, (total + one) / picks, 0.5))
            for number, one in enumerate(said)
        ]
        best = int(np.argmax(reached))
        counts[best] += 1
        total = total + said[best]
    return counts / PICKS
