"""The loss of each row, by the names that live.json has: training measures it on the hold-out, the monitor in production."""

import numpy as np

from slipway.model.metrics import TINY, Scored


def deciding(metric: str) -> str:
    """The loss that decides, for the metric of the problem: a mean over rows, as close to the metric as there is one."""
    if metric in ("rmse", "mae", "r2"):
        return "absolute_error"  # a few huge squares would hide everything else
    if metric in ("accuracy", "balanced_accuracy", "f1", "f1_macro"):
        return "error"
    return "cost" if metric == "cost" else "log_loss"


def losses_of(rows: Scored, labels: bool) -> dict[str, np.ndarray]:
    """All losses of each row by name; `labels` says whether labels were answered, not numbers."""
    if not labels:
        return losses_of_numbers(rows.y, rows.scores)
    return losses_of_labels(rows.y.astype(np.int64), rows.scores, rows.chosen(), rows.costs)


def losses_of_numbers(truth: np.ndarray, answers: np.ndarray) -> dict[str, np.ndarray]:
    """``absolute_error`` and ``squared_error`` of each row."""
    error = np.abs(answers - truth)
    return {"absolute_error": error, "squared_error": error**2}


def losses_of_labels(
    truth: np.ndarray, scores: np.ndarray, chosen: np.ndarray, costs: tuple[float, float] | None = None
) -> dict[str, np.ndarray]:
    """``log_loss``, ``error`` (0 or 1) and, if there are costs, ``cost`` of each row.

    Parameters
    ----------
    truth, chosen : ndarray of shape (n,)
        Codes of the true and of the answered label (of two: 1 is positive).
    scores : ndarray of shape (n,) or (n, classes)
        P(positive), or the probability of each label.
    costs : tuple of float or None
        Of a false positive and a false negative.
    """
    of_truth = scores[np.arange(len(truth)), truth] if scores.ndim == 2 else np.where(truth == 1, scores, 1 - scores)
    losses = {"log_loss": -np.log(np.clip(of_truth, TINY, 1)), "error": (chosen != truth).astype(np.float64)}
    if costs:
        false_positive, false_negative = costs
        losses["cost"] = false_positive * ((chosen == 1) & (truth == 0)) + false_negative * ((chosen == 0) & (truth == 1))
    return losses
