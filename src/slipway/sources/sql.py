"""A table of an SQL database, or the answer to a query, as record batches: the columns that are needed, of one snapshot."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow

from slipway import problem, sections
from slipway.errors import TableError
from slipway.sources.batches import Batches, gathered
from slipway.sources.sql_faults import told
from slipway.sources.sql_server import IN_FILES, engine_of, found_table, place
from slipway.sources.sql_types import Column, Misfit, declared_type
from slipway.table.dialect import require_unique

if TYPE_CHECKING:
    from sqlalchemy import Connection, CursorResult, Engine

FIRST, MOST, SIZE = 64, 4_096, 1 << 20  # rows that are fetched at first, and at most, at once, and about how many bytes
ALIAS = "slipway"
Named = tuple[str | None, str]  # schema and table
CURE = "Add it to drop, or convert it or leave it out in sql.query"
NO_SNAPSHOT = "The database gives no snapshot of {}: what is written to it during the read may or may not be in the table"
# What a connection is to be before the first read: its transaction sees one state of the database, may only read, and gives
# moments in UTC.
TRANSACTIONS: dict[str, dict[str, Any]] = {
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
    "mysql": {"isolation_level": "REPEATABLE READ"},
}
SESSIONS = {
    "postgresql": (
        "SET LOCAL timezone TO 'UTC'",
        "SET LOCAL extra_float_digits TO 1",  # all digits of a double
        "SET LOCAL synchronize_seqscans TO off",  # the same order each time
    ),
    "mysql": (
        "SET time_zone = '+00:00', net_write_timeout = 600",
        "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY",
    ),
    "duckdb": ("SET TimeZone = 'UTC'",),
}
TRANSACTIONS["mariadb"], SESSIONS["mariadb"] = TRANSACTIONS["mysql"], SESSIONS["mysql"]
SQL_SERVER = {"isolation_level": "SNAPSHOT"}
# About how many rows a table has, without counting; of MySQL also what stores it, as only one of these gives snapshots.
ABOUT = {
    "postgresql": "SELECT nullif(reltuples, -1), 'InnoDB' FROM pg_class WHERE oid = to_regclass(:origin)",
    "mysql": "SELECT table_rows, engine FROM information_schema.tables "
    "WHERE table_schema = coalesce(:schema, database()) AND table_name = :name",
    "duckdb": "SELECT estimated_size, 'InnoDB' FROM duckdb_tables() WHERE table_name = :name",
}
ABOUT["mariadb"] = ABOUT["mysql"]


class UnfitColumn(TableError):
    """A column that no table can have; `field` and `why` tell which one."""

    def __init__(self, field: str, why: str, cause: str) -> None:
        super().__init__(cause, CURE)
        self.field, self.why = field, why


@dataclass(frozen=True)
class SqlTable:
    """The table or query that a problem's section ``sql`` names."""

    described: problem.Problem

    @property
    def where(self) -> str:
        return place(self.described.sql)

    @property
    def variables(self) -> tuple[str, ...]:
        return (self.described.sql.url,)

    def open(self, columns: Collection[str] | None = None, without: Collection[str] = ()) -> Batches:
        return open_table(self.described.sql, columns)

    def fingerprint(self) -> None:
        """A database does not tell whether a table changed."""

    def ping(self) -> None:
        settings = self.described.sql
        engine = engine_of(settings)
        with told(settings.url, place(settings, engine)), engine.connect():
            return


def open_table(settings: sections.Sql, columns: Collection[str] | None = None, server: str = "") -> Batches:
    """A table, or the answer to a query, in the order in which the database gives it.

    Parameters
    ----------
    settings : Sql
    columns : collection of str, optional
        Read only those of them that there are.
    server : str, optional
        The URL, when it is not in the settings' variable.

    Raises
    ------
    ProblemError
        When the variable with the URL is not set, or its URL is not valid.
    TableError
        When the database cannot be reached or refuses, when there is no such table, or none of the columns; while reading,
        when the connection is lost, or UnfitColumn when a column is of a type that no table has.
    """
    engine = engine_of(settings, server)
    where = place(settings, engine)
    with told(settings.url, where), snapshot(engine, no_parameters=True) as connection:
        table = None if settings.query else found_table(connection, settings.table or "", settings.url)
        origin = _origin(engine, settings, table)
        names = _names(connection, settings, origin)
        rows, consistent = _about(connection, origin, table)
    try:
        require_unique(names)
    except TableError as error:
        raise TableError(f"{settings.url}: {where}: {error.cause}", error.cure) from None
    chosen = tuple(name for name in names if columns is None or name in columns)
    if not chosen:
        raise TableError(f"{settings.url}: {where} has none of the columns that are asked for")
    # of a table's own name: a quoted one that is absent would be a text to SQLite
    listed = ", ".join(f"{ALIAS}.{_quoted(engine, name)}" for name in chosen)
    says = "" if consistent else NO_SNAPSHOT.format(where)
    return Batches(chosen, rows, lambda: _read(engine, settings, f"SELECT {listed} FROM {origin} AS {ALIAS}"), says)


