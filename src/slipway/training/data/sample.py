"""A table in bounded memory: all of its rows, or those with the smallest hashes.

Which rows these are does not depend on their order, and a table that grows keeps of its earlier rows those that still
fit. Rows of one id stay together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow

from slipway.errors import TableError
from slipway.sources.batches import Batches, Preselect, one_table
from slipway.table.identity import row_hashes, text_hashes

WHOLE = 100_000  # rows up to which a table is learned from as it is
FEWEST = 1_000
LIMIT = 1 << 64  # above all hashes
MARGIN = 4  # standard deviations of the number of rows whose hash is below a limit


@dataclass(frozen=True)
class Sample:
    """Rows that were read.

    Parameters
    ----------
    table : pyarrow.Table
        Of more than 100,000 rows, and of a source without an order, in the order of their hashes; else as they came.
    seen : int
        How many rows the source has.
    consistent : str
        Empty, or why the source gave no consistent snapshot.
    """

    table: pyarrow.Table
    seen: int
    consistent: str = ""


class Reservoir:
    """The rows with the smallest hashes among those that were offered, at most so many of them.

    Parameters
    ----------
    most : int
    key : sequence of str
        Columns whose hash decides; rows alike in them are kept or left out together.
    """

    def __init__(self, most: int, key: Sequence[str]) -> None:
        self._most = most
        self._key = key
        self._limit = np.uint64(2**64 - 1)
        self._kept: list[tuple[pyarrow.RecordBatch, np.ndarray]] = []

    def offer(self, batch: pyarrow.RecordBatch) -> None:
        self._add(batch, row_hashes(batch, self._key))
        if sum(len(hashes) for _, hashes in self._kept) > self._most + self._most // 4:
            self._tighten()

    def _add(self, batch: pyarrow.RecordBatch, hashes: np.ndarray) -> None:
        below = hashes < self._limit
        if below.all():
            self._kept.append((batch, hashes))
        elif below.any():
            self._kept.append((batch.filter(pyarrow.array(below)), hashes[below]))

    def _tighten(self) -> None:
        if sum(len(hashes) for _, hashes in self._kept) > self._most:
            hashes = np.concatenate([each for _, each in self._kept])
            self._limit = np.partition(hashes, self._most)[self._most]
            kept, self._kept = self._kept, []
            while kept:
                self._add(*kept.pop(0))

    def rows(self, names: Sequence[str], where: str) -> pyarrow.Table:
        """What was kept, in whatever order; TableError when nearly all rows are alike."""
        self._tighten()
        number = sum(len(hashes) for _, hashes in self._kept)
        if number < min(FEWEST, self._most):
            raise TableError(
                f"{where}: a sample by hash has {number} rows, as most rows are alike in {', '.join(self._key[:5])}",
                "Name in id a column that differs between rows, or set sample.cells higher",
            )
        table = one_table([batch for batch, _ in self._kept], names, where)
        self._kept = []
        return table


def _in_order(table: pyarrow.Table, key: Sequence[str], names: Sequence[str]) -> pyarrow.Table:
    """Rows in the order of their hashes: of `key`, of these columns among rows alike in it, and of how these are written."""
    hashes = row_hashes(table, names), row_hashes(table, key)
    order = np.lexsort(hashes)
    if np.all([np.diff(each[order]) == 0 for each in hashes], axis=0).any():
        order = np.lexsort((text_hashes(table, names), *hashes))
    return table.take(pyarrow.array(order))


def draw(
    batches: Batches,
    key: Sequence[str],
    most: int,
    where: str,
    progress: Callable[[int, int | None], None] = lambda done, total: None,
    ordered: Sequence[str] = (),
) -> Sample:
    """Read a table once, and keep of it at most `most` rows.

    Parameters
    ----------
    batches : Batches
    key : sequence of str
        The columns whose hash decides which.
    most : int
    where : str
        What is read, for messages.
    progress : callable
        Told (rows read, about how many there are).
    ordered : sequence of str
        Columns that order rows alike in `key`: a small table, too, then comes in the order of its hashes.
    """
    found, as_it_came = _read(batches, key, most, where, progress)
    if as_it_came and not ordered:
        return found
    return replace(found, table=_in_order(found.table, key, ordered or batches.names))


def _read(
    batches: Batches, key: Sequence[str], most: int, where: str, progress: Callable[[int, int | None], None]
) -> tuple[Sample, bool]:
    """The rows, and whether they have the order of the source."""
    if batches.preselect:
        return _preselected(batches, batches.preselect, key, most, where, progress), False
    seen, waiting, reservoir = 0, [], None
    for batch in batches.read():
        seen += batch.num_rows
        waiting.append(batch)
        if seen > min(WHOLE, most):
            reservoir = reservoir or Reservoir(most, key)
            while waiting:
                reservoir.offer(waiting.pop(0))
        progress(seen, batches.rows)
    table = reservoir.rows(batches.names, where) if reservoir else one_table(waiting, batches.names, where)
    return Sample(table, seen, batches.consistent), reservoir is None


def _preselected(
    batches: Batches,
    rows: Preselect,
    key: Sequence[str],
    most: int,
    where: str,
    progress: Callable[[int, int | None], None],
) -> Sample:
    """The same rows of a table elsewhere, of which few more come here."""
    if not rows.total:
        return Sample(one_table([], batches.names, where), 0)
    if rows.total <= min(WHOLE, most):
        most = rows.total
    limit = LIMIT if most >= rows.total else int(LIMIT * min(1, (most + MARGIN * most**0.5 + most / 20) / rows.total))
    while True:
        came, reservoir = 0, Reservoir(most, key)
        for batch in rows.below(key, limit):
            came += batch.num_rows
            reservoir.offer(batch)
            progress(came, None)
        if came > most or limit == LIMIT:
            return Sample(reservoir.rows(batches.names, where), rows.total, batches.consistent)
        limit = min(LIMIT, 4 * limit)  # many rows share a hash, and those that do not reach so far
