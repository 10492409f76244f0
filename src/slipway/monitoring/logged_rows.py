"""The rows of the log as tables.

A file has a column for each thing that is known of a call, and one column ``row`` with the features and ids of the row as its
fields: so a feature may be called ``id`` or ``date`` as well.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import parquet

from slipway.errors import StoreError
from slipway.table.cell import typed_text

MOMENT = pyarrow.timestamp("us", tz="UTC")
CALLS = pyarrow.schema(
    {
        "at": MOMENT,
        "id": pyarrow.string(),  # of the request
        "number": pyarrow.int32(),  # of the row in it, from 0
        "release": pyarrow.string(),
        "client": pyarrow.string(),
        "share": pyarrow.float64(),
    }
)
ANSWER = "answer"
ALL = (*CALLS.names, ANSWER)  # that is known of a call
ROW = "row"
FIELD = f"{ROW}."
GONE = "Another slipway has just deleted it: run this again"
DAMAGED = "The file is damaged: delete it, or restore it from the remote store"


@dataclass(frozen=True)
class LoggedRows:
    """Rows that were answered.

    Parameters
    ----------
    calls : Table
        The columns of CALLS, and ``answer``: a number, or the probabilities of several labels as a list.
    cells : Table
        Features and ids, of as many rows; none when all were left out. Numbers are doubles, ids are texts; a column that has
        numbers in some rows and texts in others is text.
    """

    calls: pyarrow.Table
    cells: pyarrow.Table

    def __len__(self) -> int:
        rows: int = self.calls.num_rows
        return rows

    def filter(self, mask: pyarrow.Array | pyarrow.ChunkedArray) -> "LoggedRows":
        """The rows where `mask` is true."""
        return LoggedRows(self.calls.filter(mask), self.cells.filter(mask) if self.cells.column_names else self.cells)

    def to_parquet(self) -> bytes:
        table = self.calls
        if self.cells.column_names:  # Parquet has no column without fields
            fields = [column.combine_chunks() for column in self.cells.columns]
            table = table.append_column(ROW, pyarrow.StructArray.from_arrays(fields, self.cells.column_names))
        return to_parquet(table)


def read_rows(path: Path, columns: Collection[str] | None = None, calls: Collection[str] = ALL) -> LoggedRows:
    """The rows of a file of the log.

    Parameters
    ----------
    path : Path
    columns : collection of str, optional
        Read only those features and ids of them that there are; all when absent.
    calls : collection of str, optional
        Read only these of what is known of a call; all when absent. The request's id alone takes as long as five numbers.

    Raises
    ------
    StoreError
        When the file cannot be read.
    """
    return _rows_of(read_table(path, _wanted(columns, calls)), columns, calls)


def read_in_pieces(path: Path, columns: Collection[str], size: int) -> Iterator[LoggedRows]:
    """The rows of a file, at most `size` at a time; else as `read_rows`."""
    try:
        with parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(size, columns=_wanted(columns, ALL), use_threads=False):
                yield _rows_of(pyarrow.Table.from_batches([batch]), columns, ALL)
    except (OSError, pyarrow.ArrowException) as error:
        raise _unreadable(path, error) from error


def contents_of(path: Path) -> tuple[int, tuple[str, ...]]:
    """How many rows a file of the log has, and which features and ids; StoreError when it cannot be read."""
    try:
        with parquet.ParquetFile(path) as file:
            place = file.schema_arrow.get_field_index(ROW)
            fields = () if place < 0 else tuple(field.name for field in file.schema_arrow.field(place).type)
            return file.metadata.num_rows, fields
    except (OSError, pyarrow.ArrowException) as error:
        raise _unreadable(path, error) from error


def _wanted(columns: Collection[str] | None, calls: Collection[str]) -> list[str] | None:
    return None if columns is None else [*calls, *(FIELD + name for name in columns)]


def _rows_of(table: pyarrow.Table, columns: Collection[str] | None, calls: Collection[str]) -> LoggedRows:
    known_of_calls = table.select([*calls])
    if ROW not in table.column_names:
        return LoggedRows(known_of_calls, pyarrow.table({}))
    cells = table.select([ROW]).flatten()
    cells = cells.rename_columns([name.removeprefix(FIELD) for name in cells.column_names])
    if columns is not None:
        known = set(cells.column_names)
        cells = cells.select([name for name in columns if name in known])
    return LoggedRows(known_of_calls, cells)


def joined(parts: Sequence[LoggedRows]) -> LoggedRows:
    """The rows of some parts, one after another; a cell of a column that a part lacks is null."""
    names = dict.fromkeys(name for part in parts for name in part.cells.column_names)
    several = any(pyarrow.types.is_list(part.calls.schema.field(ANSWER).type) for part in parts)
    calls = pyarrow.concat_tables([_with_lists(part.calls) if several else part.calls for part in parts])
    columns = {name: _one_column([_column(part, name) for part in parts]) for name in names}
    return LoggedRows(calls, pyarrow.table(columns))


def _column(part: LoggedRows, name: str) -> pyarrow.ChunkedArray:
    if name in part.cells.column_names:
        return part.cells.column(name)
    return pyarrow.chunked_array([pyarrow.nulls(len(part))])


def _with_lists(calls: pyarrow.Table) -> pyarrow.Table:
    """The same where an answer is a list also when it is one number: another bundle knew two labels, not three."""
    answers = calls.column(ANSWER).combine_chunks()
    if pyarrow.types.is_list(answers.type):
        return calls
    lists = pyarrow.ListArray.from_arrays(pyarrow.array(range(len(answers) + 1), pyarrow.int32()), answers)
    return calls.set_column(calls.schema.get_field_index(ANSWER), ANSWER, lists)


def _one_column(pieces: list[pyarrow.ChunkedArray]) -> pyarrow.ChunkedArray:
    kinds = {piece.type for piece in pieces} - {pyarrow.null()}
    if len(kinds) > 1:
        pieces = [piece if pyarrow.types.is_string(piece.type) else _texts(piece) for piece in pieces]
        kinds = {pyarrow.string()}
    kind = kinds.pop() if kinds else pyarrow.float64()
    return pyarrow.chunked_array([chunk.cast(kind) for piece in pieces for chunk in piece.chunks], kind)


def _texts(piece: pyarrow.ChunkedArray) -> pyarrow.ChunkedArray:
    texts = [None if cell is None else typed_text(cell) for cell in piece.to_pylist()]
    return pyarrow.chunked_array([pyarrow.array(texts, pyarrow.string())])


def answers_of(column: pyarrow.ChunkedArray) -> np.ndarray:
    """Answers as the predictor gives them: of shape (n,), or (n, classes); an empty list does not tell its classes: (0, 1)."""
    whole = column.combine_chunks()
    if pyarrow.types.is_list(whole.type):
        shares: np.ndarray = whole.flatten().to_numpy().reshape(len(whole), -1 if len(whole) else 1)
        return shares
    numbers: np.ndarray = whole.to_numpy(zero_copy_only=False)
    return numbers


def read_table(path: Path, columns: Sequence[str] | None = None) -> pyarrow.Table:
    """A Parquet file of the log; StoreError when it cannot be read."""
    try:
        return parquet.ParquetFile(path).read(columns, use_threads=False)
    except (OSError, pyarrow.ArrowException) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> StoreError:
    if isinstance(error, FileNotFoundError):
        return StoreError(f"{path}: there is no such file any more", GONE)
    return StoreError(f"{path}: cannot be read ({error})", DAMAGED)


def to_parquet(table: pyarrow.Table) -> bytes:
    packed = pyarrow.BufferOutputStream()
    parquet.write_table(table, packed, compression="zstd")
    content: bytes = packed.getvalue().to_pybytes()
    return content
