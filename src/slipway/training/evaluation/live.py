"""What production is compared with: the distribution, calibration and loss of the twin's answers to held-out rows.

Source of the calibration: isotonic regression (Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass
probability estimates", KDD 2002).
"""

from collections.abc import Sequence

import numpy as np
from sklearn.isotonic import IsotonicRegression

from slipway.model.reference import Loss, Reference
from slipway.training.evaluation.evidence import binned
from slipway.training.measures.metrics import TINY, Scored


def reference(scored: Scored, classes: Sequence[str], costs: bool) -> Reference:
    """live.json of what the twin says of the held-out rows; `costs` says whether they were declared."""
    y, scores = scored.y, scored.scores
    if not classes:
        error = np.abs(scores - y)
        edges, counts = binned(scores)
        bins = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, len(counts) - 1)
        sums = np.bincount(bins, error, minlength=len(counts))
        return Reference(
            rows=len(y),
            edges=tuple(edges),
            counts=tuple(counts),
            errors=tuple((sums / np.maximum(counts, 1)).tolist()),
            losses={"absolute_error": _loss(error), "squared_error": _loss(error**2)},
        )
    chosen = scored.chosen()
    several = scores.ndim == 2
    rated = scores.max(axis=1) if several else scores
    edges, counts = binned(rated)
    curve = IsotonicRegression(out_of_bounds="clip").fit(rated, chosen == y if several else y)
    of_truth = scores[np.arange(len(y)), y] if several else np.where(y == 1, scores, 1 - scores)
    false_positive, false_negative = scored.costs
    losses = {"log_loss": _loss(-np.log(np.clip(of_truth, TINY, 1))), "error": _loss((chosen != y).astype(np.float64))}
    if costs:
        losses["cost"] = _loss(false_positive * ((chosen == 1) & (y == 0)) + false_negative * ((chosen == 0) & (y == 1)))
    return Reference(
        rows=len(y),
        edges=tuple(edges),
        counts=tuple(counts),
        labels=dict(zip(classes, np.bincount(chosen, minlength=len(classes)).tolist())),
        scores=tuple(curve.X_thresholds_.tolist()),
        shares=tuple(curve.y_thresholds_.tolist()),
        losses=losses,
    )


def _loss(each: np.ndarray) -> Loss:
    return Loss(float(each.mean()), float(each.std()))
