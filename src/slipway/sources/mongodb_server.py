"""The way to a MongoDB server, and what its faults say to a person. No message has the URL, because that has the password."""

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from bson.errors import InvalidBSON, InvalidDocument
from pymongo import MongoClient
from pymongo.errors import (
    ConfigurationError,
    ConnectionFailure,
    InvalidName,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from slipway.errors import ProblemError, SlipwayError, TableError
from slipway.sections import Collection

SCHEMES = ("mongodb://", "mongodb+srv://")
# A server that is gone is noticed in less than 5 s, also when it falls silent in the middle of a long answer: it is asked all
# the time whether it lives, and what pymongo then still wants of it (to close the cursor) is given up after 1 s.
TIMES: dict[str, Any] = {"serverSelectionTimeoutMS": 1_000, "connectTimeoutMS": 2_000, "heartbeatFrequencyMS": 1_000}
GREETINGS = 3  # so that a server has 3 s to be found
NO_RIGHT, WRONG_PASSWORD = 13, (18, 8000)  # 8000 is what Atlas says
GONE = {
    43: "the server closed the cursor before the end: it restarted, or nothing was read for 10 minutes",
    239: "reading took longer than the server keeps a snapshot (minSnapshotHistoryWindowInSeconds, by default 300)",
    246: "reading took longer than the server keeps a snapshot (minSnapshotHistoryWindowInSeconds, by default 300)",
}


def place(settings: Collection) -> str:
    """The collection, for messages."""
    return f"{settings.database}.{settings.collection}"


def server_url(settings: Collection, environ: Mapping[str, str] | None = None) -> str:
    """The URL that the settings' variable has; ProblemError when it is not set."""
    url = (os.environ if environ is None else environ).get(settings.url, "").strip()
    if not url:
        cure = "Set it to the URL of the MongoDB server, such as mongodb://user:password@host:27017/"
        raise ProblemError(f"the environment variable {settings.url} is not set", cure)
    return url


@contextmanager
def connect(url: str, where: str) -> Iterator[MongoClient[Any]]:
    """A client of a server that answered and took the password; closed at the end.

    Parameters
    ----------
    url : str
    where : str
        What to call the server in messages: the variable that has its URL, or its address.

    Raises
    ------
    ProblemError
        When the URL is none.
    TableError
        When the server does not answer within 3 s, or refuses the user or password.
    """
    client = _client(url, where)
    try:
        with told(where):
            _greet(client)
        yield client
    finally:
        client.close()


def _greet(client: MongoClient[Any]) -> None:
    for _ in range(GREETINGS - 1):
        with suppress(ServerSelectionTimeoutError):
            client.admin.command("ping")
            return
    client.admin.command("ping")


def _client(url: str, where: str) -> MongoClient[Any]:
    cure = (
        "Expected mongodb://user:password@host:port/?options; in user and password, write : / ? # [ ] @ % as %3A %2F %3F %23 "
        "%5B %5D %40 %25"
    )
    head, _, rest = url.partition("://")[2].partition("/")
    if not url.startswith(SCHEMES) or "@" in rest or not head:  # an @ there: a / of the password was taken for the path
        raise ProblemError(f"{where}: is no URL of a MongoDB server", cure)
    try:
        with warnings.catch_warnings():  # of options that it does not know, which may be a part of a password
            warnings.simplefilter("ignore")
            return MongoClient(url, **TIMES, retryReads=False, tz_aware=False)
    except ConfigurationError as error:
        if "DNS" in str(error) or "resolution" in str(error):
            raise TableError(f"{where}: the name of the server is not known", "Is it right, and is there a network?") from None
        raise ProblemError(f"{where}: is no URL of a MongoDB server", cure) from None
    except (PyMongoError, ValueError, TypeError):  # what they say may repeat the password
        raise ProblemError(f"{where}: is no URL of a MongoDB server", cure) from None


@contextmanager
def told(where: str, place: str = "", doing: str = "read") -> Iterator[None]:
    """Turn what pymongo raises into a TableError that names the server, the collection, and what to do."""
    try:
        yield
    except ServerSelectionTimeoutError as error:
        cure = "Is the server running, and may this machine reach it?"
        raise TableError(f"{where}: no MongoDB server answers ({_reason(error)})", cure) from error
    except ConnectionFailure as error:
        says = f"{where}: the connection was lost while {place or 'the server'} was {doing} ({_reason(error)})"
        raise TableError(says, "Run it again when the server is back") from error
    except OperationFailure as error:
        raise _refused(where, place, error) from error
    except InvalidDocument as error:
        raise TableError(f"mongodb.filter: MongoDB has no such value ({_short(str(error))})") from error
    except InvalidName as error:
        raise TableError(f"{place}: {error}") from error
    except InvalidBSON as error:
        raise TableError(f"{where}: {place} has a document that is no valid BSON ({_short(str(error))})") from error
    except PyMongoError as error:
        raise TableError(f"{where}: {_short(str(error))}") from error


def _refused(where: str, place: str, error: OperationFailure) -> SlipwayError:
    details = error.details or {}
    said = _short(str((details.get("writeErrors") or [details])[0].get("errmsg", error)))
    if error.code in GONE:
        return TableError(f"{where}: {place}: {GONE[error.code]}", "Run it again, or narrow mongodb.filter and mongodb.fields")
    if error.code == NO_RIGHT:
        return TableError(f"{where}: the user has no right to {place or 'the server'} ({said})", "Grant it")
    if error.code in WRONG_PASSWORD:
        cure = "If they are right, the URL may need ?authSource= with the database that has the user"
        return TableError(f"{where}: the server refuses the user or the password", cure)
    return TableError(f"{where}: the server refuses{f' for {place}' if place else ''}: {said}")


def _reason(error: Exception) -> str:
    """The first thing that pymongo says: which server, and what happened there."""
    said = str(error).partition(" (configured timeouts")[0].partition(", Timeout:")[0]
    return _short(said.replace("operation cancelled", "it no longer answers"))


def _short(said: str) -> str:
    return " ".join(said.split())[:160]
