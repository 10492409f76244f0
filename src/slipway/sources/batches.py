"""The one form in which every source is read: record batches, one after another, in bounded memory."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import pyarrow

from slipway.errors import TableError

ROWS = 1 << 16  # of a batch

if TYPE_CHECKING:  # who scores a table needs no pandas, which takes a while to load and 30 MB
    import pandas as pd


class Preselect(Protocol):
    """Rows that lie where they can be chosen before they are sent here. They have no order."""

    @property
    def total(self) -> int:
        """How many there are."""

    def below(self, key: Sequence[str], limit: int) -> Iterator[pyarrow.RecordBatch]:
        """Those whose hash of the columns `key` is below `limit`, as `slipway.table.identity.row_hashes` has it; 2^64: all."""


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
    preselect : Preselect, optional
        What chooses the rows of a sample where they lie.
    """

    names: tuple[str, ...]
    rows: int | None
    read: Callable[[], Iterator[pyarrow.RecordBatch]]
    consistent: str = ""
    texts: bool = False
    typed: frozenset[str] = frozenset()
    preselect: Preselect | None = None

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
