"""What is drawn again when the gate asks how much is chance: rows, or all rows of a group or of a time at once.

Rows of one patient resemble each other, and so do those of one week: drawn one by one, they say the same thing many times.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

DRAWS = 1_000
CELLS = 4_000_000
BLOCKS = 10
FEWEST_UNITS = 3  # effective ones: fewer say nothing of how much is chance


def drawn_weights(random: np.random.Generator, draws: int, units: int) -> np.ndarray:
    """Bootstrap weights of shape (draws, units): how often each draw with replacement has each unit."""
    drawn = random.integers(0, units, (draws, units))
    flat = (drawn + np.arange(draws)[:, None] * units).ravel()
    return np.bincount(flat, minlength=draws * units).reshape(draws, units).astype(np.float64)


@dataclass(frozen=True)
class Units:
    """The rows that belong together are one unit.

    Parameters
    ----------
    of : ndarray of int
        The unit of each row, from 0 on without gaps.
    """

    of: np.ndarray

    @cached_property
    def sizes(self) -> np.ndarray:
        return np.bincount(self.of)

    @property
    def effective(self) -> float:
        """How many units of equal size would say as much: (Σ n)² / Σ n² (Kish, "Survey Sampling", 1965)."""
        return float(self.sizes.sum() ** 2 / (self.sizes.astype(np.float64) ** 2).sum())

    @cached_property
    def order(self) -> np.ndarray:
        """The rows, unit by unit."""
        return np.argsort(self.of, kind="stable")

    def draws(self, seed: int) -> Iterator[np.ndarray]:
        """Bootstrap weights, in blocks of (draws, rows) that stay small on large tables."""
        random, number = np.random.default_rng(seed), len(self.sizes)
        block = max(1, min(DRAWS, CELLS // len(self.of)))
        for start in range(0, DRAWS, block):
            size = min(block, DRAWS - start)
            weights = drawn_weights(random, size, number)
            yield weights if number == len(self.of) else weights[:, self.of]

    def shuffled(self, y: np.ndarray, random: np.random.Generator) -> np.ndarray:
        """The targets in random order: each unit gets those of another, from the first on, repeated or cut to its size."""
        if len(self.sizes) == len(y):
            return random.permutation(y)
        starts = np.cumsum(self.sizes) - self.sizes
        given = random.permutation(len(self.sizes))[self.of]
        place = np.empty(len(y), dtype=np.int64)
        place[self.order] = np.arange(len(y)) - starts[self.of[self.order]]
        taken: np.ndarray = y[self.order][starts[given] + place % self.sizes[given]]
        return taken


def units_of(together: np.ndarray, time: np.ndarray | None) -> Units:
    """The units of some rows.

    Parameters
    ----------
    together : ndarray of int
        Rows with the same number belong together.
    time : ndarray or None
        When each row was; then ten blocks of consecutive rows are units, unless the groups are still fewer. The means of
        so few blocks hardly depend on each other (Schmeiser, "Batch size effects in the analysis of simulation output", 1982).
    """
    groups = Units(np.unique(together, return_inverse=True)[1])
    if time is None:
        return groups
    before = np.searchsorted(np.sort(time), time)  # rows of the same moment are in the same block
    blocks = Units(np.unique(before * BLOCKS // len(time), return_inverse=True)[1])
    return min(blocks, groups, key=lambda units: units.effective)


def single(rows: int) -> Units:
    """Each row stands alone, in its order."""
    return Units(np.arange(rows))
