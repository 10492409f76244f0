"""Which answers change when one model follows another: from arrays of answers to counts, and where they are most."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from itertools import chain
from operator import attrgetter

import numpy as np
from scipy.stats import hypergeom

from slipway.model.evaluation import Intervals
from slipway.model.intervals import interval
from slipway.model.scoring import Answers
from slipway.monitoring.bins import Column
from slipway.report.numbers import aligned, number
from slipway.table.schema import MISSING, UNSEEN, Columns

FAR = 0.05  # of the earlier number, where the model has no interval
LEVEL = 0.9  # of the interval
SHOWN = 10  # rows
SPOTS = 3
FEWEST = 30  # rows of a spot
CHANCE = 0.05  # that flips which are spread evenly make any spot
ODDS = 1.5  # of a flip there, against all rows: less is sure soon in many rows, and says little


@dataclass(frozen=True)
class Pairs:
    """What two models answer to the same rows.

    Parameters
    ----------
    before, after : ndarray of shape (n,)
        Numbers or labels.
    moved : ndarray of shape (n,)
        By how much: the difference of the numbers, or half of the sum of the differences of all probabilities, 0 to 1.
    flipped : ndarray of bool
        Whether the label is another, or the number moved far.
    by_interval : bool
        Whether a number flips when it leaves the earlier model's interval.
    chances : tuple of ndarray of shape (n,), or None
        Of labels: their probability before and after.
    """

    before: np.ndarray
    after: np.ndarray
    moved: np.ndarray
    flipped: np.ndarray
    by_interval: bool = False
    chances: tuple[np.ndarray, np.ndarray] | None = None

    def said(self, place: int) -> tuple[str, str]:
        """A row's answers before and after; a label with its probability."""
        answers = _said(self.before[place]), _said(self.after[place])
        if self.chances is None:
            return answers
        told = aligned([float(each[place]) for each in self.chances])
        return f"{answers[0]} ({told[0]})", f"{answers[1]} ({told[1]})"


@dataclass(frozen=True)
class Moved:
    """A row whose answer moved; `number` is its place in the request, from 0."""

    request: str
    number: int
    before: str
    after: str
    by: float


@dataclass(frozen=True)
class Spot:
    """Where flips are more frequent than elsewhere, beyond chance: `share` of these rows flip."""

    where: str
    rows: int
    share: float


def pairs_of_numbers(before: np.ndarray, after: np.ndarray, intervals: Intervals | None) -> Pairs:
    """Numbers flip when they leave the earlier model's 90 % interval; without one, when they move by more than 5 %."""
    moved = np.abs(after - before)
    if intervals is None or all(abs(one.level - LEVEL) > 1e-9 for one in intervals.levels):
        return Pairs(before, after, moved, moved > FAR * np.abs(before))
    low, high = interval(intervals, before, LEVEL)
    return Pairs(before, after, moved, (after < low) | (after > high), by_interval=True)


def pairs_of_labels(before: Answers, after: Answers, one: Sequence[str], other: Sequence[str]) -> Pairs:
    """Labels flip when they are others; `one` and `other` are the classes of the two models."""
    names = list(dict.fromkeys([*one, *other]))
    shares = []
    for answers, classes in ((before, one), (after, other)):
        of_all = np.zeros((len(answers.values), len(names)))
        of_all[:, [names.index(name) for name in classes]] = answers.probabilities
        shares.append(of_all)
    moved = np.abs(shares[1] - shares[0]).sum(axis=1) / 2
    chances = _chance(shares[0], before.values, names), _chance(shares[1], after.values, names)
    return Pairs(before.values, after.values, moved, before.values != after.values, chances=chances)


