"""evaluation.json: how good the model is, where, how sure that is, and what it depends on.

All of it was measured on the held-out rows with the model that never saw them, unless a field says otherwise. Numbers have
six significant digits; a date is in days since 1970-01-01. The size is bounded: nothing grows with the rows, and what grows
with the fields is small.
"""

import msgspec

from slipway.model.bundle import Bundle
from slipway.model.contents import Estimate
from slipway.model.typed_document import Draft, document_of

NAME = "evaluation.json"


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """How often each value occurs.

    Attributes
    ----------
    counts : tuple of int
        Rows per level or per bin.
    levels : tuple of str
        The most frequent levels of a category, or the classes of a target; empty for numbers and dates.
    low, high : float
        Of numbers and dates: where the first of the bins, which are equally wide, begins and the last ends. What lies beyond
        is counted in the outer ones.
    other : int
        Rows of all levels that are not listed.
    distinct : int
        How many levels there are in all; 0 for numbers and dates.
    least, most : float or None
        Of a target that is a number: the ends of its range, which may lie beyond the bins.
    """

    counts: tuple[int, ...]
    levels: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    other: int = 0
    distinct: int = 0
    least: float | None = None
    most: float | None = None

    @property
    def edges(self) -> tuple[float, ...]:
        """Of numbers and dates: one more than there are bins."""
        width = (self.high - self.low) / max(1, len(self.counts))
        return tuple(self.low + width * place for place in range(len(self.counts) + 1))


class FieldProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows have in one field; `missing` is a share, 0 to 1."""

    name: str
    type: str
    missing: float
    distribution: Distribution


class LeftOut(msgspec.Struct, frozen=True):
    """A column of the table that the model does not read, and why."""

    column: str
    reason: str


class ReliabilityBin(msgspec.Struct, frozen=True, kw_only=True):
    """Rows with about the same probability.

    Attributes
    ----------
    predicted : float
        Mean of the probabilities.
    observed : Estimate
        Share of the rows for which it came true.
    """

    predicted: float
    observed: Estimate
    rows: int


class Reliability(msgspec.Struct, frozen=True, kw_only=True):
    """Whether probabilities come true: of the positive class, or with several classes of the predicted one.

    Attributes
    ----------
    bins : tuple of ReliabilityBin
        By rising probability, about equally many rows in each.
    error : Estimate
        Expected calibration error: mean distance of predicted and observed over the bins, weighted by rows.
    chance : float
        What the error of perfect probabilities exceeds on so few rows only with probability 1 − `confidence`.
    """

    bins: tuple[ReliabilityBin, ...]
    error: Estimate
    chance: float


class Recalibration(msgspec.Struct, frozen=True, kw_only=True):
    """What recalibration would change or has changed, on out-of-fold answers.

    Attributes
    ----------
    method : str
        ``logit``: a · logit(p) + b (Platt). Empty when the probabilities were kept as they are.
    before, after : float
        Log loss; `after` is cross-fitted.
    gain : Estimate
        Of the mean log loss of a row; above zero is better.
    """

    method: str
    before: float
    after: float
    gain: Estimate


class ThresholdPoint(msgspec.Struct, frozen=True, kw_only=True):
    """What answering the positive class from this probability on would mean.

    Attributes
    ----------
    cost : float or None
        Mean declared cost of a row; None when slipway.yaml declares none.
    """

    threshold: float
    precision: float
    recall: float
    false_positive_rate: float
    accuracy: float
    f1: float
    cost: float | None = None


class ClassLine(msgspec.Struct, frozen=True, kw_only=True):
    """How one class is recognised, at the chosen threshold; `precision` is None when it was never answered."""

    label: str
    rows: int
    precision: Estimate | None
    recall: Estimate | None
    f1: Estimate | None


class ResidualBand(msgspec.Struct, frozen=True, kw_only=True):
    """Actual minus predicted among answers from `low` to `high`: the 10 % quantile, the median and the 90 % quantile."""

    low: float
    high: float
    rows: int
    q10: float
    median: float
    q90: float


class Residuals(msgspec.Struct, frozen=True, kw_only=True):
    """Where a regression errs.

    Attributes
    ----------
    predicted, actual : tuple of float
        Of at most 400 rows.
    bands : tuple of ResidualBand
        By rising answer, about equally many rows in each.
    """

    predicted: tuple[float, ...]
    actual: tuple[float, ...]
    bands: tuple[ResidualBand, ...]


class IntervalLevel(msgspec.Struct, frozen=True, kw_only=True):
    """How far the truth lies from the answer in a share `level` of all cases.

    Attributes
    ----------
    below, above : tuple of float
        Per bin of the answer, what to subtract and to add, in units of the target.
    coverage : Estimate
        In which share of the held-out rows such an interval holds the truth, measured by halves: each half is
        answered with the widths of the other.
    """

    level: float
    below: tuple[float, ...]
    above: tuple[float, ...]
    coverage: Estimate


class Intervals(msgspec.Struct, frozen=True, kw_only=True):
    """Prediction intervals of a regression; `slipway.model.intervals` applies them.

    Attributes
    ----------
    edges : tuple of float
        Rising answers that divide the bins, one less than there are bins; the outer bins are open.
    levels : tuple of IntervalLevel
        By rising level.
    least : float or None
        Where an interval ends that would go below: 0 when no row has a target below it.
    """

    edges: tuple[float, ...]
    levels: tuple[IntervalLevel, ...]
    least: float | None = None

    def __post_init__(self) -> None:
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError("the edges of intervals must rise")
        for one in self.levels:
            if not len(one.below) == len(one.above) == len(self.edges) + 1:
                raise ValueError(f"intervals of level {one.level:g} do not fit {len(self.edges)} edges")


class Importance(msgspec.Struct, frozen=True):
    """How much worse the metric gets when a field is shuffled: the loss is above zero when the model needs the field."""

    field: str
    loss: Estimate


class EffectPoint(msgspec.Struct, frozen=True, kw_only=True):
    """The answers when one field is set to the same value in every row, and all else stays.

    Attributes
    ----------
    at : float or str
        The value, or the level.
    mean : float
        Of the answers: partial dependence.
    low, high : float
        Their 10 % and 90 % quantiles.
    """

    at: float | str
    mean: float
    low: float
    high: float


class Effect(msgspec.Struct, frozen=True, kw_only=True):
    """How the answer moves with one field.

    Attributes
    ----------
    of : str
        The class whose probability moves; empty for regression.
    points : tuple of EffectPoint
        By rising value, or by falling frequency of the level.
    """

    field: str
    of: str
    points: tuple[EffectPoint, ...]


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The metric on a part of the rows.

    Attributes
    ----------
    part : str
        The level, or the range in words.
    estimate : Estimate
        The interval is wide enough for all slices at once, so that one in many does not stand out by chance.
    apart : bool
        Whether the interval excludes the value of all rows.
    """

    field: str
    part: str
    rows: int
    estimate: Estimate
    apart: bool


