"""The labels of the log: append-only files, one for each table that was read.

The latest label of a key is in force; the earlier ones stay, so that a correction can be seen.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np
import pyarrow
from pyarrow import compute

from slipway.monitoring.logged_rows import MOMENT, joined, read_rows, read_table, to_parquet
from slipway.monitoring.outcomes import Outcomes
from slipway.monitoring.partitions import LABELS, PARQUET, ROWS, Log
from slipway.monitoring.retention import WAIT
from slipway.monitoring.row_keys import places
from slipway.monitoring.whole_days import files
from slipway.table.identity import fingerprint

if TYPE_CHECKING:  # boto3 takes a while, and not everybody has a remote store
    from slipway.store.remote import S3Store

SCHEMA = pyarrow.schema(
    {
        "key": pyarrow.string(),
        "label": pyarrow.string(),
        "acted": pyarrow.string(),
        "seen_at": MOMENT,
        "taken_at": MOMENT,
        "source": pyarrow.string(),
    }
)


@dataclass(frozen=True)
class Added:
    """What the rows of a table were: labels of new keys, those that were known, and those that replace another one."""

    new: int
    duplicate: int
    corrected: int


@dataclass(frozen=True)
class Standing:
    """How many of the labels in force have a prediction in the log, wait for it, or have waited for 90 days in vain."""

    matched: int
    waiting: int
    orphan: int


def add(log: Log, outcomes: Outcomes, now: datetime, source: str, remote: "S3Store | None" = None) -> Added:
    """Add the labels of a table, in one step; of one that was added before, nothing.

    Parameters
    ----------
    log : Log
    outcomes : Outcomes
    now : datetime
        In UTC, without a time zone.
    source : str
        Where the table is, without a password.
    remote : S3Store, optional
        Compared first, and written to.

    Raises
    ------
    StoreError
        When the log or the remote store cannot be read or written. Then nothing was added.
    """
    rows = sorted(
        ((key, label, acted, seen_at) for (key, seen_at), (label, acted) in outcomes.found.items()),
        key=lambda row: (row[0], row[3] or now, row[3] is None),
    )
    columns = [list(column) for column in zip(*rows)] or [[], [], [], []]
    named = fingerprint(pyarrow.table(columns, schema=pyarrow.schema([SCHEMA.field(index) for index in range(4)])))
    path = log.root / LABELS / f"{named}{PARQUET}"
    taken = outcomes.read - len(outcomes.faults)
    if remote:
        log.make()
    with log.alone():
        if remote:
            from slipway.monitoring.exchange import exchange

            exchange(log, remote)
        if path.exists():
            return Added(0, taken, 0)
        fresh, new = _fresh(rows, labels_of(log, [row[0] for row in rows]), now)
        if fresh:
            table = pyarrow.table([list(column) for column in zip(*((*row, now, source) for row in fresh))], schema=SCHEMA)
            log.replace(path, to_parquet(table), remote)
        return Added(new, taken - len(fresh), len(fresh) - new)


Row = tuple[str, str, str | None, datetime]


def _fresh(
    rows: Iterable[tuple[str, str, str | None, datetime | None]],
    known: pyarrow.Table,
    now: datetime,
) -> tuple[list[Row], int]:
    """Those of the rows that say something new, and how many of them are of new keys."""
    told: set[Row] = set()
    current: dict[str, Row] = {}
    for row in zip(*(known.column(name).to_pylist() for name in ("key", "label", "acted", "seen_at"))):
        old: Row = (*row[:3], row[3].replace(tzinfo=None))
        told.add(old)
        current[old[0]] = old  # the latest is the last
    fresh, new = [], 0
    for key, label, acted, given in rows:
        row = (key, label, acted, given or now)
        before = current.get(key)
        if row in told or before and before[1:3] == row[1:3] and row[3] >= before[3]:
            continue
        fresh.append(row)
        new += before is None
        if before is None or row[3] >= before[3]:
            current[key] = row
    return fresh, new


def labels_of(log: Log, keys: Sequence[str] | None = None) -> pyarrow.Table:
    """All labels of some keys, or of all: the columns of SCHEMA, of each key the latest last."""
    tables = [read_table(path) for path in log.labels()]
    if keys is not None:
        wanted = pyarrow.array(keys, pyarrow.string())
        tables = [table.filter(compute.is_in(table.column("key"), value_set=wanted)) for table in tables]
    table = pyarrow.concat_tables([SCHEMA.empty_table(), *tables])
    return table.sort_by([("key", "ascending"), ("seen_at", "ascending"), ("taken_at", "ascending")])


def in_force(log: Log) -> pyarrow.Table:
    """The label in force of each key.

    Returns
    -------
    Table
        ``key``, ``label``, ``acted``, ``source``, ``seen_at`` and ``taken_at`` of that label, ``first_seen`` and
        ``first_taken`` of the key's first one, and ``labels``: how many different ones the key has had.
    """
    every = labels_of(log)
    blank = compute.ScalarAggregateOptions(skip_nulls=False)  # also what the last one does not say: it may take back a yes
    found = every.group_by("key", use_threads=False).aggregate(
        [
            ("label", "last"),
            ("acted", "last", blank),
            ("source", "last", blank),
            ("seen_at", "last"),
            ("seen_at", "first"),
            ("taken_at", "last"),
            ("taken_at", "min"),
            ("label", "count_distinct"),
        ]
    )
    names = {
        "key": "key",
        "label_last": "label",
        "acted_last": "acted",
        "source_last": "source",
        "seen_at_last": "seen_at",
        "seen_at_first": "first_seen",
        "taken_at_last": "taken_at",
        "taken_at_min": "first_taken",
        "label_count_distinct": "labels",
    }
    return found.select(list(names)).rename_columns(list(names.values()))


def standing(log: Log, ids: Sequence[str], now: datetime) -> Standing:
    """How the labels in force stand; `ids` are the columns that name a row, `now` is in UTC without a time zone."""
    labels = in_force(log)
    matched = np.zeros(labels.num_rows, dtype=bool)
    for _, found in groupby(files(log, ROWS), lambda each: each[0].day):
        rows = joined([read_rows(path, ids) for _, path in found])
        matched[places(rows, ids, labels).drop_null().to_numpy()] = True
    limit = pyarrow.scalar(now - WAIT, MOMENT)
    recent = compute.greater_equal(labels.column("first_seen"), limit).to_numpy()
    return Standing(int(matched.sum()), int((~matched & recent).sum()), int((~matched & ~recent).sum()))
