"""Where a regression errs on the held-out rows, and the prediction intervals that follow from it."""

from math import ceil

import numpy as np

from slipway.model.contents import Estimate
from slipway.model.evaluation import IntervalLevel, Intervals, ResidualBand, Residuals
from slipway.model.intervals import interval
from slipway.model.metrics import Scored
from slipway.training.measures.resampling import share

LEVELS = (0.8, 0.9, 0.95)
BIN_ROWS = 60
BINS = 10
SHOWN = 400
ROUNDING = 1e-9


def residuals(scored: Scored, seed: int) -> Residuals:
    """A sample of answers with the truth, and the errors by decile of the answer."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(scored.y))[:SHOWN])
    bins = np.searchsorted(_edges(scored.scores, BINS), scored.scores, side="right")
    return Residuals(
        predicted=tuple(scored.scores[chosen].tolist()),
        actual=tuple(scored.y[chosen].tolist()),
        bands=tuple(_band(scored.take(bins == each)) for each in np.unique(bins)),
    )


def _band(scored: Scored) -> ResidualBand:
    q10, median, q90 = np.quantile(scored.y - scored.scores, [0.1, 0.5, 0.9]).tolist()
    low, high = float(scored.scores.min()), float(scored.scores.max())
    return ResidualBand(low=low, high=high, rows=len(scored.y), q10=q10, median=median, q90=q90)


def intervals(scored: Scored, least: float | None, confidence: float, seed: int) -> Intervals | None:
    """Prediction intervals at 80, 90 and 95 %, wider where answers err more; None with too few rows for any.

    Per bin of the answer the width is the ceil((n + 1) · level)-th smallest absolute error of its n rows: split
    conformal prediction, whose coverage holds for any distribution of the errors. Errors of either sign count together,
    because one-sided quantiles of few rows are much wider.

    Source: Lei, G'Sell, Rinaldo, Tibshirani and Wasserman, "Distribution-free predictive inference for regression",
    JASA 113 (2018); by bins: Vovk, "Conditional validity of inductive conformal predictors", ACML 2012.
    """
    order = np.random.default_rng(seed).permutation(len(scored.y))
    halves = scored.take(order[::2]), scored.take(order[1::2])
    levels = []
    for level in LEVELS:
        if _width(np.zeros(len(scored.y) // 2), level) is None:
            continue
        hits = _hits(*halves, level) + _hits(*halves[::-1], level)
        levels.append(_level(scored, level, share(hits, len(scored.y), confidence)))
    return Intervals(edges=_edges_of(scored), levels=tuple(levels), least=least) if levels else None


def _level(scored: Scored, level: float, coverage: Estimate) -> IntervalLevel:
    errors = np.abs(scored.y - scored.scores)
    edges = _edges_of(scored)
    bins = np.searchsorted(edges, scored.scores, side="right")
    widths = [_width(errors[bins == each], level) for each in range(len(edges) + 1)]
    whole = _width(errors, level)
    filled = tuple(each or whole or 0.0 for each in widths)  # answers that are often equal may leave a bin with few rows
    return IntervalLevel(level=level, below=filled, above=filled, coverage=coverage)


def _width(errors: np.ndarray, level: float) -> float | None:
    """The width that so many errors vouch for; None when they are too few for the level."""
    place = ceil((len(errors) + 1) * level - ROUNDING)
    return float(np.partition(errors, place - 1)[place - 1]) if place <= len(errors) else None


def _hits(learned: Scored, held: Scored, level: float) -> int:
    """How many truths of one half are in the intervals that the other half gives."""
    widths = _level(learned, level, Estimate(level, level, level))
    low, high = interval(Intervals(edges=_edges_of(learned), levels=(widths,)), held.scores, level)
    return int(((low <= held.y) & (held.y <= high)).sum())


def _edges_of(scored: Scored) -> tuple[float, ...]:
    return _edges(scored.scores, min(BINS, len(scored.y) // BIN_ROWS))


def _edges(answers: np.ndarray, bins: int) -> tuple[float, ...]:
    """What divides the answers into about equally large bins; equal answers share one."""
    return tuple(np.unique(np.quantile(answers, np.arange(1, bins) / bins)).tolist()) if bins > 1 else ()
