"""A table of a database, or a query, before the first row is read: its columns, and how it is read then."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy
from msgspec.structs import replace

from slipway.batch.sql_target import unique_sets
from slipway.errors import TableError
from slipway.problem import Problem
from slipway.sections import Sql
from slipway.sources.sql_server import place, table_of, told

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, FromClause, Table

COPY = "slipway_query"
READING = {  # dialect → what makes a session one that only reads, with times in UTC
    "mysql": ("SET SESSION TRANSACTION READ ONLY", "SET time_zone = '+00:00'"),
    "sqlite": ("PRAGMA query_only = ON",),
}
READING["mariadb"] = READING["mysql"]


@dataclass(frozen=True)
class SqlInput:
    """A table, view or query that is read whole.

    Parameters
    ----------
    engine : Engine
    settings : Sql
        Its `table` or `query` is this one.
    table : Table
        Its columns with the database's own types.
    rows : FromClause
        What is selected from.
    """

    engine: "Engine"
    settings: Sql
    table: "Table"
    rows: "FromClause"

    @property
    def where(self) -> str:
        """For messages."""
        return place(self.settings, self.engine)

    @contextmanager
    def connect(self) -> Iterator["Connection"]:
        """A connection that only reads."""
        with told(self.settings.url, self.where), self.engine.connect() as connection:
            dialect = connection.dialect.name
            if dialect == "postgresql":
                connection = connection.execution_options(postgresql_readonly=True)
            for statement in READING.get(dialect, ()):
                connection.exec_driver_sql(statement)
            connection.rollback()
            yield connection

    def holds_snapshot(self) -> bool:
        """Whether an answer can be read to its end while another connection writes."""
        if self.engine.dialect.name != "sqlite":
            return True
        with self.connect() as connection:
            return connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"

    def is_unique(self, connection: "Connection", key: Collection[str]) -> bool:
        """Whether the database itself keeps a key unique."""
        return self.settings.query is None and any(names <= set(key) for names in unique_sets(connection, self.table))

    def count(self) -> int:
        """How many rows there are now."""
        with self.connect() as connection:
            return connection.execute(sqlalchemy.select(sqlalchemy.func.count()).select_from(self.rows)).scalar() or 0


def open_input(problem: Problem, name: str, engine: "Engine") -> SqlInput:
    """The table of this name; without a name the table or query of the section ``sql``."""
    settings = problem.sql
    if name:
        settings = replace(settings, table=name, query=None)
    with told(settings.url, place(settings, engine)), engine.connect() as connection:
        if settings.table:
            table = table_of(engine, settings.table, settings.url, connection)
            return SqlInput(engine, settings, table, table)
        if settings.query:
            return SqlInput(engine, settings, *_described(connection, settings.query))
    raise TableError("sql: names no table", "Write sql:TABLE, or set sql.table or sql.query in slipway.yaml")


def _described(connection: "Connection", query: str) -> tuple["Table", "FromClause"]:
    """The columns of a query, as those of an empty temporary table, and the query with these columns."""
    plain = query.strip().rstrip(";").replace(":", "\\:") + "\n"  # no parameters, and perhaps a comment at the end
    connection.execute(sqlalchemy.text(f"CREATE TEMPORARY TABLE {COPY} AS SELECT * FROM ({plain}) AS q WHERE 1 = 0"))
    table = table_of(connection.engine, COPY, connection=connection)
    connection.rollback()
    return table, sqlalchemy.text(plain).columns(
        *(sqlalchemy.Column(each.name, each.type) for each in table.columns)
    ).subquery("q")
