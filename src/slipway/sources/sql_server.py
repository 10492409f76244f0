"""The way to an SQL database. No message has its URL, because that has the password."""

import os
import warnings
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slipway.errors import ProblemError, TableError
from slipway.sections import Sql
from slipway.sources.nearest import nearest

if TYPE_CHECKING:
    from sqlalchemy import URL, Connection, Engine, Table

# How a URL begins, whatever driver it names → how SQLAlchemy calls the database with the driver that is used here.
DIALECTS = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "mssql": "mssql+pymssql",
    "sqlite": "sqlite+pysqlite",
    "duckdb": "duckdb",
}
IN_FILES = {"sqlite", "duckdb"}
INSTALL = {"duckdb": "pip install duckdb-engine pytz", "mssql": "pip install pymssql"}
CONNECT, SILENT = 5, 600  # seconds to wait for a connection, and for MySQL's next bytes; the others have keepalives
OPTIONS: dict[str, dict[str, Any]] = {
    "postgresql": {
        "connect_timeout": CONNECT,
        "application_name": "slipway",
        "client_encoding": "utf8",
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
    },
    "mysql": {"connect_timeout": CONNECT, "read_timeout": SILENT, "charset": "utf8mb4", "program_name": "slipway"},
    "mssql": {"login_timeout": CONNECT, "appname": "slipway", "charset": "UTF-8"},
}
OPTIONS["mariadb"] = OPTIONS["mysql"]
FIXED = {"client_encoding", "charset"}  # whatever the URL says: another one would change texts
URL_CURE = (
    "Expected DATABASE://user:password@host:port/name, or sqlite:///FILE; in user and password, write : / ? # [ ] @ % as "
    "%3A %2F %3F %23 %5B %5D %40 %25"
)


def engine_of(settings: Sql, server: str = "", writes: bool = False) -> "Engine":
    """An engine for the database; nothing is asked of it yet, and no connection outlives its use.

    Parameters
    ----------
    settings : Sql
    server : str, optional
        The URL, when it is not in the settings' variable.
    writes : bool
        Whether it is for writing; without it a file of SQLite or DuckDB is opened to read only.

    Raises
    ------
    ProblemError
        When the variable with the URL is not set, or its URL is not valid.
    TableError
        When a library is absent, or the file of a database.
    """
    try:
        import sqlalchemy
    except ImportError as error:
        raise TableError("SQL databases need SQLAlchemy, which is not installed", "pip install 'slipway-ml[sql]'") from error
    url = _url(server or server_url(settings), settings.url)
    kind = url.get_backend_name()
    if kind in IN_FILES:
        _require_file(url, settings.url)
    options = {name: value for name, value in OPTIONS.get(kind, {}).items() if name in FIXED or name not in url.query}
    if kind == "duckdb" and not writes:
        options["read_only"] = True
    try:
        engine = sqlalchemy.create_engine(
            url, poolclass=sqlalchemy.NullPool, connect_args=options, hide_parameters=True, pool_reset_on_return=None
        )
    except (ImportError, sqlalchemy.exc.NoSuchModuleError) as error:
        cure = INSTALL.get(kind, "pip install 'slipway-ml[sql]'")
        raise TableError(f"{settings.url}: the driver of {kind} is not installed", cure) from error
    except (sqlalchemy.exc.ArgumentError, ValueError, TypeError):  # what they say may repeat the password
        raise ProblemError(f"{settings.url}: is not a valid URL of a database", URL_CURE) from None
    sqlalchemy.event.listen(engine, "do_connect", partial(_connected, settings.url, url))
    if kind == "sqlite" and not writes:
        sqlalchemy.event.listen(engine, "connect", _only_query)
    return engine


def server_url(settings: Sql, environ: Mapping[str, str] | None = None) -> str:
    """The URL that the settings' variable has; ProblemError when it is not set."""
    url = (os.environ if environ is None else environ).get(settings.url, "").strip()
    if not url:
        cure = "Set it to the URL of the database, such as postgresql://user:password@host:5432/name or sqlite:///FILE"
        raise ProblemError(f"the environment variable {settings.url} is not set", cure)
    return url