def _chance(shares: np.ndarray, labels: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """The probability of each label, where the columns of `shares` are `names`."""
    found = np.zeros(len(labels))
    for column, name in enumerate(names):
        chosen = labels == name
        found[chosen] = shares[chosen, column]
    return found


@dataclass
class Flips:
    """What changed in all rows so far.

    Parameters
    ----------
    columns : sequence of Column
        In whose bins flips may be concentrated.
    rows : int
        That both answered.
    flipped : int
        Of them.
    weight, flips : float
        How many rows were asked and flip, if each logged row stands for 1 / share of those asked.
    far : int
        Numbers that moved by more than 5 %.
    by_interval : bool
        As of `Pairs`.
    labels : Counter
        (label before, label after) → rows asked; none for numbers.
    moves : list of ndarray
        By how much answers moved, piece by piece.
    most : list of Moved
        The rows that moved most.
    numbers : bool
        Whether the answers are numbers.
    """

    columns: Sequence[Column]
    rows: int = 0
    flipped: int = 0
    weight: float = 0.0
    flips: float = 0.0
    far: int = 0
    numbers: bool = False
    by_interval: bool = False
    labels: Counter[tuple[str, str]] = field(default_factory=Counter)
    moves: list[np.ndarray] = field(default_factory=list)
    most: list[Moved] = field(default_factory=list)
    _counts: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, pairs: Pairs, weights: np.ndarray, values: Columns, calls: tuple[Sequence[str], Sequence[int]]) -> None:
        """Add some rows: how many asked ones each stands for, its typed columns, and its request and place in it."""
        self.rows += len(pairs.moved)
        self.flipped += int(pairs.flipped.sum())
        self.weight += float(weights.sum())
        self.flips += float(weights[pairs.flipped].sum())
        self.moves.append(pairs.moved)
        self.by_interval, self.numbers = pairs.by_interval, pairs.before.dtype != object
        if self.numbers:
            self.far += int((pairs.moved > FAR * np.abs(pairs.before)).sum())
        else:
            for place in np.flatnonzero(pairs.flipped).tolist():
                self.labels[pairs.before[place], pairs.after[place]] += weights[place]
        self._add_most(pairs, calls)
        for column in self.columns:
            places, size = _places(column, values[column.name]), _size(column)
            counts = [np.bincount(places, minlength=size), np.bincount(places[pairs.flipped], minlength=size)]
            self._counts[column.name] = self._counts.get(column.name, 0) + np.array(counts)

    def _add_most(self, pairs: Pairs, calls: tuple[Sequence[str], Sequence[int]]) -> None:
        requests, numbers = calls
        some = np.argsort(-pairs.moved, kind="stable")[:SHOWN].tolist()
        found = [
            Moved(requests[place], numbers[place], *pairs.said(place), float(by))
            for place in some
            if (by := pairs.moved[place]) > 0
        ]
        self.most = nlargest(SHOWN, chain(self.most, found), key=attrgetter("by"))

    @property
    def share(self) -> float:
        """Of the rows asked that flip, 0 to 1."""
        return self.flips / self.weight if self.weight else 0.0

    def quantiles(self, shares: Sequence[float]) -> list[float]:
        """By how much answers move at most, in these shares of the logged rows."""
        found: list[float] = np.quantile(np.concatenate(self.moves), shares).tolist()
        return found

    @property
    def spots(self) -> list[Spot]:
        """Up to three levels or ranges, each of another field, where flips are concentrated; those with most first.

        The number of flips of a bin is held against that of as many rows drawn from all without replacement.
        """
        share = self.flipped / self.rows if self.rows else 0.0
        if not 0 < share < 1:
            return []
        found = []
        allowed = CHANCE / sum(_size(column) for column in self.columns)
        for column in self.columns:
            rows, flips = self._counts[column.name]
            chance = hypergeom.sf(flips - 1, self.rows, self.flipped, rows)
            enough = (rows >= FEWEST) & (chance < allowed) & (flips * (1 - share) >= ODDS * (rows - flips) * share)
            if enough.any():
                place = int(np.where(enough, flips - rows * share, 0).argmax())
                spot = Spot(_where(column, place), int(rows[place]), flips[place] / rows[place])
                found.append((flips[place] - rows[place] * share, spot))
        return [spot for _, spot in sorted(found, key=lambda each: -each[0])[:SPOTS]]


def _size(column: Column) -> int:
    return (len(column.edges) - 1 if column.edges else len(column.levels)) + 2


def _places(column: Column, values: np.ndarray) -> np.ndarray:
    """The bin of each value; the last but one is for missing cells, the last for levels that training never saw."""
    size = _size(column)
    if column.edges:
        places = np.searchsorted(column.edges[1:-1], values, side="right")
        return np.where(np.isnan(values), size - 2, places)
    return np.select([values == MISSING, values == UNSEEN], [size - 2, size - 1], values)


def _where(column: Column, place: int) -> str:
    size = _size(column)
    if place >= size - 2:
        return f"{column.name} missing" if place == size - 2 else f"{column.name} of an unseen level"
    if column.levels:
        return f"{column.name} = {column.levels[place]}"
    if place == 0:
        return f"{column.name} below {number(column.edges[1])}" if size > 3 else f"{column.name} not missing"
    if place == size - 3:
        return f"{column.name} of {number(column.edges[place])} or more"
    return f"{column.name} from {number(column.edges[place])} to {number(column.edges[place + 1])}"


def _said(answer: object) -> str:
    return answer if isinstance(answer, str) else number(float(str(answer)))
