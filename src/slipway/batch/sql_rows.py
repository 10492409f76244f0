"""A table of a database, or what a query finds there, read whole in the order of its key."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import types
from sqlalchemy.dialects import mysql

from slipway.batch.rows import Position, Rows
from slipway.batch.sql_columns import kind_of
from slipway.batch.sql_key import behind, key_from_json, key_to_json
from slipway.sources.sql import abandon

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, FromClause, Row, Select

ROWS, SIZE = 2_000, 1 << 22  # of a block, which is one transaction of the table that is written, whichever comes first
FETCHED = 500
# What PostgreSQL's driver hands over and takes back as it was. All else (JSON, arrays, intervals, ranges, …) goes as its text.
EXACT = {"int", "Decimal", "float", "str", "bool", "date", "datetime", "time", "bytes", "UUID"}
TIMES = {"date", "datetime", "time"}
BOUNDED = EXACT - {"str", "bytes"}


@dataclass(frozen=True)
class TableRows:
    """Rows that are read in the order of their key, from one snapshot where the database has any.

    Parameters
    ----------
    where : str
    table : FromClause
        Its columns are all that are read.
    key : tuple of str
    needed : tuple of str
        The columns that the model needs.
    connect : callable
        () → context manager of a connection that only reads.
    cells : callable
        (rows) → the cells to predict from, as `slipway.batch.rows.Rows` has them.
    rows : int
        About how many.
    holds_snapshot : bool
        Whether one answer can be read while another connection writes; otherwise each block is asked for.
    """

    where: str
    table: "FromClause"
    key: tuple[str, ...]
    needed: tuple[str, ...]
    connect: Callable[[], Any]
    cells: Callable[[Sequence["Row[Any]"]], Any]
    rows: int
    holds_snapshot: bool

    @property
    def start(self) -> Position:
        """The position of the first row."""
        return {"row": 0, "key": []}

    def share(self, position: Position) -> float | None:
        """How much of the table is before a position."""
        return min(1.0, position["row"] / self.rows) if self.rows else None

    def read(self, position: Position) -> Iterator[Callable[[], Rows]]:
        """The rows behind a position."""
        row, last = position["row"], key_from_json(position["key"])
        names = tuple(self.table.c.keys())
        places = tuple(names.index(name) for name in self.key)
        with self.connect() as connection:
            for some in self._blocks(connection, last, places):
                begin, row = row, row + len(some)
                last = [some[-1][place] for place in places]
                yield partial(self._rows, some, begin, places, {"row": row, "key": key_to_json(last)})

    def _rows(self, some: Sequence["Row[Any]"], begin: int, key: tuple[int, ...], position: Position) -> Rows:
        return Rows(self.where, begin + 1, len(some), self.cells(some), position, originals=some, key=key)

    def _blocks(self, connection: Any, last: Sequence[Any], key: Sequence[int]) -> Iterator[list["Row[Any]"]]:
        dialect = connection.dialect.name
        if self.holds_snapshot:
            found = connection.execute(self.query(last, dialect), execution_options={"yield_per": FETCHED})
            try:
                yield from _in_blocks(found, _long(self.table.c))
            except GeneratorExit:  # the writing failed, perhaps for the server's end
                abandon(connection, found)
                raise
            return
        while True:
            query = self.query(last, dialect).limit(ROWS)
            found = connection.execute(query, execution_options={"yield_per": FETCHED})
            some = next(_in_blocks(found, _long(self.table.c)), [])
            found.close()
            connection.rollback()  # or it could not be written meanwhile
            if not some:
                return
            yield some
            last = [some[-1][place] for place in key]

    def query(self, last: Sequence[Any], dialect: str) -> "Select[Any]":
        """The rows behind a key; all when it is empty."""
        columns = [sqlalchemy.type_coerce(self.table.c[name], types.NullType()) for name in self.key]
        known = {*self.key, *self.needed}
        found = sqlalchemy.select(*(as_it_is(column, dialect, column.name in known) for column in self.table.c))
        if last:
            found = found.where(behind(columns, last))
        return found.order_by(*columns)


def as_it_is(column: Any, dialect: str, known: bool) -> "ColumnElement[Any]":
    """A column whose values, written back by the same driver, are the same: no type of SQLAlchemy's touches them.

    `known` says whether they have to be Python's, which has no infinite times.
    """
    kind, value = column.type, column
    if dialect == "postgresql" and kind_of(kind) not in (EXACT if known else EXACT - TIMES):
        value = sqlalchemy.cast(column, types.Text)
    elif is_float_of_mysql(kind):
        value = sqlalchemy.cast(column, types.Double)  # it would be shown with 6 digits
    return sqlalchemy.type_coerce(value, types.NullType()).label(column.name)


def is_float_of_mysql(kind: Any) -> bool:
    """Whether a type is the FLOAT of 32 bits of MySQL."""
    return isinstance(kind, mysql.FLOAT)


def _long(columns: Any) -> list[int]:
    """The places of columns whose values have no bounded size."""
    return [place for place, column in enumerate(columns) if kind_of(column.type) not in BOUNDED]


def _in_blocks(found: Any, long: Sequence[int]) -> Iterator[list["Row[Any]"]]:
    some: list[Row[Any]] = []
    size = 0
    for row in found:
        some.append(row)
        size += sum(len(row[place]) for place in long if isinstance(row[place], (str, bytes)))
        if len(some) == ROWS or size > SIZE:
            yield some
            some, size = [], 0
    if some:
        yield some
