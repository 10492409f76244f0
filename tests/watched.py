"""Columns to watch, and what production has in them."""

import numpy as np
from scipy.stats import norm

from slipway.monitoring.bins import Column

NUMBER = ("refused", "missing", "below", "above")
LEVELS = ("refused", "missing", "unseen")
EDGES = norm.ppf(np.linspace(0, 1, 11)).clip(-4, 4)  # ten bins of about as many rows of a normal column


def number(rows: int = 10_000, missing: float = 0.05, name: str = "bmi") -> Column:
    """A normal column in ten bins."""
    empty = round(missing * rows)
    inner = np.full(10, (rows - empty) // 10)
    return Column(f"field/{name}", name, NUMBER, np.array([0, empty, 0, 0, *inner]), rows, edges=tuple(EDGES))


def shifted(shift: float = 0.0, missing: float = 0.05) -> np.ndarray:
    """The probability of each bin of such a column, moved by so many standard deviations."""
    inner = np.diff(norm.cdf(np.array([-np.inf, *EDGES[1:-1], np.inf]) - shift))
    return np.array([0, missing, 0, 0, *(1 - missing) * inner])


def learned(random: np.random.Generator, rows: int) -> tuple[Column, np.ndarray]:
    """A normal column as training would describe it, and the probability of each of its bins.

    Training's quantiles are no quantiles of what the rows came from: the probabilities between the values of a sample are
    Dirichlet distributed, and beyond the outer values there is as much as between two neighbours.
    """
    share = random.uniform(0, 0.2)
    missing = random.binomial(rows, share)
    inner = np.full(10, (rows - missing) // 10)
    known = random.dirichlet([1, *inner, 1])
    column = Column("field/x", "x", NUMBER, np.array([0, missing, 0, 0, *inner]), rows, edges=tuple(EDGES))
    return column, np.array([0, share, *(1 - share) * known[[0, -1]], *(1 - share) * known[1:-1]])


def learned_levels(random: np.random.Generator, rows: int) -> tuple[Column, np.ndarray]:
    """The same of a category of forty levels, most of them rare, so that training has not seen all."""
    frequency = 1 / np.arange(1, 41) ** 2.5
    truth = np.array([0.05, *0.95 * frequency / frequency.sum()])
    missing, *drawn = random.multinomial(rows, truth)
    counts, seen = np.array(drawn), np.array(drawn) > 0
    names = tuple(map(str, np.flatnonzero(seen)))
    usual = np.array([0, missing, (counts == 1).sum(), *counts[seen]])
    column = Column("field/x", "x", LEVELS, usual, rows, levels=names)
    return column, np.array([0, truth[0], truth[1:][~seen].sum(), *truth[1:][seen]])
