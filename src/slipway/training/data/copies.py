"""Rows that occur again under another id, and splits that few different rows make coarse: a hold-out that is easier, or
other, than it looks."""

from dataclasses import dataclass

import numpy as np

from slipway.table.schema import Columns

TOLERATED = 0.05  # of the held-out rows: above it, the hold-out says nothing about new rows
RARE = 0.01  # of the pairs of equal rows: fewer are expected by chance where rows were copied
SAME = 0.9  # of the copies have one target, beyond chance
COARSE = 50
DEVIATES = 4  # standard errors


@dataclass(frozen=True)
class Copies:
    """Rows that are equal in all features.

    Parameters
    ----------
    held : int
        How many held-out rows equal a row that is learned from.
    of : int
        How many rows are held out.
    by_chance : bool
        Whether different rows are as often equal, as where all features have few values.
    """

    held: int
    of: int
    by_chance: bool

    @property
    def too_many(self) -> bool:
        return not self.by_chance and self.held > TOLERATED * self.of

    def remarks(self) -> list[str]:
        if not self.held:
            return []
        says = f"{self.held:,} of {self.of:,} held-out rows equal a training row in all features"
        if self.by_chance:
            return [f"{says}, as is common where features have few values"]
        return [f"{says}, so the hold-out looks too good: remove id, or name in group what several rows are about"]


def repeat_rows(alike: np.ndarray, columns: Columns, y: np.ndarray) -> bool:
    """Whether equal rows are the same ones again: more of them than chance makes, or with the same target."""
    pairs = _pairs(alike)
    if pairs == 0:
        return False
    chance = _pairs(np.zeros(len(alike), dtype=np.int64))
    for column in columns.values():
        chance *= _equal(column)
    if chance < RARE * pairs:
        return True
    first = np.unique(alike, return_index=True)[1]
    later = np.ones(len(y), dtype=bool)
    later[first] = False
    same, anyway = float((y == y[first][alike])[later].mean()), _equal(y[np.bincount(alike)[alike] > 1])
    return anyway < 1 and (same - anyway) / (1 - anyway) >= SAME


def _pairs(codes: np.ndarray) -> float:
    counts = np.bincount(codes).astype(np.float64)
    return float((counts * (counts - 1) / 2).sum())


def _equal(column: np.ndarray) -> float:
    """How likely two cells are equal."""
    shares = np.unique(column, return_counts=True)[1] / len(column)
    return float((shares**2).sum())


def coarse(keys: np.ndarray, held: np.ndarray, share: float, what: str, cure: str) -> list[str]:
    """What a reader must know of a split by hash where few keys, `what` they are, divide all rows."""
    different = len(np.unique(keys))
    off = abs(held.mean() - share) > DEVIATES * np.sqrt(share * (1 - share) / len(held))
    if different == len(held) or not off and different >= COARSE:
        return []
    return [
        f"there are only {different:,} different {what}, so the split is coarse: {len(np.unique(keys[held])):,} of them "
        f"are held out, {held.mean():.0%} of the rows instead of {share:.0%}; {cure}"
    ]
