"""Predictions and their labels together, by the day of the prediction: how many are known yet, how late they come, and which
days say enough to be judged by.

A label is of one prediction: the last one that was made before the label was first seen. The other ones of the same key,
before it and later, are repeated: they count neither as labelled nor as rows that wait for a label. So what is asked again
and again weighs as much as what is asked once, and nobody chooses afterwards what a known label is learned with.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
import pyarrow
from numpy.typing import NDArray
from pyarrow import compute

from slipway.monitoring.logged_rows import LoggedRows, joined, read_rows
from slipway.monitoring.partitions import ROWS, Log
from slipway.monitoring.row_keys import DAY, places, places_in_time
from slipway.monitoring.whole_days import files

ENOUGH = 0.9  # of the labels that a day will get: the early ones alone are not like the rest
EPOCH = date(1970, 1, 1)
NEVER = np.iinfo(np.int64).min


@dataclass(frozen=True)
class Labelled:
    """Rows whose label is known, one for each label.

    Parameters
    ----------
    rows : LoggedRows
    labels : Table
        Of each row: the columns of `slipway.monitoring.known_labels.in_force`, but for the key.
    """

    rows: LoggedRows
    labels: pyarrow.Table


@dataclass(frozen=True)
class Day:
    """The predictions of a day (UTC).

    Parameters
    ----------
    day : date
    rows, labelled : int
        How many there are without the repeated ones, and of how many the label is known.
    matured : bool
        Whether at least 90 % of the labels that it will get are known.
    delay : float or None
        Median of the seconds from a prediction to its first label; None without labels.
    repeated : int
        Predictions whose label is another one's, or was known before they were asked.
    """

    day: date
    rows: int
    labelled: int
    matured: bool
    delay: float | None = None
    repeated: int = 0

    @property
    def coverage(self) -> float:
        """The share of predictions whose label is known, 0 to 1."""
        return self.labelled / self.rows if self.rows else 0.0


@dataclass(frozen=True)
class Delay:
    """Seconds from a prediction to its first label: the median, and what 90 % of the labels need at most."""

    median: float
    ninety: float


@dataclass(frozen=True)
class Cohorts:
    """Days in their order; the delay is that of matured days, None while there are none."""

    days: tuple[Day, ...]
    delay: Delay | None

    @property
    def matured(self) -> tuple[Day, ...]:
        return tuple(day for day in self.days if day.matured)

    @property
    def coverage(self) -> float | None:
        """The share of predictions of matured days whose label is known; None while there are none."""
        rows = sum(day.rows for day in self.matured)
        return sum(day.labelled for day in self.matured) / rows if rows else None


def cohorts(log: Log, labels: pyarrow.Table, ids: Sequence[str], today: date, bundle: str | None = None) -> Cohorts:
    """The days of the log.

    Parameters
    ----------
    log : Log
    labels : Table
        Those in force (`slipway.monitoring.known_labels.in_force`).
    ids : sequence of str
        Columns that name a row.
    today : date
        In UTC.
    bundle : str, optional
        Only what this one answered: its digest, or the first twelve digits.

    Raises
    ------
    StoreError
        When a file of the log cannot be read.
    """
    met, seen = _met(dict(_by_day(log, bundle)), labels, ids), _microseconds(labels.column("first_seen"))
    counts, seconds = [], []
    for place, day in enumerate(met.days):
        own = met.day == place
        seconds.append(np.maximum(seen[own] - met.at[own], 0) / 1e6)
        counts.append(np.bincount(np.maximum(seen[own] // DAY - (day - EPOCH).days, 0)))
    complete = [(today - day).days for day in met.days]  # delays, in days, whose labels of that day are all here
    matured = maturity(counts, complete)
    late = np.concatenate([each for each, ripe in zip(seconds, matured) if ripe] or [np.zeros(0)])
    delay = Delay(*np.quantile(late, [0.5, ENOUGH]).tolist()) if len(late) else None
    days = []
    for place, (each, ripe) in enumerate(zip(seconds, matured)):
        repeated = met.named[place] - len(each)
        median = float(np.median(each)) if len(each) else None
        days.append(Day(met.days[place], met.rows[place] - repeated, len(each), ripe, median, repeated))
    return Cohorts(tuple(days), delay)


def labelled(
    log: Log,
    labels: pyarrow.Table,
    ids: Sequence[str],
    days: Collection[date],
    bundle: str | None = None,
    columns: Collection[str] | None = None,
) -> Labelled | None:
    """The rows of some days whose label is known, in the order of the days; None when there is none.

    Parameters
    ----------
    log, labels, ids, days, bundle, columns
        As of `labelled_days`.

    Raises
    ------
    StoreError
        When a file of the log cannot be read.
    """
    found = [rows for _, rows in labelled_days(log, labels, ids, sorted(days), bundle, columns)]
    if not found:
        return None
    return Labelled(joined([each.rows for each in found]), pyarrow.concat_tables([each.labels for each in found]))


def labelled_days(
    log: Log,
    labels: pyarrow.Table,
    ids: Sequence[str],
    days: Iterable[date],
    bundle: str | None = None,
    columns: Collection[str] | None = None,
) -> Iterator[tuple[date, Labelled]]:
    """The rows whose label is known, of one day after another; days without such rows are left out.

    Parameters
    ----------
    log, labels, ids, bundle
        As of `cohorts`.
    days : iterable of date
    columns : collection of str, optional
        Which features and ids to read; all when absent.

    Raises
    ------
    StoreError
        When a file of the log cannot be read.
    """
    wanted = None if columns is None else [*dict.fromkeys([*columns, *ids])]
    paths = dict(_by_day(log, bundle))
    met = _met(paths, labels, ids)
    for day in days:
        rows, found = [], []
        for path in paths.get(day, ()):
            each = read_rows(path, wanted)
            at = met.own(day, each, places(each, ids, labels))
            rows.append(each.filter(at.is_valid()))
            found.append(at.drop_null())
        if any(map(len, rows)):
            yield day, Labelled(joined(rows), labels.drop_columns(["key"]).take(pyarrow.concat_arrays(found)))


def maturity(counts: Sequence[NDArray[np.int64]], complete: Sequence[int]) -> list[bool]:
    """Which days have at least 90 % of the labels that such days get.

    Late labels of young days are missing from any average. So the share that has come after each delay is estimated from the
    longest delay back, each step by the days that are old enough to tell: the estimator for truncated delays of Lagakos,
    Barraj & De Gruttola (Biometrika 75, 1988). It knows nothing of delays longer than the oldest day's; therefore no day is
    matured before the log is twice as old as the delay of 90 %.

    Parameters
    ----------
    counts : sequence of ndarray of int
        Per day: labels by delay in days, from 0.
    complete : sequence of int
        Per day: how many delays, from 0, are over.
    """
    longest = max(complete, default=0)
    if longest <= 0:
        return [False] * len(counts)
    sums = np.zeros((len(counts), longest))
    for row, each, over in zip(sums, counts, complete):
        row[: max(min(over, len(each)), 0)] = each[: max(over, 0)]
    sums = sums.cumsum(axis=1)
    arrived = np.ones(longest)
    for delay in range(longest - 1, 0, -1):
        old = np.array(complete) > delay
        after = sums[old, delay].sum()
        arrived[delay - 1] = arrived[delay] * (sums[old, delay - 1].sum() / after if after else 1.0)
    if not sums[:, -1].any() or 2 * (int(np.argmax(arrived >= ENOUGH)) + 1) > longest:
        return [False] * len(counts)
    return [over > 0 and bool(arrived[over - 1] >= ENOUGH) for over in complete]


@dataclass(frozen=True)
class _Met:
    """Of each day how many rows there are, and of how many a label is known; of each label which row is its own.

    Parameters
    ----------
    days : sequence of date
    rows, named : sequence of int
    day, at, number, request : ndarray of shape (labels,)
        The place of its day, or -1 of a label without a prediction; and what tells it from other rows of this day.
    """

    days: list[date]
    rows: list[int]
    named: list[int]
    day: NDArray[np.int64]
    at: NDArray[np.int64]
    number: NDArray[np.int32]
    request: NDArray[np.object_]

    def add(self, day: date, rows: LoggedRows, found: pyarrow.ChunkedArray, late: pyarrow.ChunkedArray) -> None:
        """Add the next day, with the place of each row's label, and which rows were asked too late for it."""
        calls = rows.calls.select(["at", "id", "number"]).append_column("label", found).filter(found.is_valid())
        calls = calls.sort_by([("at", "ascending"), ("id", "ascending"), ("number", "ascending")])
        calls = calls.filter(pyarrow.array(_microseconds(calls.column("at")) >= self.at[calls.column("label").to_numpy()]))
        place = calls.column("label").to_numpy()  # of rows with one label the last one stays
        self.day[place] = len(self.days)
        self.at[place] = _microseconds(calls.column("at"))
        self.number[place] = calls.column("number").to_numpy()
        self.request[place] = calls.column("id").to_pylist()
        self.days.append(day)
        self.rows.append(len(rows))
        self.named.append(len(found) - found.null_count + (compute.sum(late).as_py() or 0))

    def own(self, day: date, rows: LoggedRows, found: pyarrow.ChunkedArray) -> pyarrow.Array:
        """The places of labels again, without those of rows that are not the label's own."""
        valid = found.is_valid().to_numpy()
        place, calls = found.drop_null().to_numpy(), rows.calls.filter(found.is_valid())
        own = self.day[place] == self.days.index(day)
        own &= self.at[place] == _microseconds(calls.column("at"))
        own &= self.number[place] == calls.column("number").to_numpy()
        own &= self.request[place] == np.array(calls.column("id").to_pylist(), dtype=object)
        valid[valid] = own
        return compute.if_else(pyarrow.array(valid), found.combine_chunks(), pyarrow.scalar(None, found.type))


def _met(days: Mapping[date, Sequence[Path]], labels: pyarrow.Table, ids: Sequence[str]) -> _Met:
    count = labels.num_rows
    met = _Met([], [], [], np.full(count, -1), np.full(count, NEVER), np.zeros(count, np.int32), np.full(count, "", object))
    for day, paths in days.items():
        rows = joined([read_rows(path, ids) for path in paths])
        met.add(day, rows, *places_in_time(rows, ids, labels))
    return met


def _by_day(log: Log, bundle: str | None) -> Iterator[tuple[date, list[Path]]]:
    found = [(part.day, path) for part, path in files(log, ROWS) if bundle is None or bundle.startswith(part.bundle)]
    for day, group in groupby(found, itemgetter(0)):
        yield day, [path for _, path in group]


def _microseconds(moments: pyarrow.ChunkedArray) -> NDArray[np.int64]:
    found: NDArray[np.int64] = moments.cast(pyarrow.int64()).to_numpy()
    return found
