"""Parquet, one row group after another, and of each only the columns that are asked for."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow
from pyarrow import parquet, types

from slipway.errors import TableError
from slipway.table.dialect import require_unique

ROWS = 1 << 16
UNNAMED_INDEX = re.compile(r"__index_level_\d+__")  # of pandas, which hides it again


@dataclass(frozen=True)
class ParquetPart:
    """A Parquet file whose footer was read.

    Parameters
    ----------
    where : str
    names : tuple of str
    rows : int
    metadata : FileMetaData
    opens : callable
        () → the file, at its start.
    """

    where: str
    names: tuple[str, ...]
    rows: int
    metadata: parquet.FileMetaData
    opens: Callable[[], pyarrow.NativeFile]

    @property
    def typed(self) -> frozenset[str]:
        """Columns whose cells are not text."""
        return frozenset(field.name for field in self.metadata.schema.to_arrow_schema() if not _is_text(field.type))

    def read(self, names: Sequence[str]) -> Iterator[pyarrow.RecordBatch]:
        """Record batches of these columns."""
        try:
            with self.opens() as file:
                opened = parquet.ParquetFile(file, metadata=self.metadata, pre_buffer=True)
                for group in range(opened.num_row_groups):  # one at a time: what is fetched ahead is of one group
                    for batch in opened.iter_batches(ROWS, [group], list(names)):
                        yield batch.select(list(names))
        except (pyarrow.ArrowException, OSError) as error:
            raise _refused(self.where, error) from error


def open_parquet(where: str, opens: Callable[[], pyarrow.NativeFile]) -> ParquetPart:
    """Read the footer; TableError naming `where` when it is none, or has a column twice or one without a name."""
    try:
        with opens() as file:
            opened = parquet.ParquetFile(file)
            names = tuple(name for name in opened.schema_arrow.names if not UNNAMED_INDEX.fullmatch(name))
    except (pyarrow.ArrowException, OSError) as error:
        raise _refused(where, error) from error
    blank = next((place for place, name in enumerate(names, 1) if not name.strip()), None)
    if blank:
        raise TableError(f"{where}: column {blank} has no name")
    try:
        require_unique(names)
    except TableError as error:
        raise TableError(f"{where}: {error.cause}", error.cure) from error
    return ParquetPart(where, names, opened.metadata.num_rows, opened.metadata, opens)


def _is_text(kind: pyarrow.DataType) -> bool:
    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_null(kind))


def _refused(where: str, error: Exception) -> TableError:
    return TableError(f"{where}: cannot be read as Parquet ({error})")
