"""Typed cells of a file as a database takes them, and whether they have a key."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import compute, types

from slipway.batch.sql_columns import UNZONED
from slipway.batch.sql_key import CURE, SHOWN, shown_key
from slipway.errors import TableError
from slipway.sources.parquet import open_parquet
from slipway.sources.source import files_at, open_location


def python_rows(cells: Any, dialect: str, where: str) -> list[tuple[Any, ...]]:
    """Rows of a record batch; TableError naming a column whose times have digits that a database has not."""
    return list(zip(*(_taken(cells.column(name), name, dialect, where).to_pylist() for name in cells.schema.names)))


def _taken(column: pyarrow.Array, name: str, dialect: str, where: str) -> pyarrow.Array:
    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kind = column.type
    wanted = kind
    if types.is_timestamp(kind):
        wanted = pyarrow.timestamp("us", kind.tz and "UTC")
    elif types.is_time64(kind):
        wanted = pyarrow.time64("us")
    elif dialect == "sqlite" and (types.is_decimal(kind) or types.is_uint64(kind)):
        wanted = pyarrow.string()
    try:
        column = column.cast(wanted)
    except pyarrow.ArrowInvalid as error:
        says = f"{where}: column {name!r} has times with nanoseconds, which databases do not keep"
        raise TableError(says, "Round them to microseconds") from error
    return column.cast(pyarrow.timestamp("us")) if types.is_timestamp(wanted) and dialect in UNZONED else column


def require_key_of_cells(location: str, key: Sequence[str]) -> None:
    """TableError naming keys that more than one row of the files has, or when one has none; only the key is read."""
    table = pyarrow.Table.from_batches(list(open_location(location, Path(), key).read()))
    listed = ", ".join(key)
    if sum(table[name].null_count for name in key):
        raise TableError(f"{location}: rows have a NULL in the key ({listed})", "Fill it, or leave them out")
    counts = table.group_by(list(key)).aggregate([([], "count_all")])
    twice = counts.filter(compute.greater(counts["count_all"], 1)).slice(0, SHOWN).to_pylist()
    if twice:
        shown = "; ".join(f"{shown_key([row[name] for name in key])} in {row['count_all']:,} rows" for row in twice)
        raise TableError(f"{location}: the key ({listed}) is not unique: {shown}", CURE)


def schema_of(location: str, names: Sequence[str]) -> pyarrow.Schema:
    """These columns of Parquet files, each of the type that holds those of all."""
    parts = files_at(location, Path()).parts()
    schemas = [open_parquet(part.where, part.open).metadata.schema.to_arrow_schema() for part in parts]
    whole = pyarrow.unify_schemas([each.remove_metadata() for each in schemas], promote_options="permissive")
    return pyarrow.schema([whole.field(name) for name in names])
