"""The key of a table: which columns name its rows, and the rows behind one of them."""

from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec
import sqlalchemy
from sqlalchemy import types
from sqlalchemy.dialects import mysql

from slipway.batch.sql_columns import MYSQL, kind_of
from slipway.errors import TableError
from slipway.problem import Problem
from slipway.sources.nearest import nearest

if TYPE_CHECKING:
    from sqlalchemy import Column, ColumnElement, Connection, FromClause

KINDS = {kind.__name__: kind for kind in (bool, int, float, str, bytes, Decimal, date, datetime, time, UUID)}
ORDERED = KINDS.keys() - {"float", "time"}
CURE = "Name the columns that tell its rows apart in slipway.yaml, as sql.key"
SHOWN = 3


def key_of(problem: Problem, where: str, names: Sequence[str], primary: Sequence[str]) -> tuple[str, ...]:
    """The columns that name a row: ``sql.key``, or else the problem's id, or else a primary key.

    Parameters
    ----------
    problem : Problem
    where : str
        What is read, for messages.
    names : sequence of str
        Its columns.
    primary : sequence of str
        Its primary key, or that of the table that is written; may be empty.

    Raises
    ------
    TableError
        When there is none of them, or the table lacks a column of ``sql.key``.
    """
    for name in problem.sql.key:
        if name not in names:
            raise TableError(f"sql.key: {where} has no column {name!r}", nearest(name, names))
    known = set(names)
    found = next((key for key in (problem.sql.key, problem.id, primary) if key and known.issuperset(key)), ())
    if not found:
        raise TableError(f"{where}: has no key by which its answers could be written", CURE)
    return tuple(found)


def require_order(columns: Sequence["Column[Any]"], where: str, dialect: str) -> None:
    """TableError naming a column of a key whose values the database and a comparison with one of them order differently."""
    for column in columns:
        listed = dialect in MYSQL and isinstance(column.type, types.Enum | mysql.SET)  # sorted by number, compared by text
        if kind_of(column.type) not in ORDERED or listed:
            raise TableError(f"{where}: column {column.name!r} of type {column.type} cannot be a key", CURE)


def require_key(connection: "Connection", rows: "FromClause", key: Sequence[str], unique: bool, where: str) -> None:
    """TableError naming rows without a key, or with the key of another row.

    Parameters
    ----------
    connection : Connection
    rows : FromClause
    key : sequence of str
    unique : bool
        Whether the database itself keeps the key unique.
    where : str
    """
    columns = [rows.c[name] for name in key]
    listed = ", ".join(key)
    empty = sqlalchemy.or_(*(column.is_(None) for column in columns))
    if without := connection.execute(sqlalchemy.select(sqlalchemy.func.count()).select_from(rows).where(empty)).scalar():
        raise TableError(
            f"{where}: {without:,} rows have a NULL in the key ({listed})", "Fill it, or leave them out by sql.query"
        )
    if unique:
        return
    count = sqlalchemy.func.count()
    twice = sqlalchemy.select(*columns, count).group_by(*columns).having(count > 1).order_by(*columns).limit(SHOWN)
    if found := connection.execute(twice).all():
        shown = "; ".join(f"{shown_key(row[:-1])} in {row[-1]:,} rows" for row in found)
        raise TableError(f"{where}: the key ({listed}) is not unique: {shown}", CURE)


def behind(columns: Sequence["ColumnElement[Any]"], last: Sequence[Any]) -> "ColumnElement[bool]":
    """A greater key, written without a comparison of rows, which not all databases have or find by an index."""
    steps = [
        sqlalchemy.and_(*(each == value for each, value in zip(columns[:place], last)), columns[place] > last[place])
        for place in range(len(columns))
    ]
    return sqlalchemy.and_(columns[0] >= last[0], sqlalchemy.or_(*steps)) if len(steps) > 1 else steps[0]


def shown_key(values: Sequence[Any]) -> str:
    """A key, for messages."""
    return ",".join(str(value) for value in values)


def key_to_json(values: Sequence[Any]) -> list[list[Any]]:
    """A key as JSON that keeps the types."""
    return [[type(value).__name__, msgspec.to_builtins(value)] for value in values]


def key_from_json(values: Sequence[Sequence[Any]]) -> list[Any]:
    """A key as it was."""
    return [msgspec.convert(value, KINDS[kind]) for kind, value in values]
