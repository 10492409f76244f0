"""slipway log forget: the tables of the log without the rows and labels of a person."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow
from numpy.typing import NDArray
from pyarrow import compute

from slipway.errors import StoreError
from slipway.model.event import CLOSED, OPEN, RAW
from slipway.monitoring.collector import gather
from slipway.monitoring.conversion import convert
from slipway.monitoring.intake import Tell
from slipway.monitoring.logged_rows import LoggedRows, read_rows, read_table, to_parquet
from slipway.monitoring.partitions import ROWS, Log
from slipway.monitoring.row_keys import id_keys, id_texts, ids_in, request_keys
from slipway.monitoring.whole_days import delete

if TYPE_CHECKING:  # boto3 takes a while, and not everybody has a remote store
    from slipway.store.remote import S3Store

Named = Mapping[str, Collection[str]]  # column of an id → what the log has of the ids to forget


@dataclass(frozen=True)
class Forgotten:
    """What was deleted, from how many tables; and how many rows are in raw files that a service still writes."""

    rows: int
    labels: int
    tables: int
    pending: int


def forget(log: Log, ids: Sequence[str], named: Named, tell: Tell, remote: "S3Store | None" = None) -> Forgotten:
    """Delete rows by their ids, and the labels of these rows and ids, after raw files became tables.

    Run again after a crash, it ends what was begun: labels go first, because a label by request is found by its row.

    Parameters
    ----------
    log : Log
    ids : sequence of str
        Columns that name a row.
    named : mapping
    tell : callable
        Told of each raw file that cannot be read, and why.
    remote : S3Store, optional

    Raises
    ------
    StoreError
        When the log or the remote store cannot be read or written.
    """
    with log.alone():
        gather(log, ids, tell, remote)
        keys: dict[Path, set[str]] = {}
        for path in (log.path(ROWS, part) for part in log.parts(ROWS)):
            rows = read_rows(path, ids)
            if found := _keys(rows.filter(_of(rows, named)), ids):
                keys[path] = found
        delete(log)  # before the tables: a copy of one that has changed is never read, nor looked for here, again
        labels, tables = _forget_labels(log, ids, named, set[str]().union(*keys.values()), remote)
        gone = 0
        for path in keys:
            rows = read_rows(path)
            kept = rows.filter(compute.invert(_of(rows, named)))
            log.replace(path, kept.to_parquet(), remote)
            gone += len(rows) - len(kept)
        return Forgotten(gone, labels, tables + len(keys), _pending(log, ids, named))


def _forget_labels(
    log: Log,
    ids: Sequence[str],
    named: Named,
    keys: Collection[str],
    remote: "S3Store | None",
) -> tuple[int, int]:
    """Delete the labels of these rows and ids; returns how many there were, and in how many tables."""
    gone = tables = 0
    for path in log.labels():
        table = read_table(path)
        mask = _of_labels(table, ids, named, keys)
        if mask.any():
            log.replace(path, to_parquet(table.filter(pyarrow.array(~mask))), remote)
            gone, tables = gone + int(mask.sum()), tables + 1
    return gone, tables


def _of(rows: LoggedRows, named: Named) -> pyarrow.ChunkedArray:
    """Which rows have one of these ids."""
    masks = [
        compute.is_in(id_texts(rows, column), value_set=pyarrow.array(texts, pyarrow.string()))
        for column, texts in named.items()
        if column in rows.cells.column_names
    ]
    return reduce(compute.or_, masks, pyarrow.chunked_array([np.zeros(len(rows), dtype=bool)]))


def _keys(rows: LoggedRows, ids: Sequence[str]) -> set[str]:
    """The keys by which labels find these rows."""
    return {key for keys in (request_keys(rows), id_keys(rows, ids)) if keys is not None for key in keys.to_pylist() if key}


def _of_labels(table: pyarrow.Table, ids: Sequence[str], named: Named, keys: Collection[str]) -> NDArray[np.bool_]:
    """Which labels are of these keys, or of an id whose row is not in the log."""

    def is_of(key: str) -> bool:
        return key in keys or any(text in named.get(column, ()) for column, text in zip(ids, ids_in(key)))

    return np.array([is_of(key) for key in table.column("key").to_pylist()], dtype=bool)


def _pending(log: Log, ids: Sequence[str], named: Named) -> int:
    """How many of the rows are in raw files that a service still writes."""
    count = 0
    for part in [*log.parts(RAW, OPEN), *log.parts(RAW, CLOSED)]:
        with suppress(StoreError):  # of a newer version, which `gather` has told
            rows = convert(_content(log.path(RAW, part)), ids).rows
            count += 0 if rows is None else len(rows.filter(_of(rows, named)))
    return count


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # its service has just closed it
        return path.with_name(path.name.removesuffix(OPEN) + CLOSED).read_bytes()
