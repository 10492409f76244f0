"""The columns of the table that answers are written to: what a new one gets, and what one that exists must have."""

from collections.abc import Callable, Collection, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import pyarrow
from pyarrow import types as arrow
from sqlalchemy import Column, Table, types
from sqlalchemy.dialects import mysql
from sqlalchemy.sql import quoted_name

from slipway.errors import TableError

if TYPE_CHECKING:
    from sqlalchemy import Dialect

MYSQL = ("mysql", "mariadb")
UNZONED = ("sqlite", *MYSQL)  # have no datetimes with a time zone: they get UTC
LONGEST_KEY = 255  # letters: what every database can index
TAKES = {("Decimal", "int"), ("int", "bool"), ("str", "UUID")}  # of another kind, unchanged


def kind_of(column_type: Any) -> str:
    """What Python calls the values of a type, such as int; the type's own name where Python has no word for it."""
    if isinstance(column_type, types.Float):
        return "float"
    try:
        found = column_type.python_type
    except NotImplementedError:
        found = object
    return type(column_type).__name__ if found is object else str(found.__name__)


def quoted(table: Table) -> Table:
    """The same table, its names always in quotes: SQLAlchemy does not know every word that a database reserves."""
    for column in table.columns:
        column.name = quoted_name(column.name, True)
    table.name = quoted_name(table.name, True)
    return table


def answer_names(added: Sequence[str], taken: Collection[str]) -> tuple[str, ...]:
    """Names for the columns of an answer, with underscores where one is taken; most databases take A and a for the same."""
    found: list[str] = []
    folded = {name.casefold() for name in taken}
    for name in added:
        while name.casefold() in folded:
            name += "_"
        found.append(name)
        folded.add(name.casefold())
    return tuple(found)


def columns_like(table: Table, collations: Mapping[str, str]) -> list[Column[Any]]:
    """The columns of a table of the same database, without its defaults and constraints, some with these collations."""
    found = []
    for column in table.columns:
        kind = column.type
        if column.name in collations and isinstance(kind, types.String) and not kind.collation:  # a view does not tell it
            kind = kind.copy()
            kind.collation = collations[column.name]
        found.append(Column(column.name, kind, nullable=column.nullable, autoincrement=False))
    return found


def lengths(table: Table, names: Collection[str]) -> dict[str, int]:
    """How many letters those of these columns hold that have a limit."""
    found = {name: getattr(table.c[name].type, "length", None) for name in names if kind_of(table.c[name].type) == "str"}
    return {name: length for name, length in found.items() if length}


def creatable(columns: Sequence[Column[Any]], where: str, dialect: str) -> list[Column[Any]]:
    """The columns for a new table; TableError naming one of a type that SQLAlchemy does not know."""
    found = []
    for column in columns:
        if isinstance(column.type, types.NullType):
            if dialect != "sqlite":
                cure = "Create the table for the answers yourself, or leave the column out with sql.query"
                raise TableError(f"{where}: column {column.name!r} has a type that Slipway does not know", cure)
            column = Column(column.name, types.BLOB(), nullable=column.nullable)  # to SQLite the same as no type
        found.append(column)
    return found


def columns_of(schema: pyarrow.Schema, key: Collection[str], where: str, dialect: str) -> list[Column[Any]]:
    """Columns for the types of Arrow; TableError naming a column of an unsupported type."""
    found = []
    for field in schema:
        kind = _type(field.type, dialect)
        if kind is None:
            cure = "Leave it out of the file, or make text of it"
            raise TableError(f"{where}: column {field.name!r}: unsupported column type {field.type}", cure)
        if field.name in key and isinstance(kind, types.Text | mysql.LONGTEXT):
            kind = _key_text(dialect)
        found.append(Column(field.name, kind, nullable=field.name not in key, autoincrement=False))
    return found


def _type(kind: pyarrow.DataType, dialect: str) -> Any:
    if arrow.is_dictionary(kind):
        return _type(kind.value_type, dialect)
    makers: tuple[tuple[Callable[[Any], bool], Callable[[], Any]], ...] = (
        (arrow.is_boolean, types.Boolean),
        (arrow.is_uint64, lambda: _decimal(20, 0, dialect)),
        (arrow.is_integer, types.BigInteger),
        (arrow.is_floating, types.Double),
        (arrow.is_decimal, lambda: _decimal(kind.precision, kind.scale, dialect)),
        (arrow.is_date, types.Date),
        (arrow.is_timestamp, lambda: _datetime(kind.tz is not None, dialect)),
        (arrow.is_time, lambda: mysql.TIME(fsp=6) if dialect in MYSQL else types.Time()),
        (_is_binary, lambda: mysql.LONGBLOB() if dialect in MYSQL else types.LargeBinary()),
        (_is_text, lambda: long_text(dialect)),
    )
    return next((make() for fits, make in makers if fits(kind)), None)


