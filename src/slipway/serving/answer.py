"""One answer for the page: the value, how far to trust it, and an explanation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from slipway.model.contents import metrics_of
from slipway.model.evaluation import Intervals
from slipway.model.intervals import interval, levels
from slipway.model.predictor import Predictor
from slipway.model.scoring import Answers
from slipway.report.numbers import counted, number, share
from slipway.serving.chart import MOST, Bar, Chart, contribution_chart, probability_bars

SHOWN = 0.9  # or the nearest level that the bundle has


@dataclass(frozen=True)
class Answer:
    """One answer, in words.

    Parameters
    ----------
    value, exact : str
        For reading, and with every digit.
    between : str
        Where the truth lies in most cases; may be empty.
    context : str
        How far to trust it, or what decided it; may be empty.
    explanation : str
        One sentence on the chart.
    labels : list of Bar
        The most probable ones; empty for a number.
    unlisted : int
        How many labels are not among them.
    """

    value: str
    exact: str
    between: str
    context: str
    explanation: str
    chart: Chart
    labels: list[Bar]
    unlisted: int
    warnings: Sequence[str]


def explain(
    predictor: Predictor, answers: Answers, row: Mapping[str, Any], warnings: Sequence[str], intervals: Intervals | None
) -> Answer:
    """The prediction for one row, and why."""
    value = answers.values[0]
    chart = contribution_chart(predictor.contributions(answers.columns), row, answers.probabilities is not None)
    if answers.probabilities is None:
        shown, labels, context = number(value), [], _typical_error(predictor)
    else:
        probabilities = answers.probabilities[0].tolist()
        shown, labels = value, probability_bars(predictor.classes, probabilities)
        context = _decided(predictor, dict(zip(predictor.classes, probabilities)), value)
    unlisted = max(0, len(predictor.classes) - MOST)
    between = _between(intervals, answers.values)
    return Answer(
        shown, str(value), between, context, _explanation(chart, predictor.sample), chart, labels, unlisted, warnings
    )


def shown_level(intervals: Intervals | None) -> float | None:
    """The level of the interval that the page shows; None when the bundle has none."""
    return min(levels(intervals), key=lambda level: abs(level - SHOWN), default=None)


def _between(intervals: Intervals | None, values: np.ndarray) -> str:
    level = shown_level(intervals)
    if not intervals or level is None:
        return ""
    low, high = (number(float(end[0])) for end in interval(intervals, values, level))
    share = Fraction(f"{level:g}")
    return f"Between {low} and {high} in {share.numerator} of {share.denominator} cases."


def _typical_error(predictor: Predictor) -> str:
    measured = metrics_of(predictor.bundle).holdout.metrics
    if "mae" not in measured:
        return ""
    return f"On held-out rows, its answers were off by {number(measured['mae'].value)} on average."


def _decided(predictor: Predictor, probabilities: Mapping[str, float], label: str) -> str:
    positive, threshold = predictor.positive, predictor.threshold
    if positive is None or threshold is None:
        return f"The most probable of {len(predictor.classes)} labels, with {share(probabilities[label])}."
    return (
        f"The probability of {positive} is {share(probabilities[positive])}; "
        f"the answer is {positive} at {share(threshold)} or more."
    )


def _explanation(chart: Chart, sample: int) -> str:
    usual = f"The usual {chart.of}" if chart.probability else "The usual answer"
    points = " by the percentage points shown" if chart.probability else ""
    return (
        f"{usual}, the mean over a sample of {counted(sample, 'held-out row')}, is {chart.base}. Each field of this row moves "
        f"it up (+) or down (−){points}, strongest first. Together the fields move it to {chart.result}."
    )
