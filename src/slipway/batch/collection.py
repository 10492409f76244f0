"""From collection to collection: documents as they are, with the answer's fields, each under its own _id."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from bson import json_util
from bson.codec_options import DatetimeConversion
from msgspec.structs import replace
from pymongo import MongoClient, ReplaceOne
from pymongo.collection import Collection as OpenCollection

from slipway.batch.input import Source
from slipway.batch.rows import Position, Rows
from slipway.batch.typed import Typed
from slipway.errors import TableError
from slipway.model.scoring import Answers
from slipway.sections import Collection
from slipway.sources.bson_cells import value_at
from slipway.sources.mongodb import connect, open_collection, place, server_url, told
from slipway.sources.mongodb_query import Query
from slipway.table.schema import fresh_names, require_columns

DOCUMENTS = 2_000
IDS = json_util.CANONICAL_JSON_OPTIONS.with_options(datetime_conversion=DatetimeConversion.DATETIME_AUTO)
Operation = ReplaceOne[dict[str, Any]]


@dataclass(frozen=True)
class Documents:
    """A collection whose documents are read whole, in the order of their _id.

    Parameters
    ----------
    settings : Collection
    where : str
    needed : tuple of str
        The columns that are read; `settings.fields` says where they are.
    added : tuple of str
        Fields that the answer adds, and that no document had when this was opened.
    rows : int
        About how many.
    """

    settings: Collection
    where: str
    needed: tuple[str, ...]
    added: tuple[str, ...]
    rows: int

    @property
    def start(self) -> Position:
        """The position of the first document."""
        return {"row": 0, "id": None}

    def share(self, position: Position) -> float | None:
        """How much of the collection is before a position."""
        return min(1.0, position["row"] / self.rows) if self.rows else None

    def read(self, position: Position) -> Iterator[Callable[[], Rows]]:
        """The documents behind a position."""
        row, wanted = position["row"], self.settings.filter
        if row:
            wanted = {"$and": [wanted, _behind(json_util.loads(position["id"], json_options=IDS))]}
        with connect(server_url(self.settings), self.settings.url) as client, told(self.settings.url, place(self.settings)):
            found = _collection(client, self.settings)
            with found.find(wanted, sort=[("_id", 1)], batch_size=DOCUMENTS) as cursor:
                while some := list(islice(cursor, DOCUMENTS)):
                    begin, row = row, row + len(some)
                    last = json_util.dumps(some[-1]["_id"], json_options=IDS)
                    yield partial(self._rows, some, begin, {"row": row, "id": last})

    def _rows(self, documents: list[dict[str, Any]], begin: int, position: Position) -> Rows:
        for name in self.added:
            if any(name in document for document in documents):
                raise TableError(
                    f"{self.where}: a document got a field {name!r} while it was read",
                    "Run it again: the answer's field then gets another name",
                )
        cells = {}
        for name in self.needed:
            path = self.settings.fields.get(name, name).split(".")
            cells[name] = [value_at(document, path) for document in documents]
        return Rows(self.where, begin + 1, len(documents), cells, position, originals=documents)


def _behind(last: Any) -> dict[str, Any]:
    """A filter: a greater _id. Without $expr those of another type than `last` would be left out."""
    return {"$expr": {"$gt": ["$_id", {"$literal": last}]}}


@dataclass(frozen=True)
class Upserts:
    """Documents as operations that, done twice, do nothing more."""

    added: tuple[str, ...]

    def begin(self) -> list[Operation]:
        return []

    def encode(self, rows: Rows, answers: Answers) -> list[Operation]:
        """The answered documents."""
        found = []
        for row, cells in answers.rows():
            document = rows.originals[row] | dict(zip(self.added, cells))
            found.append(ReplaceOne({"_id": document["_id"]}, document, upsert=True))
        return found

    def finish(self, unfinished: Path) -> Path:
        return unfinished


@dataclass(frozen=True)
class CollectionPlace:
    """A collection that documents are put into as they are answered.

    Parameters
    ----------
    location : str
    settings : Collection
    unfinished : Path
        Names the record and the lock; there is no such file.
    """

    location: str
    settings: Collection
    unfinished: Path
    is_done = True
    grows_in_sight = True

    def holds(self, size: int) -> bool:
        return True

    @contextmanager
    def grow(self, size: int) -> Iterator["Growing"]:
        """Where documents are put."""
        with connect(server_url(self.settings), self.settings.url) as client:
            with told(self.settings.url, place(self.settings)):
                found = _collection(client, self.settings)
            yield Growing(found, self.settings)

    def discard(self) -> None:
        """Leave what is there: others may have put it."""

    def put(self, file: Path) -> None:
        """Nothing: the documents are there."""


@dataclass(frozen=True)
class Growing:
    collection: OpenCollection[Any]
    settings: Collection
    size = 0

    def cut(self, size: int) -> None:
        """Nothing: a document that is put again is the same."""

    def append(self, operations: Sequence[Operation]) -> None:
        if operations:
            with told(self.settings.url, place(self.settings), "written"):
                self.collection.bulk_write(operations, ordered=False)

    def sync(self) -> None:
        """Nothing: the server has acknowledged what was put."""


def _collection(client: MongoClient[Any], settings: Collection) -> OpenCollection[Any]:
    return Query(settings, None).collection(client)


def collection_of(settings: Collection, name: str) -> Collection:
    """Another collection of the same database; TableError when no database is named."""
    if settings.database is None:
        raise TableError("mongodb.database is missing", "Name it in slipway.yaml, or as SLIPWAY_MONGODB_DATABASE")
    if not name:
        raise TableError("mongodb: names no collection", "Write mongodb:COLLECTION")
    return replace(settings, collection=name)


def open_documents(settings: Collection, location: str, needed: tuple[str, ...], added: tuple[str, ...]) -> Source:
    """The documents of a collection, whole; its names are those that an answer cannot have."""
    batches = open_collection(settings, needed)  # also tells that the collection is there
    require_columns(f"{location}:", batches.names, needed)
    names = _names_taken(settings, batches.names, added)
    added, rows = fresh_names(added, names), batches.rows or 0
    part = Documents(settings, location, needed, added, rows)
    identity = [place(settings), json_util.dumps(settings.filter), dict(settings.fields), list(added)]
    return Source(location, names, (part,), (rows,), identity)


def _names_taken(settings: Collection, names: tuple[str, ...], added: tuple[str, ...]) -> tuple[str, ...]:
    """These names, and those like `added` that any document has; all are asked for at once, as each question reads all."""
    with connect(server_url(settings), settings.url) as client, told(settings.url, place(settings)):
        found = _collection(client, settings)
        while True:
            fresh = fresh_names(added, names)
            asked = {"$or": [{name: {"$exists": True}} for name in fresh]}
            document = found.find_one({"$and": [settings.filter, asked]}) or {}
            taken = tuple(name for name in fresh if name in document)
            if not taken:
                return names
            names += taken


def open_cells(settings: Collection, location: str, needed: tuple[str, ...]) -> Source:
    """The columns of a collection, and its _id."""
    names = tuple(dict.fromkeys(("_id", *open_collection(settings).names)))
    require_columns(f"{location}:", names, needed)
    batches = open_collection(settings, names)
    part = Typed(location, batches.rows, batches.names, batches.read)
    return Source(location, batches.names, (part,), (batches.rows or 0,), None, batches.consistent)
