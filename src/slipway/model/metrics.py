"""Metrics over many weightings of the same rows at once, which makes a bootstrap of a ranking metric affordable.

Each function takes y (n), scores (n, or n × classes) and weights (B × n) and answers B values. With weights of one
row of ones the values are scikit-learn's (a test holds them against it).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from slipway.problem import LESS_IS_BETTER

TINY = np.finfo(np.float64).eps  # a probability of 0 would cost infinitely much, and no division is by 0


@dataclass(frozen=True)
class Scored:
    """What a model says of rows with a known target.

    Parameters
    ----------
    y : ndarray of shape (n,)
        Numbers, or codes of classes (binary: 1 is positive).
    scores : ndarray of shape (n,) or (n, classes)
        Predicted numbers, P(positive), or class probabilities.
    threshold : float or None
        For binary problems.
    costs : tuple of float
        Of a false positive and a false negative.
    """

    y: np.ndarray
    scores: np.ndarray
    threshold: float | None = None
    costs: tuple[float, float] = (1.0, 1.0)

    def chosen(self) -> np.ndarray:
        """The code of the predicted class of each row."""
        if self.scores.ndim == 2:
            chosen: np.ndarray = self.scores.argmax(axis=1)
            return chosen
        return (self.scores >= self.threshold).astype(np.int64)

    def take(self, rows: np.ndarray) -> "Scored":
        return Scored(self.y[rows], self.scores[rows], self.threshold, self.costs)


def value(name: str, scored: Scored) -> float:
    """The plain value of one metric."""
    return float(METRICS[name].compute(scored, np.ones((1, len(scored.y))))[0])


def _mean(weights: np.ndarray, losses: np.ndarray) -> np.ndarray:
    means: np.ndarray = weights @ losses / weights.sum(axis=1)
    return means


def _rmse(scored: Scored, weights: np.ndarray) -> np.ndarray:
    values: np.ndarray = np.sqrt(_mean(weights, (scored.scores - scored.y) ** 2))
    return values


def _mae(scored: Scored, weights: np.ndarray) -> np.ndarray:
    return _mean(weights, np.abs(scored.scores - scored.y))


def _r2(scored: Scored, weights: np.ndarray) -> np.ndarray:
    centred = scored.y - scored.y.mean()
    variance = _mean(weights, centred**2) - _mean(weights, centred) ** 2
    values: np.ndarray = 1 - _mean(weights, (scored.scores - scored.y) ** 2) / np.maximum(variance, TINY)
    return values


def _log_loss(scored: Scored, weights: np.ndarray) -> np.ndarray:
    if scored.scores.ndim == 2:
        of_truth = scored.scores[np.arange(len(scored.y)), scored.y.astype(np.int64)]
    else:
        of_truth = np.where(scored.y == 1, scored.scores, 1 - scored.scores)
    return _mean(weights, -np.log(np.clip(of_truth, TINY, 1)))


def _brier(scored: Scored, weights: np.ndarray) -> np.ndarray:
    return _mean(weights, (scored.scores - scored.y) ** 2)


def _accuracy(scored: Scored, weights: np.ndarray) -> np.ndarray:
    return _mean(weights, scored.chosen() == scored.y)


def _cost(scored: Scored, weights: np.ndarray) -> np.ndarray:
    chosen, (false_positive, false_negative) = scored.chosen(), scored.costs
    losses = false_positive * ((chosen == 1) & (scored.y == 0)) + false_negative * ((chosen == 0) & (scored.y == 1))
    return _mean(weights, losses)


def _f1_of(code: int, scored: Scored, weights: np.ndarray) -> np.ndarray:
    chosen, truth = scored.chosen() == code, scored.y == code
    values: np.ndarray = 2 * (weights @ (chosen & truth)) / np.maximum(weights @ chosen + weights @ truth, TINY)
    return values


def _f1(scored: Scored, weights: np.ndarray) -> np.ndarray:
    return _f1_of(1, scored, weights)


def _classes(scored: Scored) -> list[int]:
    return [int(code) for code in np.union1d(scored.y, scored.chosen())]


def _f1_macro(scored: Scored, weights: np.ndarray) -> np.ndarray:
    values: np.ndarray = np.mean([_f1_of(code, scored, weights) for code in _classes(scored)], axis=0)
    return values


def _balanced_accuracy(scored: Scored, weights: np.ndarray) -> np.ndarray:
    chosen = scored.chosen()
    recalls = []
    for code in np.unique(scored.y):
        truth = weights @ (scored.y == code)
        hits = weights @ ((chosen == code) & (scored.y == code))
        recalls.append(np.where(truth > 0, hits / np.maximum(truth, TINY), np.nan))
    values: np.ndarray = np.nanmean(recalls, axis=0)
    return values


def _steps(scored: Scored, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cumulated weight of positives and negatives at each distinct score, the highest first."""
    order = np.argsort(-scored.scores, kind="stable")
    ranked = scored.scores[order]
    ends = np.append(np.nonzero(np.diff(ranked))[0], len(ranked) - 1)
    positives = np.cumsum(weights[:, order] * (scored.y[order] == 1), axis=1)[:, ends]
    negatives = np.cumsum(weights[:, order] * (scored.y[order] == 0), axis=1)[:, ends]
    return positives, negatives


