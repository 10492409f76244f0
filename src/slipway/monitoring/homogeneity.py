"""How far a window's counts are from the reference's, and what chance explains of it; vectorised over windows.

A column is compared in parts. What is no ordinary value (refused, missing, below or above the range, an unseen level) is
compared bin by bin with an exact test: one such row where the reference has none may be an enormous chi-squared, and no
evidence. The ordinary values are compared all at once, by the chi-squared test of homogeneity: their shape.

Effects are in standard deviations, and what chance alone would add is subtracted. Of the shape: sqrt((X − df)(1/n + 1/N)),
where X is the statistic of n rows against N; for a normal column in ten bins about the shift in units of its deviation. Of
a share: Cohen's h, 2·asin(√q) − 2·asin(√r) (Statistical Power Analysis for the Behavioral Sciences, 1988); 0.2 is from 0 to
1 %, from 10 to 17 % or from 50 to 60 %.
"""

import numpy as np
from scipy.special import chdtrc

from slipway.monitoring.bins import Column

SMALL = 0.2  # the least effect that matters
LEAST = 0.5  # the weight of one row against one
EXPECTED = 5  # rows in a bin: with fewer the statistic has no chi-squared distribution


def compare(counts: np.ndarray, column: Column) -> tuple[np.ndarray, np.ndarray]:
    """p and effect of each part of a column, in arrays of shape (..., parts).

    Exact tails take time: p of a share is 1 where its effect is too small to matter.

    Parameters
    ----------
    counts : ndarray of int, of shape (..., bins)
        Of one window, or of several.
    column : Column
    """
    apart = len(column.apart)
    p, effects = _shares(counts[..., :apart], counts.sum(axis=-1, keepdims=True), column.counts[:apart], column.rows)
    p_shape, effect = _shape(counts[..., apart:], column.ordinary)
    return np.concatenate([p, p_shape], axis=-1), np.concatenate([effects, effect], axis=-1)


def _shares(found: np.ndarray, rows: np.ndarray, usual: np.ndarray, total: int) -> tuple[np.ndarray, np.ndarray]:
    """Each count by itself: Fisher's exact test, its smaller tail doubled, and Cohen's h."""
    h = 2 * (np.arcsin(np.sqrt(found / np.maximum(rows, 1))) - np.arcsin(np.sqrt(usual / total)))
    effects = np.sqrt(np.maximum(0, h**2 - 1 / np.maximum(rows, 1) - 1 / total))
    p, tested = np.ones_like(effects), effects >= SMALL
    found, rows, usual = (each[tested] for each in np.broadcast_arrays(found, rows, usual))
    if not len(found):
        return p, effects
    from scipy.stats import hypergeom  # a second to load, and most looks need no exact tail

    facts = rows + total, found + usual, rows
    p[tested] = np.minimum(1, 2 * np.minimum(hypergeom.cdf(found, *facts), hypergeom.sf(found - 1, *facts)))
    return p, effects


def _shape(found: np.ndarray, usual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """p and effect of all counts together, after the rarest bins were piled into one until each expects enough rows.

    The reference alone says what is rare: to pile by what was found would bias the test.
    """
    order = np.argsort(usual, kind="stable")
    found, usual = found[..., order].astype(np.float64), usual[order].astype(np.float64)
    rows, total = found.sum(axis=-1, keepdims=True), usual.sum()
    needed = EXPECTED * np.maximum(1, total / np.maximum(rows, 1))  # rows of the reference
    rare = np.searchsorted(usual, needed)
    piled = np.where(rare > 0, np.maximum(rare, np.searchsorted(usual.cumsum(), needed) + 1), 0).clip(max=len(usual))
    none = np.zeros_like(rows)
    alone = _terms(found, usual, rows, total)[..., ::-1].cumsum(axis=-1)[..., ::-1]  # of this bin and all more frequent ones
    pile = _terms(found.cumsum(axis=-1), usual.cumsum(), rows, total)  # if all up to this bin are one
    statistic = np.take_along_axis(np.concatenate([alone, none], axis=-1), piled, axis=-1)
    statistic += np.take_along_axis(np.concatenate([none, pile], axis=-1), piled, axis=-1)
    freedom = len(usual) - piled + (piled > 0) - 1
    p = np.where(freedom > 0, chdtrc(np.maximum(freedom, 1), statistic), 1.0)
    return p, np.sqrt(np.maximum(0, (statistic - freedom) / np.maximum(_weight(rows, total), LEAST)))


def _terms(first: np.ndarray, second: np.ndarray, rows: np.ndarray, total: np.ndarray | float) -> np.ndarray:
    """What each bin adds to the statistic of two samples of `rows` and `total` rows; nothing if it or a sample is empty."""
    terms: np.ndarray = (first * total - second * rows) ** 2 / np.maximum(rows * total * (first + second), 1)
    return terms


def _weight(rows: np.ndarray, total: np.ndarray | float) -> np.ndarray:
    """1 / (1/n + 1/N), by which a statistic grows with the square of its effect; 0 if a sample is empty."""
    weight: np.ndarray = rows * total / np.maximum(rows + total, 1)
    return weight


def wobble(days: np.ndarray, column: Column) -> np.ndarray:
    """The standard deviation of days around their mean, for each part, in the unit of its effect: an array of shape (parts,).

    It is taken from each day and the next one (von Neumann, Annals of Mathematical Statistics 1941), so that a lasting
    change, which is what the drift is about, adds but one large difference among many. What chance alone would add is
    subtracted, and days weigh by their rows.

    Parameters
    ----------
    days : ndarray of int, of shape (days, bins)
        At least two, in their order.
    column : Column
    """
    apart = len(column.apart)
    days = days.astype(np.float64)
    found = days[:, :apart]
    shares = np.stack([found, days.sum(axis=-1, keepdims=True) - found], axis=-1)
    return np.append(_from_day_to_day(shares), _from_day_to_day(days[:, apart:]))


def _from_day_to_day(days: np.ndarray) -> np.ndarray:
    """The same of counts of shape (days, ..., bins), all bins together."""
    first, second = days[:-1], days[1:]
    rows, total = (part.sum(axis=-1, keepdims=True) for part in (first, second))
    both, weight = np.maximum(rows + total, 1)[..., 0], _weight(rows, total)[..., 0]
    statistic = _terms(first, second, rows, total).sum(axis=-1) * (both - 1) / both
    freedom = np.where(weight > 0, (first + second > 0).sum(axis=-1) - 1, 0)
    squares = (statistic - freedom).sum(axis=0) / np.maximum(weight.sum(axis=0), LEAST) / 2
    deviations: np.ndarray = np.sqrt(np.maximum(0, squares))
    return deviations
