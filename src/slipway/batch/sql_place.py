"""A table of a database that rows are put into as they are answered, one transaction per block."""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import random
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateTable
from sqlalchemy.sql import quoted_name

from slipway.batch.rows import Rows
from slipway.batch.sql_cells import python_rows
from slipway.batch.sql_columns import MYSQL
from slipway.model.scoring import Answers
from slipway.sources.sql_faults import kind_of, told

if TYPE_CHECKING:
    from sqlalchemy import ColumnClause, Connection, Engine, Executable, Table

TRIES, SECONDS = 5, 0.05  # of a block whose transaction another writer was preferred to; the first wait, doubled each time
LOST_TO_ANOTHER = ("deadlock", "time")
# Text that is too long and numbers that are too large are errors, and a key of 0 is no call for the next number.
STRICT = "SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO'), time_zone = '+00:00'"
Parameters = Mapping[str, Any]
logging.getLogger("psycopg").addHandler(logging.NullHandler())  # of a lost connection the error tells


def parameter(place: int) -> str:
    """The name of the parameter of a column: its own name may be none."""
    return f"p{place}"


def upsert(table: "Table", names: Sequence[str], key: Sequence[str], dialect: str, typed: bool) -> "Executable":
    """A statement that inserts a row, or replaces the one that has its key; done twice, it does nothing more.

    Parameters
    ----------
    table : Table
    names : sequence of str
        Its columns that are written; the first is the parameter ``p0``.
    key : sequence of str
    dialect : str
    typed : bool
        Whether SQLAlchemy is to make values of the table's types of them; without it the driver gets them as they are.
    """
    target: Any = table if typed else sqlalchemy.table(table.name, *map(_untyped, names), schema=table.schema)
    values = {name: sqlalchemy.bindparam(parameter(place), type_=target.c[name].type) for place, name in enumerate(names)}
    others = [name for name in names if name not in key]
    if dialect in MYSQL:  # not by stmt.inserted: the driver makes one statement of many rows only of VALUES()
        given = {name: sqlalchemy.func.values(target.c[name]) for name in others}
        return mysql.insert(target).values(values).on_duplicate_key_update(given)
    insert = sqlite.insert(target) if dialect == "sqlite" else postgresql.insert(target)
    found = insert.values(values)
    new = {target.c[name]: found.excluded[name] for name in others}
    return found.on_conflict_do_update(index_elements=[target.c[name] for name in key], set_=new)


def _untyped(name: str) -> "ColumnClause[Any]":
    return sqlalchemy.column(quoted_name(name, True))


@dataclass(frozen=True)
class TablePlace:
    """A table that rows are put into as they are answered.

    Parameters
    ----------
    location : str
    engine : Engine
    variable : str
        What has the URL, for messages.
    where : str
        The table, for messages.
    table : Table
        As it is to be, when it does not exist.
    statement : Executable
        What puts rows there.
    unfinished : Path
        Names the record and the lock; there is no such file.
    exists : bool
        Whether the table did when this was opened.
    """

    location: str
    engine: "Engine"
    variable: str
    where: str
    table: "Table"
    statement: "Executable"
    unfinished: Path
    exists: bool
    grows_in_sight = True

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to be put there: no run is, whose table was dropped."""
        return self.exists

    def holds(self, size: int) -> bool:
        return self.exists

    @contextmanager
    def grow(self, size: int) -> Iterator["Growing"]:
        """Where rows are put; the table is made when there is none."""
        with told(self.variable, self.where, "written"):
            connection = self.engine.connect()
        try:
            with told(self.variable, self.where, "written"), connection.begin():
                if connection.dialect.name in MYSQL:
                    connection.exec_driver_sql(STRICT)
                if not self.exists:
                    connection.execute(CreateTable(self.table))
            yield Growing(connection, self)
        finally:
            with told(self.variable, self.where, "written"):
                connection.close()

    def discard(self) -> None:
        """Leave what is there: others may have put it."""

    def put(self, file: Path) -> None:
        """Nothing: the rows are there."""


@dataclass(frozen=True)
class Growing:
    connection: "Connection"
    place: TablePlace
    size = 0

    def cut(self, size: int) -> None:
        """Nothing: a row that is put again is the same."""

    def append(self, rows: Sequence[Parameters]) -> None:
        """Put rows there in one transaction; one that another writer made impossible is tried again."""
        if rows:
            with told(self.place.variable, self.place.where, "written"):
                for attempt in range(TRIES - 1):
                    try:
                        return self._put(rows)
                    except DBAPIError as error:
                        if kind_of(error) not in LOST_TO_ANOTHER:
                            raise
                    time.sleep(SECONDS * 2**attempt * (0.5 + random()))
                self._put(rows)

    def _put(self, rows: Sequence[Parameters]) -> None:
        with self.connection.begin():
            self.connection.execute(self.place.statement, rows)

    def sync(self) -> None:
        """Nothing: the database keeps what was committed."""


@dataclass(frozen=True)
class Upserts:
    """Answered rows as the parameters of an upsert.

    Parameters
    ----------
    dialect : str
    """

    dialect: str

    def begin(self) -> list[Parameters]:
        return []

    def encode(self, rows: Rows, answers: Answers) -> list[Parameters]:
        """The answered rows."""
        found: list[Parameters] = []
        originals = rows.originals or python_rows(rows.cells, self.dialect, rows.where)
        for place, cells in answers.rows():
            found.append({parameter(number): each for number, each in enumerate((*originals[place], *cells))})
        return found

    def finish(self, unfinished: Path) -> Path:
        return unfinished
