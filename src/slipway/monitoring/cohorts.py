"""Predictions and their labels together, by the day of the prediction: how many are known yet, how late they come, and which
days say enough to be judged by.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
import pyarrow
from numpy.typing import NDArray

from slipway.monitoring.logged_rows import LoggedRows, joined, read_rows
from slipway.monitoring.partitions import ROWS, Log
from slipway.monitoring.row_keys import places
from slipway.monitoring.whole_days import files

ENOUGH = 0.9  # of the labels that a day will get: the early ones alone are not like the rest
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Labelled:
    """Rows whose label is known.

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
        How many there are, and of how many the label is known.
    matured : bool
        Whether at least 90 % of the labels that it will get are known.
    delay : float or None
        Median of the seconds from a prediction to its first label; None without labels.
    """

    day: date
    rows: int
    labelled: int
    matured: bool
    delay: float | None = None

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
    days, counts, seconds = [], [], []
    keys, seen = labels.column("key").combine_chunks(), _microseconds(labels.column("first_seen"))
    for day, paths in _by_day(log, bundle):
        rows = joined([read_rows(path, ids) for path in paths])
        found = places(rows, ids, keys)
        known = found.is_valid().to_numpy()
        late = seen[found.drop_null().to_numpy()]
        days.append((day, len(rows), int(known.sum())))
        seconds.append(np.maximum(late - _microseconds(rows.calls.column("at"))[known], 0) / 1e6)
        counts.append(np.bincount(np.maximum(late // 86_400_000_000 - (day - EPOCH).days, 0)))
    complete = [(today - day).days for day, _, _ in days]  # delays, in days, whose labels of that day are all here
    matured = maturity(counts, complete)
    late = np.concatenate([each for each, ripe in zip(seconds, matured) if ripe] or [np.zeros(0)])
    delay = Delay(*np.quantile(late, [0.5, ENOUGH]).tolist()) if len(late) else None
    medians = [float(np.median(each)) if len(each) else None for each in seconds]
    return Cohorts(tuple(Day(*day, ripe, median) for day, ripe, median in zip(days, matured, medians)), delay)


def labelled(
    log: Log,
    labels: pyarrow.Table,
    ids: Sequence[str],
    days: Collection[date],
    bundle: str | None = None,
    columns: Collection[str] | None = None,
) -> Labelled | None:
    """The rows of some days whose label is known; None when there is none.

    Parameters
    ----------
    log, labels, ids, bundle
        As of `cohorts`.
    days : collection of date
    columns : collection of str, optional
        Which features and ids to read; all when absent.

    Raises
    ------
    StoreError
        When a file of the log cannot be read.
    """
    keys = labels.column("key").combine_chunks()
    wanted = None if columns is None else [*dict.fromkeys([*columns, *ids])]
    rows, found = [], []
    for day, paths in _by_day(log, bundle):
        for path in paths if day in days else ():
            each = read_rows(path, wanted)
            at = places(each, ids, keys)
            rows.append(each.filter(at.is_valid()))
            found.append(at.drop_null())
    if not any(map(len, rows)):
        return None
    at = pyarrow.concat_arrays([chunk for each in found for chunk in each.chunks])
    return Labelled(joined(rows), labels.drop_columns(["key"]).take(at))


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


def _by_day(log: Log, bundle: str | None) -> Iterator[tuple[date, list[Path]]]:
    found = [(part.day, path) for part, path in files(log, ROWS) if bundle is None or bundle.startswith(part.bundle)]
    for day, group in groupby(found, itemgetter(0)):
        yield day, [path for _, path in group]


def _microseconds(moments: pyarrow.ChunkedArray) -> NDArray[np.int64]:
    found: NDArray[np.int64] = moments.cast(pyarrow.int64()).to_numpy()
    return found