def _url(given: str, variable: str) -> "URL":
    """The URL with the driver that is used here; ProblemError when it is none."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    scheme, separator, rest = given.partition("://")
    dialect = DIALECTS.get(scheme.partition("+")[0].lower())
    if not dialect or not separator:
        says = f"{variable}: is not a URL of a supported database ({', '.join(sorted(DIALECTS.keys() - {'postgres'}))})"
        raise ProblemError(says, URL_CURE)
    try:
        url = make_url(f"{dialect}://{rest}")
    except (ArgumentError, ValueError):  # what they say may repeat the password
        raise ProblemError(f"{variable}: is not a valid URL of a database", URL_CURE) from None
    kind = url.get_backend_name()
    if kind not in IN_FILES and (rest.count("@") > 1 or "@" in (url.database or "")):  # a part of the password is there
        raise ProblemError(f"{variable}: is not a valid URL of a database", URL_CURE)
    if not url.database or kind not in IN_FILES and not url.host and "host" not in url.query:
        raise ProblemError(f"{variable}: the URL names no {'database' if url.host else 'host'}", URL_CURE)
    return url


def _connected(variable: str, url: "URL", dialect: Any, _: object, arguments: Any, options: Any) -> Any:
    """A driver's connection; ProblemError when it does not take what the URL says, which is no fault of the database."""
    try:
        return dialect.connect(*arguments, **options)
    except (TypeError, ValueError, OSError) as error:  # what the first two say may repeat the password
        what, cure = "the URL", "Correct the user and the password in the variable"
        if url.query:
            what = f"an option of the URL ({', '.join(url.query)})"
            cure = f"Correct it in the variable; an option has the name that {dialect.driver} gives it"
        why = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
        raise ProblemError(f"{variable}: the driver {dialect.driver} refuses {what}{why}", cure) from None


def _require_file(url: "URL", variable: str) -> None:
    """TableError when there is no such file: SQLite and DuckDB would make an empty one."""
    path = url.database or ""
    if path != ":memory:" and not path.startswith("file:") and not Path(path).is_file():
        raise TableError(f"{variable}: there is no file {path}", "A relative path is relative to the current folder")


def _only_query(connection: Any, record: object) -> None:
    connection.execute("PRAGMA query_only = ON")


def place(settings: Sql, engine: "Engine | None" = None) -> str:
    """What is read or written, for messages: the table or the query, with the host and the database where they are known."""
    what = settings.table or "sql.query"
    if engine is None:
        return what
    url = engine.url
    return "/".join(part for part in (url.host, url.database, what) if part)


def table_of(engine: "Engine", name: str, variable: str = "", connection: "Connection | None" = None) -> "Table":
    """A table or view as the database describes it.

    Parameters
    ----------
    engine : Engine
    name : str
        TABLE or SCHEMA.TABLE.
    variable : str
        What has the URL, for messages.
    connection : Connection, optional
        To ask over it, as a part of its transaction.

    Raises
    ------
    TableError
        Naming the nearest table when there is none of this name; SQLAlchemyError when the database refuses.
    """
    import sqlalchemy

    if connection is None:
        with engine.connect() as made:
            return table_of(engine, name, variable, made)
    schema, table = found_table(connection, name, variable)
    with warnings.catch_warnings():  # of types and indexes that SQLAlchemy does not know
        warnings.simplefilter("ignore", sqlalchemy.exc.SAWarning)
        return sqlalchemy.Table(table, sqlalchemy.MetaData(), schema=schema, autoload_with=connection, resolve_fks=False)


def found_table(connection: "Connection", name: str, variable: str = "") -> tuple[str | None, str]:
    """The schema, None for the usual one, and the name of a table or view; TableError as of `table_of`."""
    import sqlalchemy

    inspector = sqlalchemy.inspect(connection)
    within, _, table = name.rpartition(".")
    schema = within or None
    if schema and inspector.has_table(name):  # a dot may also be a part of a table's own name
        schema, table = None, name
    if inspector.has_table(table, schema):
        return schema, table
    known = [*inspector.get_table_names(schema), *inspector.get_view_names(schema)]
    says = f"{variable + ': ' if variable else ''}{place(Sql(table=name), connection.engine)}: there is no such table"
    raise TableError(says, nearest(table, known))