def _decimal(precision: int, scale: int, dialect: str) -> Any:
    return long_text(dialect) if dialect == "sqlite" else types.Numeric(precision, scale)  # SQLite would make a double of it


def _datetime(zoned: bool, dialect: str) -> Any:
    return mysql.DATETIME(fsp=6) if dialect in MYSQL else types.DateTime(timezone=zoned and dialect not in UNZONED)


def _is_binary(kind: pyarrow.DataType) -> bool:
    return bool(arrow.is_binary(kind) or arrow.is_large_binary(kind) or arrow.is_fixed_size_binary(kind))


def _is_text(kind: pyarrow.DataType) -> bool:
    return bool(arrow.is_string(kind) or arrow.is_large_string(kind) or arrow.is_string_view(kind) or arrow.is_null(kind))


def long_text(dialect: str) -> Any:
    """A type for text of any length."""
    return mysql.LONGTEXT(charset="utf8mb4") if dialect in MYSQL else types.UnicodeText()


def _key_text(dialect: str) -> Any:
    """A type for text that can be a key, in which A and a, and a and a with a space behind it, are two."""
    if dialect not in MYSQL:
        return types.Unicode(LONGEST_KEY)
    exact = "utf8mb4_nopad_bin" if dialect == "mariadb" else "utf8mb4_0900_bin"
    return mysql.VARCHAR(LONGEST_KEY, charset="utf8mb4", collation=exact)


def answer_columns(added: Sequence[str], labels: bool, dialect: "Dialect") -> list[Column[Any]]:
    """The columns of an answer: the prediction, which may be a label, numbers, and the warning.

    TableError names one that is too long for the database.
    """
    for name in added:
        if len(name.encode()) > dialect.max_identifier_length:
            says = f"column {name!r}: the database allows names of {dialect.max_identifier_length} bytes"
            raise TableError(says, "Shorten the label in the data")
    prediction, *numbers, warning = added
    return [
        Column(prediction, long_text(dialect.name) if labels else types.Double()),
        *(Column(name, types.Double()) for name in numbers),
        Column(warning, long_text(dialect.name)),
    ]


def require_fit(table: Table, columns: Sequence[Column[Any]], where: str) -> None:
    """TableError naming the columns that a table lacks, or the first that could not take the values unchanged."""
    if missing := [column.name for column in columns if column.name not in table.c]:
        close = get_close_matches(missing[0], table.c.keys(), 1, 0.6)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        says = f"{where}: has no column {', '.join(map(repr, missing[:20]))}{hint}"
        raise TableError(says, f"Add {'it' if len(missing) == 1 else 'them'}, or write to a new table")
    written = {column.name for column in columns}
    for column in table.columns:
        if column.name in written and (column.computed is not None or column.identity is not None and column.identity.always):
            says = f"{where}: column {column.name!r} is computed by the database, and cannot be written"
            raise TableError(says, "Write to a new table")
        given = column.server_default is not None or column.primary_key or column.nullable
        if column.name not in written and not given:
            says = f"{where}: column {column.name!r} is NOT NULL without a default, and the answers have no such column"
            raise TableError(says, "Give it a default, or write to a new table")
    for column in columns:
        there = table.c[column.name].type
        if not _takes(there, column.type):
            cure = "Write to a new table, or change the type of the column"
            says = f"{where}: column {column.name!r} has the type {there!r}, which cannot hold {column.type!r} unchanged"
            raise TableError(says, cure)


def _takes(there: Any, wanted: Any) -> bool:
    """Whether a column takes all values of another type unchanged. What is only too long, the database refuses itself."""
    kind = kind_of(wanted)
    if kind_of(there) != kind:
        return (kind_of(there), kind) in TAKES or kind == "NullType" and isinstance(there, types.BLOB)
    if kind == "Decimal" and there.scale is not None:
        return wanted.scale is not None and bool(wanted.scale <= there.scale)
    if kind == "float":
        return isinstance(there, types.Double) or not isinstance(wanted, types.Double)
    if kind == "datetime":
        return bool(there.timezone == wanted.timezone) and _digits(there) >= _digits(wanted)
    if kind == "time":
        return _digits(there) >= _digits(wanted)
    return not isinstance(there, types.CHAR) or isinstance(wanted, types.CHAR)  # that drops spaces at the end


def _digits(kind: Any) -> int:
    """Of a second, behind the point."""
    if hasattr(kind, "fsp"):  # of MySQL, where none is 0
        return kind.fsp or 0
    precision = getattr(kind, "precision", None)
    return 6 if precision is None else precision