class Slices(msgspec.Struct, frozen=True, kw_only=True):
    """The metric per level and per range of the fields that matter most.

    Attributes
    ----------
    metric : str
        The model's own, or its nearest relative that does not depend on how many positives a slice has or how much its
        target varies.
    whole : float
        Of all rows.
    worst : tuple of Slice
        The worst first.
    examined : int
        How many slices there were; at most 60 are listed.
    """

    metric: str
    whole: float
    worst: tuple[Slice, ...]
    examined: int


class LearningPoint(msgspec.Struct, frozen=True):
    """What the chosen settings reach when they learn from so many rows."""

    rows: int
    estimate: Estimate


class Evaluation(msgspec.Struct, frozen=True, kw_only=True):
    """evaluation.json; what a task does not have is empty or None.

    Attributes
    ----------
    metric : str
        The one the gate decides by; of importance and of the learning curve.
    confidence : float
        Of the intervals.
    rows : int
        Held out, of which it was measured: at most 20,000.
    target : Distribution
        Of all rows with a target, those learned from and those held out; so are the fields.
    threshold : float or None
        The chosen one; `curve` has it among its points.
    curve : tuple of ThresholdPoint
        Binary: at most 101, by rising threshold.
    confusion : tuple of tuple of int
        Rows by actual class (outer) and answered class (inner), in the order of `classes`.
    importance : tuple of Importance
        Every field, the one that would be missed most first.
    effects : tuple of Effect
        Of the strongest fields, at most 8.
    learning : str
        In a sentence, whether more rows would help.
    """

    metric: str
    confidence: float
    rows: int
    target: Distribution
    fields: tuple[FieldProfile, ...]
    left_out: tuple[LeftOut, ...] = ()
    reliability: Reliability | None = None
    recalibration: Recalibration | None = None
    threshold: float | None = None
    curve: tuple[ThresholdPoint, ...] = ()
    classes: tuple[ClassLine, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    residuals: Residuals | None = None
    intervals: Intervals | None = None
    importance: tuple[Importance, ...] = ()
    effects: tuple[Effect, ...] = ()
    slices: Slices | None = None
    learning_curve: tuple[LearningPoint, ...] = ()
    learning: str = ""


def evaluation_of(bundle: Bundle | Draft) -> Evaluation | None:
    """evaluation.json; None for a bundle of a format without it, BundleError if it is invalid."""
    return document_of(bundle, NAME, Evaluation) if bundle.has(NAME) else None
