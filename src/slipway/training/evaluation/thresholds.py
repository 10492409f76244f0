"""What each threshold on the probability would mean, and how each class is recognised at the chosen one."""

import numpy as np

from slipway.model.contents import Estimate
from slipway.model.evaluation import ClassLine, ThresholdPoint
from slipway.model.metrics import METRICS, Scored
from slipway.training.measures.resampling import share

POINTS = 100


def points(scored: Scored, declared: bool) -> tuple[ThresholdPoint, ...]:
    """At most 101 thresholds of a binary model, the chosen one among them; the cost only where it is declared.

    Those in between are quantiles of the scores, half of them of the positive rows, so that a rare class has its share.
    """
    positive, scores = scored.y == 1, scored.scores
    quantiles = np.linspace(0, 1, POINTS // 2)
    chosen = [np.quantile(scores[rows], quantiles, method="lower") for rows in (positive, ~positive)]
    assert scored.threshold is not None
    thresholds = np.unique(np.concatenate([*chosen, [scored.threshold]]))
    return tuple(_point(Scored(scored.y, scores, each, scored.costs), declared) for each in thresholds.tolist())


def _point(scored: Scored, declared: bool) -> ThresholdPoint:
    assert scored.threshold is not None
    answered, positive = scored.chosen() == 1, scored.y == 1
    hits = int((answered & positive).sum())
    alarms = int((answered & ~positive).sum())
    plain = np.ones((1, len(scored.y)))
    return ThresholdPoint(
        threshold=scored.threshold,
        precision=hits / (hits + alarms) if hits + alarms else 1.0,
        recall=hits / max(1, int(positive.sum())),
        false_positive_rate=alarms / max(1, int((~positive).sum())),
        accuracy=float((answered == positive).mean()),
        f1=float(METRICS["f1"].compute(scored, plain)[0]),
        cost=float(METRICS["cost"].compute(scored, plain)[0]) if declared else None,
    )


def confusion(scored: Scored, classes: int) -> np.ndarray:
    """Rows by actual class and answered class, of shape (classes, classes)."""
    cells = scored.y.astype(np.int64) * classes + scored.chosen()
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def class_lines(counts: np.ndarray, labels: tuple[str, ...], confidence: float) -> tuple[ClassLine, ...]:
    """Precision, recall and F1 of each class with score intervals, from its row and column of the confusion."""
    lines = []
    for code, label in enumerate(labels):
        hits, actual, answered = int(counts[code, code]), int(counts[code].sum()), int(counts[:, code].sum())
        either = actual + answered - hits
        lines.append(
            ClassLine(
                label=label,
                rows=actual,
                precision=share(hits, answered, confidence) if answered else None,
                recall=share(hits, actual, confidence) if actual else None,
                f1=_f1(share(hits, either, confidence)) if either else None,
            )
        )
    return tuple(lines)


def _f1(overlap: Estimate) -> Estimate:
    """F1 rises with the share of hits among the rows that are of the class or answered so: it is 2s / (1 + s)."""
    return Estimate(*(2 * each / (1 + each) for each in (overlap.value, overlap.low, overlap.high)))
