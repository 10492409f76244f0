"""What is asked of a MongoDB collection, the beginning of its answer, and what to say when there is none."""

import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from struct import Struct
from typing import Any

import bson
from bson.codec_options import CodecOptions, DatetimeConversion
from pymongo import MongoClient
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.cursor import RawBatchCursor
from pymongo.errors import ConfigurationError, ExecutionTimeout, OperationFailure, PyMongoError

from slipway import sections
from slipway.errors import TableError
from slipway.sources.mongodb_server import connect, place, server_url
from slipway.sources.nearest import nearest

FETCHED = 10_000  # documents of one answer of the server, which sends 16 MiB at most
DECODED = 500  # documents decoded at once: their objects stay in the processor's cache
PATIENCE = 1_000  # ms for a question that reading can do without
NO_SNAPSHOT = {72, 123, 246}  # InvalidOptions (a capped collection), NotAReplicaSetMember, SnapshotUnavailable
DATES: CodecOptions[dict[str, Any]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
LENGTH = Struct("<i")  # the first bytes of a document


@dataclass(frozen=True)
class Query:
    """What is asked: `paths` has column → dotted path; None: all fields but ``_id`` and `without`, each a column.

    `server` is the URL of another server than the settings' variable has.
    """

    settings: sections.Collection
    paths: Mapping[str, str] | None
    without: tuple[str, ...] = ()
    server: str = field(default="", repr=False)

    @property
    def place(self) -> str:
        return place(self.settings)

    @property
    def projection(self) -> dict[str, int]:
        if self.paths is None:
            return {"_id": 0} | dict.fromkeys(self.without, 0)
        asked = set(self.paths.values())
        apart = [path for path in asked if not any(path.startswith(f"{other}.") for other in asked)]  # none within another
        return {"_id": 0} | dict.fromkeys(sorted(apart), 1)

    @property
    def names(self) -> tuple[str, str]:
        """Database and collection; without them no problem is read."""
        return self.settings.database or "", self.settings.collection or ""

    def collection(self, client: MongoClient[Any]) -> Collection[Any]:
        database, collection = self.names
        return client[database][collection].with_options(DATES)


class Answer:
    """The server's answer to a query, begun: its first documents are here. Closed when nobody has it any more, if not before.

    Raises
    ------
    ProblemError, TableError
        When the server cannot be reached or refuses; PyMongoError when it does so later.
    """

    def __init__(self, query: Query) -> None:
        self.query = query
        stack = ExitStack()
        self.close = weakref.finalize(self, stack.close)
        try:
            url = query.server or server_url(query.settings)
            self.client = stack.enter_context(connect(url, query.settings.url))
            self.session: ClientSession | None = stack.enter_context(self.client.start_session(snapshot=True))
            try:
                self._begin()
            except (ConfigurationError, OperationFailure) as error:  # the first is of a server older than MongoDB 5
                if isinstance(error, OperationFailure) and error.code not in NO_SNAPSHOT:
                    raise
                self.session = None
                self._begin()
            stack.callback(self.cursor.close)
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        query = self.query
        self.cursor: RawBatchCursor[Any] = query.collection(self.client).find_raw_batches(
            query.settings.filter,
            query.projection,
            sort=self.order,
            batch_size=FETCHED,
            session=self.session,
        )
        self.first: bytes = next(self.cursor, b"")

    @property
    def order(self) -> list[tuple[str, int]] | None:
        """By _id where the order of documents depends on more than the collection: on an index of a filter, on shards.

        A collection that is read whole comes as it lies there, which is the same each time and takes a third less time.
        """
        return [("_id", 1)] if self.query.settings.filter or self.client.is_mongos else None

    def head(self) -> list[dict[str, Any]]:
        """The first documents, 500 at most."""
        return next(decoded([self.first]), [])

    def exists(self, path: str) -> bool:
        """Whether any document has the field; yes, too, when the server cannot tell soon."""
        asked = {"$and": [self.query.settings.filter, {path: {"$exists": True}}]}
        try:
            found = self.query.collection(self.client).find_one(asked, {"_id": 1}, max_time_ms=PATIENCE)
        except ExecutionTimeout:
            return True
        return found is not None

    def count(self) -> int | None:
        """About how many documents there are, when the server can tell soon."""
        collection, where = self.query.collection(self.client), self.query.settings.filter
        with suppress(OperationFailure):
            if where:
                return collection.count_documents(where, maxTimeMS=PATIENCE)
            return collection.estimated_document_count(maxTimeMS=PATIENCE)
        return None

    def name(self, row: int) -> str:
        """The document in this row, from 0, for a message."""
        with suppress(PyMongoError, StopIteration):
            found = next(
                self.query.collection(self.client).find(
                    self.query.settings.filter,
                    {"_id": 1},
                    sort=self.order,
                    skip=row,
                    limit=1,
                    session=self.session,
                    max_time_ms=PATIENCE,
                )
            )
            return f"the document with _id {found['_id']!r}"
        return f"row {row + 1:,}"


def decoded(answers: Iterable[bytes]) -> Iterator[list[dict[str, Any]]]:
    """The documents of the answers, some at a time."""
    for answer in answers:
        start = at = number = 0
        while at < len(answer):
            at += LENGTH.unpack_from(answer, at)[0]
            number += 1
            if number % DECODED == 0 or at == len(answer):
                yield bson.decode_all(answer[start:at], DATES)
                start = at


def has(document: Mapping[str, Any], path: str) -> bool:
    """Whether a document has something at a dotted path."""
    for key in path.split("."):
        if not isinstance(document, Mapping):
            return isinstance(document, list)  # of sub-documents, perhaps
        if key not in document:
            return False
        document = document[key]
    return True


def nothing_found(answer: Answer) -> TableError:
    """Why there is no document."""
    settings, place, where = answer.query.settings, answer.query.place, answer.query.settings.url
    database, collection = answer.query.names
    try:
        collections = answer.client[database].list_collection_names(authorizedCollections=True)
        databases = [] if collections else answer.client.list_database_names()
    except OperationFailure:  # who may read need not have the right to list
        return TableError(f"{where}: {place} does not exist, or has no document that mongodb.filter takes")
    if collection in collections:
        if settings.filter:
            return TableError(f"{where}: {place} has no document that mongodb.filter takes")
        cure = f"Fill it with: slipway load TABLE.csv mongodb:{collection}"
        return TableError(f"{where}: {place} has no documents", cure)
    if collections:
        says = f"{where}: the database {database} has no collection {collection}"
        return TableError(says, nearest(collection, collections))
    return TableError(f"{where}: the server has no database {database}", nearest(database, databases))


def field_missing(answer: Answer, name: str, path: str) -> TableError:
    """No document has the field of a column."""
    query = answer.query
    one = query.collection(answer.client).find_one(query.settings.filter) or {}
    says = f"{query.settings.url}: no document of {query.place} has the field {path} of column {name!r}"
    return TableError(says, nearest(path, list(_paths_in(one))))


def _paths_in(document: Mapping[str, Any], within: str = "") -> Iterator[str]:
    for key, value in document.items():
        if isinstance(value, Mapping):
            yield from _paths_in(value, f"{within}{key}.")
        else:
            yield within + key
