"""What the rows beyond the sample bought: both models on the same rows, which neither has learned from."""

from dataclasses import dataclass

import numpy as np

from slipway.model.contents import Estimate
from slipway.model.metrics import METRICS, value
from slipway.report.numbers import number
from slipway.training.data.dataset import Table
from slipway.training.measures.resampling import estimate, significant
from slipway.training.verdict.gate import drawn_gains


@dataclass(frozen=True)
class Gain:
    """By how much the model of all rows is better than that of the sample.

    Parameters
    ----------
    metric : str
    estimate : Estimate
        In units of the metric, above zero is better; with its interval.
    error : float
        The standard deviation of its bootstrap draws.
    checked : int
        How many rows both answered.
    sample, rows : int
        How many each learned from.
    """

    metric: str
    estimate: Estimate
    error: float
    checked: int
    sample: int
    rows: int

    @property
    def sure(self) -> bool:
        """Whether it is more than chance explains."""
        return self.estimate.low > 0

    def __str__(self) -> str:
        gain, low, high = (number(significant(one, 3)) for one in (self.estimate.value, self.estimate.low, self.estimate.high))
        found = (
            f"learning from {self.rows:,} rows on the cluster instead of {self.sample:,} gained {gain} ({low} to {high}) of "
            f"{self.metric} on {self.checked:,} rows that neither had learned from"
        )
        return found if self.sure else f"{found}, which chance explains: the model of the sample is kept"


def gain_of(table: Table, sample: np.ndarray, whole: np.ndarray, rows: int, confidence: float) -> Gain:
    """The gain on all rows that both answered.

    Parameters
    ----------
    table : Table
    sample, whole : ndarray
        What each says of the rows learned from, in their order; NaN where it says nothing.
    rows : int
        How many the second learned from.
    confidence : float
        Of the interval.
    """
    goal, learned = table.goal, table.learned
    both = ~(np.isnan(sample) | np.isnan(whole)).reshape(len(sample), -1).any(axis=1)
    y, units = learned.y[both], table.units(np.flatnonzero(table.used)[both])
    after, before = (
        goal.scored(y, answers[both], goal.threshold(table.rows.task, y, answers[both])) for answers in (whole, sample)
    )
    gain = METRICS[goal.metric].sign * (value(goal.metric, after) - value(goal.metric, before))
    drawn = drawn_gains(goal.metric, after, before, goal.seed, units)
    error = float(np.nanstd(drawn))
    return Gain(goal.metric, estimate(gain, drawn, confidence), error, int(both.sum()), len(learned.y), rows)
