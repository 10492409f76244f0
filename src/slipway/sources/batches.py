"""The one form in which every source is read: record batches, one after another, in bounded memory."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pyarrow

from slipway.errors import TableError

ROWS, SIZE = 1 << 16, 1 << 24  # of a batch, whichever comes first; the second in bytes

if TYPE_CHECKING:  # who scores a table needs no pandas, which takes a while to load and 30 MB
    import pandas as pd


@dataclass(frozen=True)
class Batches:
    """A table that is read batch by batch, in bounded memory.

    Parameters
    ----------
    names : tuple of str
        The columns, in order.
    rows : int or None
        About how many, for a progress bar; None when it is not known.
    read : callable
        () → iterator of record batches of about 2^16 rows; each call starts anew. The cells of CSV are text, as are those
        of Parquet next to it; those of other sources are typed. A column may differ in type between batches:
        `pyarrow.concat_tables` with ``promote_options="permissive"`` finds the type of all of them. TableError when a
        part cannot be read.
    consistent : str
        Empty, or one sentence that the results are to carry: why this is no consistent snapshot, or what it has of the log.
    texts : bool
        Whether some of it is CSV, so that all cells are text whatever they say.
    typed : frozenset of str
        Columns that are not text in some file, even where `texts` makes text of them: no format is theirs.
    """

    names: tuple[str, ...]
    rows: int | None
    read: Callable[[], Iterator[pyarrow.RecordBatch]]
    consistent: str = ""
    texts: bool = False
    typed: frozenset[str] = frozenset()

    def require_format(self, formats: Collection[str]) -> None:
        """TableError when one of these columns has a format, by which its typed cells would be read otherwise."""
        for name in sorted(self.typed.intersection(formats)):
            raise TableError(
                f"formats: column {name!r} is typed in a Parquet file beside CSV files",
                "Make all files CSV, or all files Parquet, where a typed column needs no format",
            )


def batches_of(table: pyarrow.Table) -> Batches:
    """A table in memory, read like any other."""
    return Batches(tuple(table.column_names), table.num_rows, lambda: iter(table.to_batches(max_chunksize=ROWS)))


class Typed(Protocol):
    """A column that is read piece by piece; its type may widen on the way."""

    name: str

    @property
    def type(self) -> pyarrow.DataType:
        """Of all cells so far."""


def gathered(pieces: Iterable[Sequence[pyarrow.Array]], columns: Sequence[Typed]) -> Iterator[pyarrow.RecordBatch]:
    """Small pieces of a table, each an array per column, as record batches, of the types that the columns have by then."""
    parts: list[Sequence[pyarrow.Array]] = []
    rows = size = 0
    for piece in pieces:
        parts.append(piece)
        rows += len(piece[0])
        size += sum(cells.nbytes for cells in piece)
        if rows >= ROWS or size >= SIZE:
            yield _one_batch(parts, columns)
            parts, rows, size = [], 0, 0
    if parts:
        yield _one_batch(parts, columns)


def _one_batch(parts: list[Sequence[pyarrow.Array]], columns: Sequence[Typed]) -> pyarrow.RecordBatch:
    whole = [
        pyarrow.concat_arrays([cells if cells.type == column.type else cells.cast(column.type, safe=False) for cells in piece])
        for column, piece in zip(columns, zip(*parts))
    ]
    return pyarrow.record_batch(whole, [column.name for column in columns])


def frame_of(batches: Batches, where: str) -> "pd.DataFrame":
    """The whole table as one frame; TableError naming `where` when it has no rows."""
    table = one_table(list(batches.read()), batches.names, where)
    # each column is let go as soon as pandas has it
    return table.to_pandas(split_blocks=True, self_destruct=True, date_as_object=False)


def one_table(read: list[pyarrow.RecordBatch], names: Collection[str], where: str) -> pyarrow.Table:
    """Batches that were read as one table, each column of the type that holds all of it; TableError when there are no rows."""
    tables = [
        pyarrow.Table.from_batches([batch]).select(list(names)).replace_schema_metadata() for batch in read if batch.num_rows
    ]
    if not tables:
        raise TableError(f"{where}: has columns but no rows")
    try:
        return pyarrow.concat_tables(tables, promote_options="permissive")
    except pyarrow.ArrowException as error:
        raise TableError(f"{where}: a column is of different types in different parts ({error})") from error