@contextmanager
def snapshot(engine: "Engine", **more: Any) -> Iterator["Connection"]:
    """A connection whose transaction sees one state of the database, and may only read; `more` are options of it."""
    kind = engine.dialect.name
    options = SQL_SERVER if kind == "mssql" and _allows_snapshot(engine) else TRANSACTIONS.get(kind, {})
    with engine.connect().execution_options(**options, **more) as connection:
        for statement in SESSIONS.get(kind, ()):
            connection.exec_driver_sql(statement)
        yield connection


def _allows_snapshot(engine: "Engine") -> bool:
    """Whether this database of SQL Server keeps versions of rows."""
    asked = "SELECT snapshot_isolation_state FROM sys.databases WHERE name = DB_NAME()"
    with engine.connect() as connection:
        return connection.exec_driver_sql(asked).scalar() == 1


def _names(connection: "Connection", settings: sections.Sql, origin: str) -> tuple[str, ...]:
    """The columns. SQLite and DuckDB rename the second of one name within brackets, but they begin any query at once."""
    in_file = connection.dialect.name in IN_FILES
    asked = settings.query if settings.query and in_file else f"SELECT * FROM {origin} AS {ALIAS} WHERE 1 = 0"
    with closing(connection.exec_driver_sql(asked)) as result:
        return tuple(result.keys())


def _about(connection: "Connection", origin: str, table: Named | None) -> tuple[int | None, bool]:
    """About how many rows there are, where the database knows, and whether one state of them can be read."""
    kind = connection.dialect.name
    if kind == "mssql":
        return None, _allows_snapshot(connection.engine)
    if table is None or kind not in ABOUT:
        return None, True
    from sqlalchemy import text

    given = {"origin": origin, "schema": table[0], "name": table[1]}
    asked = text(ABOUT[kind])
    found = connection.execute(asked, {name: given[name] for name in asked.compile().params}).first()
    rows, engine = found or (None, None)
    return int(rows) if rows else None, engine in ("InnoDB", None)


def _origin(engine: "Engine", settings: sections.Sql, table: Named | None) -> str:
    """What stands behind FROM."""
    if table is None:
        return f"({(settings.query or '').strip().rstrip(';')}\n)"
    return ".".join(_quoted(engine, name) for name in table if name)


def _quoted(engine: "Engine", name: str) -> str:
    quotes = engine.dialect.identifier_preparer
    escaped = name.replace(quotes.escape_quote, quotes.escape_quote * 2)
    return f"{quotes.initial_quote}{escaped}{quotes.final_quote}"


def _read(engine: "Engine", settings: sections.Sql, statement: str) -> Iterator[pyarrow.RecordBatch]:
    where = place(settings, engine)
    with (
        told(settings.url, where),
        snapshot(engine, no_parameters=True) as connection,
        _answer(connection, statement) as result,
    ):
        try:
            described = zip(result.keys(), result.cursor.description)
            columns = [Column(name, declared_type(each, engine.dialect.name)) for name, each in described]
            yield from gathered(_pieces(result, columns), columns)
        except Misfit as misfit:
            says = f"{settings.url}: {where}: column {misfit.name!r}: {misfit.says}"
            raise UnfitColumn(misfit.name, misfit.says, says) from None


@contextmanager
def _answer(connection: "Connection", statement: str) -> Iterator["CursorResult[Any]"]:
    """The answer of a cursor that stays on the server; one that is left early is not read to its end."""
    result = connection.execution_options(stream_results=True).exec_driver_sql(statement)
    try:
        yield result
    finally:
        if getattr(getattr(result.cursor, "_result", None), "unbuffered_active", False):
            abandon(connection, result)
        else:
            result.close()


def abandon(connection: "Connection", result: "CursorResult[Any]") -> None:
    """Close a connection in the midst of an answer, whatever state it is in."""
    unread: Any = getattr(result.cursor, "_result", None)
    if hasattr(unread, "unbuffered_active"):
        unread.unbuffered_active = False  # PyMySQL would fetch all that is left before it closes
    connection.invalidate()


def _pieces(result: "CursorResult[Any]", columns: Sequence[Column]) -> Iterator[list[pyarrow.Array]]:
    """The columns of some rows, and of the next ones, about a mebibyte at a time."""
    fetched = FIRST
    while rows := result.fetchmany(fetched):
        piece = [column.cells(values) for column, values in zip(columns, zip(*rows))]
        yield piece
        size = sum(cells.nbytes for cells in piece) // len(rows)
        fetched = max(1, min(MOST, SIZE // max(1, size)))