def _roc_auc(scored: Scored, weights: np.ndarray) -> np.ndarray:
    positives, negatives = _steps(scored, weights)
    gained = np.diff(negatives, axis=1, prepend=0)
    before = np.hstack([np.zeros((len(weights), 1)), positives[:, :-1]])
    area = (gained * (positives + before) / 2).sum(axis=1)
    pairs = positives[:, -1] * negatives[:, -1]
    return np.where(pairs > 0, area / np.maximum(pairs, TINY), np.nan)


def _pr_auc(scored: Scored, weights: np.ndarray) -> np.ndarray:
    positives, negatives = _steps(scored, weights)
    precision = positives / np.maximum(positives + negatives, TINY)
    gained = np.diff(positives, axis=1, prepend=0)
    total = positives[:, -1]
    return np.where(total > 0, (gained * precision).sum(axis=1) / np.maximum(total, TINY), np.nan)


@dataclass(frozen=True)
class Metric:
    """A metric and whether more of it is better."""

    compute: Callable[[Scored, np.ndarray], np.ndarray]
    greater_is_better: bool

    @property
    def sign(self) -> int:
        """What differences are multiplied by, so that above zero is better."""
        return 1 if self.greater_is_better else -1


FORMULAS = {
    "rmse": _rmse,
    "mae": _mae,
    "r2": _r2,
    "roc_auc": _roc_auc,
    "pr_auc": _pr_auc,
    "log_loss": _log_loss,
    "brier": _brier,
    "accuracy": _accuracy,
    "f1": _f1,
    "cost": _cost,
    "balanced_accuracy": _balanced_accuracy,
    "f1_macro": _f1_macro,
}
METRICS = {name: Metric(compute, name not in LESS_IS_BETTER) for name, compute in FORMULAS.items()}


def best_threshold(y: np.ndarray, scores: np.ndarray, costs: tuple[float, float]) -> float:
    """The threshold on P(positive) with the least total cost, half-way to the next lower score.

    Among equals the one nearest to the theoretical optimum c_fp / (c_fp + c_fn) is taken (Elkan, "The foundations of
    cost-sensitive learning", IJCAI 2001).
    """
    false_positive, false_negative = costs
    positives, negatives = _steps(Scored(y, scores), np.ones((1, len(y))))
    distinct = np.unique(scores)[::-1]
    missed = (y == 1).sum()
    totals = np.append([missed * false_negative], false_positive * negatives[0] + false_negative * (missed - positives[0]))
    edges = np.concatenate([[min(1.0, distinct[0] + TINY)], (distinct[:-1] + distinct[1:]) / 2, [distinct[-1] / 2]])
    if distinct[0] < 1:
        edges[0] = (distinct[0] + 1) / 2
    cheapest = np.nonzero(totals <= totals.min() + TINY)[0]
    ideal = false_positive / (false_positive + false_negative)
    return float(edges[cheapest[np.abs(edges[cheapest] - ideal).argmin()]])
