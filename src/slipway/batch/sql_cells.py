"""Typed cells of a file as a database takes them, and whether they have a key."""

from collections.abc import Mapping, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import pyarrow
from pyarrow import compute, types

from slipway.batch.sql_columns import MYSQL, UNZONED
from slipway.batch.sql_key import CURE, SHOWN, shown_key
from slipway.errors import TableError
from slipway.sources.batches import one_table
from slipway.sources.parquet import open_parquet
from slipway.sources.source import files_at, open_location


def python_rows(cells: Any, dialect: str, where: str) -> list[tuple[Any, ...]]:
    """Rows of a record batch, without NaN where a database has none; TableError naming a column with a value that none has."""
    return list(zip(*(_values(cells.column(name), name, dialect, where) for name in cells.schema.names)))


def _values(column: pyarrow.Array, name: str, dialect: str, where: str) -> list[Any]:
    try:
        found: list[Any] = _taken(column, dialect).to_pylist()
    except (ValueError, OverflowError) as error:  # the first is also Arrow's
        if "lose data" in str(error):
            says = f"{where}: column {name!r} has times with nanoseconds, which databases do not keep"
            raise TableError(says, "Round them to microseconds") from error
        says = f"{where}: column {name!r} has dates before the year 1 or after 9999"
        raise TableError(says, "Leave the column out of the file, or make text of it") from error
    if types.is_floating(column.type) and dialect in MYSQL and not all(value is None or isfinite(value) for value in found):
        raise TableError(f"{where}: column {name!r} has an infinite number, which {dialect} does not keep", "Make it empty")
    return found


def _taken(column: pyarrow.Array, dialect: str) -> pyarrow.Array:
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
    elif types.is_floating(kind):
        wanted = pyarrow.float64()
    column = column.cast(wanted)
    if types.is_floating(kind) and dialect != "postgresql":
        return compute.if_else(compute.is_nan(column), None, column)
    return column.cast(pyarrow.timestamp("us")) if types.is_timestamp(wanted) and dialect in UNZONED else column


def require_key_of_cells(location: str, key: Sequence[str], longest: Mapping[str, int]) -> None:
    """TableError naming keys that more than one row of the files has, that are too long, or when a row has none.

    Only the key is read. `longest` has of columns of text how many letters the table holds.
    """
    table = one_table([_decoded(batch) for batch in open_location(location, Path(), key).read()], key, location)
    listed = ", ".join(key)
    if sum(table[name].null_count for name in key):
        raise TableError(f"{location}: rows have a NULL in the key ({listed})", "Fill it, or leave them out")
    for name, length in longest.items():
        if compute.max(compute.utf8_length(table[name])).as_py() > length:
            says = f"{location}: column {name!r} has keys of more than {length} letters, which the table holds"
            raise TableError(says, "Make the column of the table longer, or use another key")
    counts = table.group_by(list(key)).aggregate([([], "count_all")])
    twice = counts.filter(compute.greater(counts["count_all"], 1)).slice(0, SHOWN).to_pylist()
    if twice:
        shown = "; ".join(f"{shown_key([row[name] for name in key])} in {row['count_all']:,} rows" for row in twice)
        raise TableError(f"{location}: the key ({listed}) is not unique: {shown}", CURE)


def _decoded(batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
    whole = [column.dictionary_decode() if types.is_dictionary(column.type) else column for column in batch.columns]
    return pyarrow.record_batch(whole, batch.schema.names)


def schema_of(location: str, names: Sequence[str]) -> pyarrow.Schema:
    """These columns of Parquet files, each of the type that holds those of all."""
    parts = files_at(location, Path()).parts()
    schemas = [open_parquet(part.where, part.open).metadata.schema.to_arrow_schema() for part in parts]
    whole = pyarrow.unify_schemas([each.remove_metadata() for each in schemas], promote_options="permissive")
    return pyarrow.schema([whole.field(name) for name in names])
