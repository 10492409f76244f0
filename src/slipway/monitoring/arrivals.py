"""How labels have come of late, and how before: whose predictions they are of, from where, how late, how often corrected."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow
from pyarrow import compute

from slipway.monitoring.cohorts import Day, cohorts, labelled_days
from slipway.monitoring.known_labels import labels_of
from slipway.monitoring.logged_rows import MOMENT
from slipway.monitoring.partitions import Log

RECENT = timedelta(days=7)
DIGITS = re.compile(r"\d+")


@dataclass(frozen=True)
class Told:
    """The labels in force of one source, as texts: those of the last seven days, and the earlier ones."""

    new: np.ndarray
    before: np.ndarray


@dataclass(frozen=True)
class Arrivals:
    """How labels come.

    Parameters
    ----------
    labels, corrected : int
        Taken in the last seven days, and how many of them replace a different one.
    clients_before, clients_new : mapping of str to int
        API key → labelled rows that it asked for: on the last seven matured days, and on the matured days before.
    sources : mapping of str to Told
        By the name of the table that the labels were in, with # for its numbers: an export of every day is one source.
    matured : sequence of Day
        Of all bundles, in their order.
    """

    labels: int
    corrected: int
    clients_before: Mapping[str, int]
    clients_new: Mapping[str, int]
    sources: Mapping[str, Told]
    matured: Sequence[Day]


def arrivals(log: Log, current: pyarrow.Table, ids: Sequence[str], today: date) -> Arrivals:
    """Read how labels have come.

    Parameters
    ----------
    log : Log
        Collected, with its labels.
    current : Table
        The labels in force (`slipway.monitoring.known_labels.in_force`).
    ids : sequence of str
        Columns that name a row.
    today : date
        In UTC.

    Raises
    ------
    StoreError
        When a file of the log cannot be read.
    """
    since = pyarrow.scalar(datetime(today.year, today.month, today.day) - RECENT, MOMENT)
    matured = cohorts(log, current, ids, today).matured
    before, new = _clients(log, current, ids, [day.day for day in matured])
    labels, corrected = corrections_in(labels_of(log), since)
    return Arrivals(labels, corrected, before, new, _sources(current, since), matured)


def corrections_in(every: pyarrow.Table, since: pyarrow.Scalar) -> tuple[int, int]:
    """How many labels were taken since then, and how many of them differ from the one of the same key that was taken before.

    When a label was taken is the log's own time; when it was seen is what a table says. Of several labels of one key that were
    taken together, as of a table with its history, only the last one seen can be a correction.
    """
    every = every.sort_by([("key", "ascending"), ("taken_at", "ascending"), ("seen_at", "ascending")])
    recent = compute.greater_equal(every.column("taken_at"), since).to_numpy()
    keys, labels = (np.array(every.column(name).to_pylist(), dtype=object) for name in ("key", "label"))
    taken = every.column("taken_at").cast(pyarrow.int64()).to_numpy()
    last = np.flatnonzero(np.append((keys[1:] != keys[:-1]) | (taken[1:] != taken[:-1]), [True] * bool(len(keys))))
    before, after = last[:-1], last[1:]
    replaces = (keys[after] == keys[before]) & (labels[after] != labels[before])
    return int(recent.sum()), int((recent[after] & replaces).sum())


def _clients(log: Log, current: pyarrow.Table, ids: Sequence[str], days: Sequence[date]) -> tuple[Counter[str], Counter[str]]:
    """Labelled rows by client, of the days before the last seven and of these; rows asked for without a key are nobody's.

    Days of the predictions, not of the labels: labels of many months may come in one table, and all be new.
    """
    before: Counter[str] = Counter()
    new: Counter[str] = Counter()
    for day, found in labelled_days(log, current, ids, days, columns=()):
        clients = found.rows.calls.column("client").to_pylist()
        (new if day in days[-RECENT.days :] else before).update(filter(None, clients))
    return before, new


def _sources(current: pyarrow.Table, since: pyarrow.Scalar) -> dict[str, Told]:
    names = np.array([DIGITS.sub("#", name) for name in current.column("source").to_pylist()], dtype=object)
    labels = np.array(current.column("label").to_pylist(), dtype=object)
    recent = compute.greater_equal(current.column("taken_at"), since).to_numpy()
    return {name: Told(labels[(names == name) & recent], labels[(names == name) & ~recent]) for name in sorted(set(names))}
