"""What the gate measured: a challenger and its rival on the same held-out rows. verdict.json and the journal carry it."""

from typing import Literal

from msgspec import Struct


class Harm(Struct, frozen=True, kw_only=True):
    """The losses of both models on a part of the rows: a level of a field, the anchor set, or production's newest rows.

    Attributes
    ----------
    name : str
        Of the part, such as ``smoker = yes``.
    rows : int
    challenger, champion : float
        The mean loss per row of each.
    low, high : float
        Interval of how much larger the challenger's is.
    chance : float
        How likely a challenger within the tolerance seems so much worse, corrected for the number of parts (p-value).
    refused : bool
        Whether that is so unlikely that the challenger is not promoted.
    """

    name: str
    rows: int
    challenger: float
    champion: float
    low: float
    high: float
    chance: float
    refused: bool


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
    loss : str
        Whose means `harms` has; empty when no part was tested.
    parts : int
        How many were tested.
    harms : tuple of Harm
        Those on which the challenger looks worst, the worst first.
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
    loss: str = ""
    parts: int = 0
    harms: tuple[Harm, ...] = ()
