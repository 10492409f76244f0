"""Prediction intervals: between which values the truth lies in a stated share of all cases.

Split conformal prediction on the held-out rows, per bin of the answer, so that a large answer may have a wider interval
than a small one (Mondrian conformal regression; Vovk, Gammerman and Shafer, "Algorithmic Learning in a Random World", 2005).
"""

import numpy as np

from slipway.model.evaluation import Intervals

ENDS = ("low", "high")  # names of the columns


def levels(intervals: Intervals | None) -> tuple[float, ...]:
    """The levels that a bundle answers; none for classes, and for bundles that recorded none."""
    return tuple(one.level for one in intervals.levels) if intervals else ()


def interval(intervals: Intervals, answers: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the interval of each answer, which lies between them, even one below the least value of the target.

    The widths were measured with the model that did not learn from the held-out rows. The one that serves has learned from
    more rows, so they are rather too wide for it than too narrow.

    Parameters
    ----------
    intervals : Intervals
    answers : ndarray of shape (n,)
        In units of the target.
    level : float
        One of `levels`.

    Returns
    -------
    low, high : ndarray of shape (n,)

    Raises
    ------
    ValueError
        When the bundle has no intervals of this level.
    """
    for one in intervals.levels:
        if abs(one.level - level) < 1e-9:
            bins = np.searchsorted(intervals.edges, answers, side="right")
            low, high = answers - np.array(one.below)[bins], answers + np.array(one.above)[bins]
            if intervals.least is not None:
                low, high = np.maximum(low, intervals.least), np.maximum(high, intervals.least)
            return np.minimum(low, answers), np.maximum(high, answers)
    known = ", ".join(f"{one.level:g}" for one in intervals.levels)
    raise ValueError(f"no interval of level {level:g}; there are {known}")
