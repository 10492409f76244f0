"""What production is compared with: the distribution, calibration and loss of the twin's answers to held-out rows.

Source of the calibration: isotonic regression (Zadrozny and Elkan, "Transforming classifier scores into accurate multiclass
probability estimates", KDD 2002).
"""

from collections.abc import Mapping, Sequence

import numpy as np
from sklearn.isotonic import IsotonicRegression

from slipway.model.metrics import Scored
from slipway.model.reference import Loss, Reference
from slipway.model.row_losses import losses_of_labels, losses_of_numbers
from slipway.training.evaluation.evidence import binned


def reference(scored: Scored, classes: Sequence[str], costs: bool) -> Reference:
    """live.json of what the twin says of the held-out rows; `costs` says whether they were declared."""
    y, scores = scored.y, scored.scores
    if not classes:
        losses = losses_of_numbers(y, scores)
        edges, counts = binned(scores)
        bins = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, len(counts) - 1)
        sums = np.bincount(bins, losses["absolute_error"], minlength=len(counts))
        return Reference(
            rows=len(y),
            edges=tuple(edges),
            counts=tuple(counts),
            errors=tuple((sums / np.maximum(counts, 1)).tolist()),
            losses=_summed_up(losses),
        )
    chosen = scored.chosen()
    several = scores.ndim == 2
    rated = scores.max(axis=1) if several else scores
    edges, counts = binned(rated)
    curve = IsotonicRegression(out_of_bounds="clip").fit(rated, chosen == y if several else y)
    return Reference(
        rows=len(y),
        edges=tuple(edges),
        counts=tuple(counts),
        labels=dict(zip(classes, np.bincount(chosen, minlength=len(classes)).tolist())),
        scores=tuple(curve.X_thresholds_.tolist()),
        shares=tuple(curve.y_thresholds_.tolist()),
        losses=_summed_up(losses_of_labels(y, scores, chosen, scored.costs if costs else None)),
    )


def _summed_up(losses: Mapping[str, np.ndarray]) -> dict[str, Loss]:
    return {name: Loss(float(each.mean()), float(each.std())) for name, each in losses.items()}
