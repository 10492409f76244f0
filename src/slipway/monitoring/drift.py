"""Which columns of production no longer look like those of training, from counts of days.

A part of a column is suspected when its difference is beyond chance *and* large enough to matter; a column is flagged when
two looks running suspect it.

Beyond chance: p < 1 / (365 · columns · parts of the column), Bonferroni's bound over all that a year of daily looks tests.
Without drift there is at most one suspicion a year in the whole table, in about 2 % of weeks, however many columns it has;
flags are rarer. Large enough: an effect of 0.2 standard deviations, Cohen's "small" (Statistical Power Analysis for the
Behavioral Sciences, 1988), or of four times what the column wobbles from day to day by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import msgspec
import numpy as np

from slipway.monitoring.bins import Column, Part
from slipway.monitoring.homogeneity import SMALL, compare, wobble

LOOKS = 365  # a year of daily ones
WOBBLES = 4
ENOUGH, FEWEST = 1_000, 200  # rows of a window
LONGEST = 28  # days
CALIBRATED = 21  # days with rows, before the wobble is known: among fewer, one lasting change looks too much like it


@dataclass(frozen=True)
class Day:
    """What one day of production has.

    Parameters
    ----------
    day : date
    rows : int
        How many were answered.
    counts : sequence of ndarray
        As `bins.count` gives them, in the order of the columns.
    """

    day: date
    rows: int
    counts: Sequence[np.ndarray]


class Suspects(msgspec.Struct, frozen=True):
    """What a look leaves for the next: the last day it saw, and per suspected column the day since which looks suspect it."""

    day: date
    since: dict[str, date]


@dataclass(frozen=True)
class Change:
    """How a part of a column differs from the reference.

    Parameters
    ----------
    part : Part
    p : float
        Of a difference as large by chance.
    effect, floor : float
        In standard deviations.
    suspected : bool
    """

    part: Part
    p: float
    effect: float
    floor: float
    suspected: bool


@dataclass(frozen=True)
class Move:
    """How a column differs from the reference.

    Parameters
    ----------
    column : Column
    counts : ndarray
        Of the window.
    changes : tuple of Change
        One for each part.
    since : date or None
        The last day of the first of the looks running that suspected it.
    flagged : bool
        Whether this look and the one before suspect it.
    """

    column: Column
    counts: np.ndarray
    changes: tuple[Change, ...]
    since: date | None
    flagged: bool

    @property
    def suspected(self) -> bool:
        """Whether this look suspects it; to be flagged, the one before must, too."""
        return any(change.suspected for change in self.changes)

    @property
    def effect(self) -> float:
        """The largest of its parts."""
        return max(change.effect for change in self.changes)


@dataclass(frozen=True)
class Look:
    """One look at all columns.

    Parameters
    ----------
    day : date
        The last one of the window.
    days, rows : int
        Of the window.
    calibrated : bool
        Whether there were enough days to know how much columns wobble by themselves.
    moves : tuple of Move
        One for each column; none when there were too few rows to compare.
    """

    day: date
    days: int
    rows: int
    calibrated: bool
    moves: tuple[Move, ...]

    @property
    def flagged(self) -> tuple[Move, ...]:
        return tuple(move for move in self.moves if move.flagged)

    @property
    def unconfirmed(self) -> tuple[Move, ...]:
        """What this look suspects and the one before did not."""
        return tuple(move for move in self.moves if move.suspected and not move.flagged)

    @property
    def suspects(self) -> Suspects | None:
        """What to keep for the next look; None when nothing was compared: then the last one still counts."""
        if not self.moves:
            return None
        return Suspects(self.day, {move.column.key: move.since for move in self.moves if move.since})


def look(columns: Sequence[Column], days: Sequence[Day], before: Sequence[Suspects] = ()) -> Look:
    """Compare the last days with the reference.

    Parameters
    ----------
    columns : sequence of Column
    days : sequence of Day
        Whole days of one bundle, in their order, at least one; days without rows may be absent.
    before : sequence of Suspects
        Of earlier looks at the same bundle. Only the latest that saw fewer days counts, so a look that is repeated on the
        same day confirms nothing.

    Raises
    ------
    ValueError
        When a day was counted in the bins of other columns.
    """
    _require_fit(columns, days)
    days = [day for day in days if days[-1].day - day.day < timedelta(LONGEST)]
    number = window([day.rows for day in days])
    last, rows = days[-1].day, sum(day.rows for day in days[-number:])
    calibrated = len(days) >= CALIBRATED
    if rows < FEWEST:
        return Look(last, number, rows, calibrated, ())
    earlier = max((one for one in before if one.day < last), key=lambda one: one.day, default=Suspects(last, {}))
    moves = []
    for place, column in enumerate(columns):
        history = np.array([day.counts[place] for day in days])
        floors = floor(wobble(history, column), number) if calibrated else np.full(len(column.parts), SMALL)
        moves.append(_move(column, history[-number:].sum(axis=0), floors, len(columns), earlier.since, last))
    return Look(last, number, rows, calibrated, tuple(moves))


def _require_fit(columns: Sequence[Column], days: Sequence[Day]) -> None:
    sizes = [len(column.counts) for column in columns]
    for day in days:
        if [len(counts) for counts in day.counts] != sizes:
            raise ValueError(f"{day.day} was counted in other bins than those of the bundle: count its rows again")


def window(rows: Sequence[int]) -> int:
    """How many of the last days are looked at, from the rows of each: as few as have enough of them, else all."""
    gathered = np.cumsum(rows[::-1])
    return min(int(np.searchsorted(gathered, ENOUGH)) + 1, len(rows))


def _move(column: Column, counts: np.ndarray, floors: np.ndarray, columns: int, since: Mapping[str, date], last: date) -> Move:
    p, effects = compare(counts, column)
    suspected = suspicious(p, effects, floors, columns)
    changes = tuple(map(Change, column.parts, p.tolist(), effects.tolist(), floors.tolist(), suspected.tolist()))
    if not suspected.any():
        return Move(column, counts, changes, None, False)
    return Move(column, counts, changes, since.get(column.key, last), column.key in since)


def suspicious(p: np.ndarray, effects: np.ndarray, floors: np.ndarray, columns: int) -> np.ndarray:
    """Which parts differ beyond chance and enough to matter; the last axis is the parts of a column, of so many columns."""
    found: np.ndarray = (p < 1 / (LOOKS * columns * p.shape[-1])) & (effects >= floors)
    return found


def floor(wobbles: np.ndarray, days: int) -> np.ndarray:
    """The least effect that matters in a window of so many days; those of single days average out."""
    floors: np.ndarray = np.maximum(SMALL, WOBBLES * wobbles / np.sqrt(days))
    return floors
