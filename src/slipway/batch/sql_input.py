"""A table of a database, or a query, before the first row is read: its columns, and how it is read then."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy

from slipway.batch.sql_collation import collations
from slipway.batch.sql_columns import quoted
from slipway.batch.sql_target import unique_sets
from slipway.sections import Sql
from slipway.sources.sql import snapshot
from slipway.sources.sql_faults import told
from slipway.sources.sql_server import engine_of, place, table_of

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine, FromClause, Table

COPY = "slipway_query"


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
    collations : mapping of str to str
        Of its columns; empty of SQLite, which tells none.
    """

    engine: "Engine"
    settings: Sql
    table: "Table"
    rows: "FromClause"
    collations: Mapping[str, str]

    @property
    def where(self) -> str:
        """For messages."""
        return place(self.settings, self.engine)

    @contextmanager
    def connect(self) -> Iterator["Connection"]:
        """A connection that only reads, in one transaction, as the source of this name does."""
        with told(self.settings.url, self.where), snapshot(self.engine) as connection:
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


def open_input(settings: Sql, engine: "Engine") -> SqlInput:
    """The table or query of these settings; TableError when the database has none of this name."""
    with told(settings.url, place(settings, engine)), engine.connect() as connection:
        if settings.query:
            return SqlInput(engine_of(settings), settings, *_described(connection, settings.query))
        table = quoted(table_of(engine, settings.table or "", settings.url, connection))
        return SqlInput(engine_of(settings), settings, table, table, _compared(connection, table))


def _described(connection: "Connection", query: str) -> tuple["Table", "FromClause", Mapping[str, str]]:
    """The columns of a query, as those of an empty temporary table, the query with these columns, and their collations."""
    plain = query.strip().rstrip(";").replace(":", "\\:") + "\n"  # no parameters, and perhaps a comment at the end
    connection.execute(sqlalchemy.text(f"CREATE TEMPORARY TABLE {COPY} AS SELECT * FROM ({plain}) AS q WHERE 1 = 0"))
    table = quoted(table_of(connection.engine, COPY, connection=connection))
    compared = _compared(connection, table)
    connection.rollback()
    columns = [sqlalchemy.Column(each.name, each.type) for each in table.columns]
    return table, sqlalchemy.text(plain).columns(*columns).subquery("q"), compared


def _compared(connection: "Connection", table: "Table") -> Mapping[str, str]:
    return {} if connection.dialect.name == "sqlite" else collations(connection, table)
