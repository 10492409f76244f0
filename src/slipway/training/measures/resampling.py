"""Intervals of what was measured on some rows: bootstrap draws of them, and the score interval of a share."""

from math import sqrt
from statistics import NormalDist

import numpy as np

from slipway.model.contents import Estimate
from slipway.model.metrics import METRICS, Scored, value
from slipway.training.measures.units import drawn_weights

DRAWS = 200
DIGITS = 6


def draws(rows: int, seed: int) -> np.ndarray:
    """Bootstrap weights of shape (200, rows): how often each draw with replacement has each row."""
    return drawn_weights(np.random.default_rng(seed), DRAWS, rows)


def drawn(metric: str, scored: Scored, weights: np.ndarray) -> np.ndarray:
    """The metric on each draw; NaN where a draw lacks what it needs."""
    return METRICS[metric].compute(scored, weights)


def estimate(reached: float, values: np.ndarray, confidence: float) -> Estimate:
    """A value with the percentile interval of its draws, which always holds the value itself."""
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(values, [tail, 1 - tail]) if not np.isnan(values).all() else (reached, reached)
    return Estimate(reached, min(float(low), reached), max(float(high), reached))


def measured(metric: str, scored: Scored, weights: np.ndarray, confidence: float) -> Estimate:
    """A metric with its interval."""
    return estimate(value(metric, scored), drawn(metric, scored, weights), confidence)


def share(hits: float, rows: float, confidence: float) -> Estimate:
    """A share of rows with its score interval, which is honest for few rows and for shares of 0 and 1.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference", JASA 22 (1927).
    """
    z = deviations(confidence)
    p = hits / rows
    middle = (p + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z * sqrt(p * (1 - p) / rows + z * z / (4 * rows * rows)) / (1 + z * z / rows)
    return Estimate(p, max(0.0, min(middle - half, p)), min(1.0, max(middle + half, p)))


def deviations(confidence: float) -> float:
    """How many standard deviations a two-sided interval of the normal distribution reaches."""
    return NormalDist().inv_cdf((1 + confidence) / 2)


def significant(number: float, digits: int = DIGITS) -> float:
    """A number with so many significant digits; no digit before the point is lost."""
    if number == 0 or not np.isfinite(number):
        return float(number)
    return round(float(number), max(0, digits - 1 - int(np.floor(np.log10(abs(number))))))
