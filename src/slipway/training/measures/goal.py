"""What a comparison optimises."""

from dataclasses import dataclass, replace

import numpy as np

from slipway.model.metrics import Scored, best_threshold

LOSSES = ("rmse", "mae", "r2", "log_loss", "brier")
SMOOTH = (*LOSSES, "roc_auc", "pr_auc")


@dataclass(frozen=True)
class Goal:
    """What a comparison optimises.

    Parameters
    ----------
    metric : str
    costs : tuple of float or None
        Declared costs of a false positive and a false negative; they choose the threshold.
    seed : int
    """

    metric: str
    costs: tuple[float, float] | None
    seed: int

    def scored(self, y: np.ndarray, scores: np.ndarray, threshold: float | None) -> Scored:
        return Scored(y, scores, threshold, self.costs or (1.0, 1.0))

    def threshold(self, task: str, y: np.ndarray, scores: np.ndarray) -> float | None:
        """The threshold for out-of-fold probabilities: least declared cost, else one half."""
        if task != "binary":
            return None
        return best_threshold(y, scores, self.costs) if self.costs else 0.5

    @property
    def guide(self) -> "Goal":
        """The same by a metric that moves with every answer, not only when one crosses the threshold."""
        return self if self.metric in SMOOTH else replace(self, metric="log_loss")

    @property
    def loss(self) -> "Goal":
        """The same by a metric that each answer moves by how far it is off; ranks of few rows say little."""
        return self if self.metric in LOSSES else replace(self, metric="log_loss")
