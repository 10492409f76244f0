"""What IN names: its parts, their columns, and what tells that it is still the same."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pyarrow

from slipway.batch.lines import Sheet
from slipway.batch.rows import Position, Rows
from slipway.batch.typed import Typed
from slipway.errors import TableError
from slipway.sources.files import CSV, PARQUET, Part
from slipway.sources.parquet import ParquetPart, open_parquet
from slipway.sources.source import files_at
from slipway.table.csv_file import open_csv, reading
from slipway.table.schema import require_columns


class Readable(Protocol):
    """A part of the input: a file or a collection."""

    @property
    def start(self) -> Position:
        """The position of the first row."""

    def share(self, position: Position) -> float | None:
        """How much of the part is before a position, 0 to 1; None when that is not known."""

    def read(self, position: Position) -> Iterator[Callable[[], Rows]]:
        """Blocks of rows from a position on; calling one makes its rows, in any thread."""


@dataclass(frozen=True)
class Source:
    """The input of a batch.

    Parameters
    ----------
    location : str
    names : tuple of str
        Its columns, in order.
    parts : tuple of Readable
    sizes : tuple of int
        Of each part, in bytes; 0 where it is not known.
    identity : list or None
        JSON that differs when the input does; None when nothing tells that, so that no run can be resumed.
    note : str
        Empty, or one sentence: why this is no consistent snapshot.
    """

    location: str
    names: tuple[str, ...]
    parts: tuple[Readable, ...]
    sizes: tuple[int, ...]
    identity: list[Any] | None
    note: str = ""

    @property
    def sheet(self) -> Sheet | None:
        """The first file, when they are CSV."""
        return self.parts[0] if isinstance(self.parts[0], Sheet) else None

    def read(self, position: Position) -> Iterator[Callable[[], Rows]]:
        """Blocks of rows from ``{"part": …, "at": …}`` on, or from the start when it is empty."""
        begin = position.get("part", 0)
        for number, part in enumerate(self.parts[begin:], begin):
            at = position["at"] if position and number == begin else part.start
            for block in part.read(at):
                yield partial(_placed, block, number)

    def share(self, position: Position) -> float | None:
        """How much of the input is before a position, 0 to 1; None when that is not known."""
        number, total = position["part"], sum(self.sizes)
        share = self.parts[number].share(position["at"])
        if share is None or not total:
            return None
        return (sum(self.sizes[:number]) + self.sizes[number] * share) / total


def _placed(block: Callable[[], Rows], part: int) -> Rows:
    rows = block()
    return replace(rows, position={"part": part, "at": rows.position})


def open_tables(location: str, needed: Sequence[str], whole: bool) -> Source:
    """CSV or Parquet files, or objects in S3, as one table.

    Parameters
    ----------
    location : str
        A path, a glob, or ``s3://bucket/key`` with a glob in its key.
    needed : sequence of str
        Columns that it must have.
    whole : bool
        Whether the cells of all columns of CSV are read, and not only those of the columns that are needed.

    Raises
    ------
    TableError
        Naming the file that is not there, cannot be read, lacks a column or is unlike the first.
    """
    parts = files_at(location, Path()).parts()
    identity = [_identity(part) for part in parts]
    read: tuple[Typed, ...] | tuple[Sheet, ...]
    if all(part.where.lower().endswith(PARQUET) for part in parts):
        read = _parquet(location, parts, needed, whole)
    elif all(part.where.lower().endswith(CSV) for part in parts):
        read = _csv(location, parts, needed, whole)
    else:
        odd = next((part.where for part in parts if not part.where.lower().endswith(CSV + PARQUET)), None)
        if odd is None:
            raise TableError(f"{location}: names CSV and Parquet files", "Predict either alone")
        raise TableError(f"{odd}: is neither CSV ({', '.join(CSV)}) nor Parquet ({', '.join(PARQUET)}) by its name")
    return Source(location, read[0].names, read, tuple(part.size for part in parts), identity)


def _parquet(location: str, parts: Sequence[Part], needed: Sequence[str], whole: bool) -> tuple[Typed, ...]:
    opened = [open_parquet(part.where, part.open) for part in parts]
    names = opened[0].names
    require_columns(f"{location}:", names, needed)
    for each in opened[1:]:
        _require_alike(opened[0].where, each.where, set(names) == set(each.names))
    if whole:
        _require_types(opened)
    return tuple(Typed(each.where, each.rows, names, partial(each.read, names)) for each in opened)


def _csv(location: str, parts: Sequence[Part], needed: Sequence[str], whole: bool) -> tuple[Sheet, ...]:
    opened = [open_csv(part.where, part.open, part.size) for part in parts]
    first = opened[0].header
    require_columns(f"{location}:", first.names, needed)
    for each in opened[1:]:
        same = (first.names, first.separator) == (each.header.names, each.header.separator)
        _require_alike(opened[0].where, each.where, same)
    wanted = first.names if whole else tuple(needed)
    return tuple(Sheet(each, part.size, wanted) for each, part in zip(opened, parts))


def _identity(part: Part) -> list[Any]:
    with reading(part.where):
        return [part.where, part.size, *part.version()]


def _require_types(parts: Sequence[ParquetPart]) -> None:
    """TableError naming the file with a column that no type holds together with those of the files before it."""
    schema = pyarrow.schema([])
    for part in parts:
        try:
            schema = pyarrow.unify_schemas([schema, part.metadata.schema.to_arrow_schema()], promote_options="permissive")
        except pyarrow.ArrowException as error:
            raise TableError(
                f"{part.where}: a column is of another type than in the files before it ({error})",
                "Write CSV, or predict files that differ one by one",
            ) from error


def _require_alike(first: str, other: str, same: bool) -> None:
    if not same:
        raise TableError(f"{other}: its columns are not those of {first}", "Predict files that differ one by one")
