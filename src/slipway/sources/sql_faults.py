"""What the faults of an SQL database say to a person, whatever its driver calls them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from slipway.errors import SlipwayError, TableError

if TYPE_CHECKING:
    from sqlalchemy.exc import DBAPIError

# What a driver calls a fault → its kind: SQLSTATE of PostgreSQL, numbers of MySQL, MariaDB and SQL Server, names of SQLite's
# codes and of DuckDB's exceptions.
KINDS: dict[str | int, str] = {
    code: kind
    for kind, codes in {
        "password": ("28P01", "28000", 1045, 1698, 18456),
        "database": ("3D000", 1049, 4060),
        "table": ("42P01", "3F000", 1146, 208),
        "column": ("42703", 1054, 207),
        "right": ("42501", 1044, 1142, 1143, 1227, 229),
        "unreachable": (2002, 2003, 2005, 20009),
        "lost": ("57P01", "57P02", "57P03", 1053, 1927, 2006, 2013, 20003, 20004, 20006, 20047),
        "time": ("57014", "55P03", 1205, 1969, 3024, "SQLITE_BUSY", "SQLITE_LOCKED"),
        "deadlock": ("40001", "40P01", 1213),
        "read-only": ("25006", 1792, "SQLITE_READONLY"),
        "full": ("53100", "53200", 1021, "SQLITE_FULL"),
        "busy": ("53300", 1040, 1203),
        "damaged": ("SQLITE_NOTADB", "SQLITE_CORRUPT"),
    }.items()
    for code in codes
}
# Where a driver has no code for a fault, what its message has.
SAID = {
    "password authentication failed": "password",
    "no password supplied": "password",
    "no such table": "table",
    "no such column": "column",
    "Table with name": "table",
    "Referenced column": "column",
    "does not exist": "database",
    "Connection refused": "unreachable",
    "timeout expired": "unreachable",
    "resolve host": "unreachable",
    "not known": "unreachable",
    "server closed the connection": "lost",
    "the connection is lost": "lost",
    "terminating connection": "lost",
    "read-only mode": "read-only",
    "Conflict on": "deadlock",
    "Could not set lock": "time",
}
CURES = {
    "unreachable": ("no server answers", "Is it running, and may this machine reach it?"),
    "password": ("the server refuses the user or the password", "Correct them in the variable"),
    "database": ("the server has no such database, or refuses this one", "Correct its name in the variable"),
    "table": ("there is no such table", "Correct its name; outside of the usual schema it is SCHEMA.TABLE"),
    "column": ("there is no such column", "Correct its name"),
    "right": ("the user has no right to it", "Grant it"),
    "time": ("the database gave up waiting", "Run it again when nothing locks the table, or with a longer timeout there"),
    "deadlock": ("the database preferred another writer each time", "Run it again when the other one is done"),
    "read-only": ("only reading is allowed here", "Use a SELECT"),
    "full": ("the server has no space left", "Make space there"),
    "busy": ("the server has no connection left", "Run it again later, or allow more of them there"),
    "damaged": ("the file is no intact database of its kind", "Restore it"),
}


@contextmanager
def told(variable: str, where: str, deed: str = "read") -> Iterator[None]:
    """Turn what SQLAlchemy and the drivers raise into a TableError of one line.

    Parameters
    ----------
    variable : str
        What has the URL, to begin the message with.
    where : str
        What is read or written, of `place`.
    deed : str
        What was done to it: read, written.
    """
    from sqlalchemy.exc import DBAPIError, SQLAlchemyError

    try:
        yield
    except DBAPIError as error:
        raise _refused(error, variable, where, deed) from None
    except SQLAlchemyError as error:
        raise TableError(f"{variable}: {where}: {_short(str(error))}") from None
    except (OSError, EOFError) as error:
        raise TableError(*_lost(variable, where, deed, _short(str(error)))) from None


def kind_of(error: "DBAPIError") -> str:
    """The kind of a fault, a key of CURES or "lost"; empty when it is none of them."""
    original = error.orig
    said = str(original)
    for code in _codes(original):
        if code in KINDS:
            return KINDS[code]
    for part, kind in SAID.items():
        if part in said:
            return kind
    return "lost" if error.connection_invalidated else ""


def _codes(original: BaseException | None) -> Iterator[str | int]:
    yield str(getattr(original, "sqlstate", None))
    yield str(getattr(original, "sqlite_errorname", None))
    first = original.args[0] if original and original.args else None
    while isinstance(first, tuple) and first:  # as pymssql nests it
        first = first[0]
    if isinstance(first, int):
        yield first


def _refused(error: "DBAPIError", variable: str, where: str, deed: str) -> SlipwayError:
    kind, said = kind_of(error), _said(error.orig)
    if kind == "lost":
        return TableError(*_lost(variable, where, deed, said))
    if kind in CURES:
        cause, cure = CURES[kind]
        return TableError(f"{variable}: {where}: {cause} ({said})", cure)
    return TableError(f"{variable}: {where} cannot be {deed}: {said}")


def _lost(variable: str, where: str, deed: str, said: str) -> tuple[str, str]:
    return (
        f"{variable}: the connection was lost while {where} was {deed} ({said or 'no reason given'})",
        "Run it again when the server is back",
    )


def _said(original: BaseException | None) -> str:
    """What a driver says, without its codes."""
    parts = original.args if original else ()
    while len(parts) == 1 and isinstance(parts[0], tuple):
        parts = parts[0]
    text = parts[1] if len(parts) == 2 and isinstance(parts[0], int) else original
    return _short(text.decode(errors="replace") if isinstance(text, bytes) else str(text))


def _short(said: str) -> str:
    """The first line; the others show the statement, or guess at the cause."""
    first = next((line for line in said.splitlines() if line.strip()), "")
    return " ".join(first.removeprefix("connection failed: ").split())[:200].rstrip(".")
