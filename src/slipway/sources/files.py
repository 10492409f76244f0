"""CSV and Parquet files, on the disk or elsewhere, several of them as one table."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pyarrow

from slipway.errors import TableError
from slipway.sources.batches import Batches
from slipway.sources.parquet import ParquetPart, open_parquet
from slipway.table.csv_file import CsvFile, open_csv

CSV = (".csv", ".csv.gz", ".tsv", ".txt")
PARQUET = (".parquet", ".pq")
HEAD = 1 << 16  # bytes


@dataclass(frozen=True)
class Part:
    """One file of a table.

    Parameters
    ----------
    where : str
        Its path or address, for messages; the name tells what it holds.
    size : int
        In bytes.
    open : callable
        () → the file, at its start.
    version : callable
        () → JSON that differs when the file does, told from its beginning at most; OSError when it cannot be read.
    """

    where: str
    size: int
    open: Callable[[], pyarrow.NativeFile]
    version: Callable[[], list[str | int]]


def file_parts(paths: Sequence[Path]) -> list[Part]:
    """Files on the disk."""
    return [_part(path) for path in paths]


def _part(path: Path) -> Part:
    try:
        return Part(str(path), path.stat().st_size, lambda: pyarrow.OSFile(str(path)), lambda: _version(path))
    except OSError as error:
        raise TableError(f"{path}: cannot be read ({error.strerror})") from error


def _version(path: Path) -> list[str | int]:
    with path.open("rb") as file:
        head = sha256(file.read(HEAD)).hexdigest()
    return [path.stat().st_mtime_ns, head]


def open_parts(parts: Sequence[Part], columns: Collection[str] | None = None) -> Batches:
    """These parts as one table, with the columns of the first in its order.

    Raises
    ------
    TableError
        Naming the part, and the line or column where it is known.
    """
    opened = [_opened(part) for part in parts]
    names = opened[0].names
    for part, one in zip(parts[1:], opened[1:]):
        odd = sorted(set(names) ^ set(one.names))
        if odd:
            where = part.where if odd[0] in names else parts[0].where
            raise TableError(f"{where}: has no column {odd[0]!r}, unlike the other files of the source")
    chosen = tuple(name for name in names if columns is None or name in columns)
    if not chosen:
        raise TableError(f"{parts[0].where}: has none of the columns {', '.join(sorted(columns or ()))}")
    counts = [one.rows for one in opened]
    texts = any(isinstance(one, CsvFile) for one in opened)

    def read() -> Iterator[pyarrow.RecordBatch]:
        for one in opened:
            if texts and isinstance(one, ParquetPart):
                _require_texts(one, chosen)
        for one in opened:
            for batch in one.read(chosen):
                yield _as_texts(batch) if texts and isinstance(one, ParquetPart) else batch

    typed = frozenset().union(*(one.typed for one in opened if isinstance(one, ParquetPart))).intersection(chosen)
    total = None if None in counts else sum(each or 0 for each in counts)
    return Batches(chosen, total, read, texts=texts, typed=typed)


def _require_texts(part: ParquetPart, names: Collection[str]) -> None:
    """TableError naming a column whose cells a CSV file beside it cannot have."""
    for field in part.metadata.schema.to_arrow_schema():
        if field.name in names and not _has_text(field.type):
            raise TableError(
                f"{part.where}: column {field.name!r} has the type {field.type}, unsupported together with CSV files",
                "Add it to drop, or make all files Parquet",
            )


def _has_text(kind: pyarrow.DataType) -> bool:
    if pyarrow.types.is_binary(kind) or pyarrow.types.is_large_binary(kind):
        return False
    try:
        return bool(_text(pyarrow.nulls(0, kind)).type == pyarrow.string())
    except pyarrow.ArrowNotImplementedError:
        return False


def _as_texts(batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
    """Typed cells as a CSV file has them."""
    return pyarrow.record_batch([_text(cells) for cells in batch.columns], batch.schema.names)


def _text(cells: pyarrow.Array) -> pyarrow.Array:
    if pyarrow.types.is_timestamp(cells.type):  # in UTC, and without nanoseconds, which no cell of training has
        cells = cells.cast(pyarrow.timestamp("us"), safe=False)
    return cells.cast(pyarrow.string())


def _opened(part: Part) -> CsvFile | ParquetPart:
    name = part.where.lower()
    if name.endswith(PARQUET):
        return open_parquet(part.where, part.open)
    if name.endswith(CSV):
        return open_csv(part.where, part.open, part.size)
    raise TableError(f"{part.where}: is neither CSV ({', '.join(CSV)}) nor Parquet ({', '.join(PARQUET)}) by its name")
