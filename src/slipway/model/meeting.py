"""What the gate measured: a challenger and its rival on the same held-out rows. verdict.json and the journal carry it."""

from typing import Literal

from msgspec import Struct


class Meeting(Struct, frozen=True, kw_only=True):
    """A challenger and its rival on the same rows.

    Attributes
    ----------
    metric : str
    rival : str
        ``champion``, or ``baseline`` where there is no champion: it ignores all features.
    rows : int
        Held-out rows that both answered.
    challenger, against : float
        The metric of the challenger and of its rival.
    gain, low, high : float
        By how much the challenger is better, in units of the metric (below zero: worse), and its interval.
    confidence : float
        Of that interval.
    chance : float
        How likely a challenger that is not better shows such a gain (p-value).
    allowed : float
        The largest chance at which this training promotes.
    yearly : float or None
        The chance that a year of trainings promotes anything not better; None when looks of other machines are unknown.
    look : int
        Which look of the year at held-out rows this is; 1 is the first.
    worse : tuple of str
        Other metrics by which the challenger is worse than the baseline.
    """

    metric: str
    rival: Literal["champion", "baseline"]
    rows: int
    challenger: float
    against: float
    gain: float
    low: float
    high: float
    confidence: float
    chance: float
    allowed: float
    yearly: float | None
    look: int
    worse: tuple[str, ...] = ()
