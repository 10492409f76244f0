"""From a table to the documents of a MongoDB collection; a second run of the same table changes nothing.

The _id of a document comes from its row: it is the cells of the id columns, or else a hash of the row, so that a run that was
cut off is finished by the next one. Equal rows are numbered, so that true duplicates are kept.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from hashlib import blake2b
from itertools import islice
from typing import Any

import numpy as np
import pyarrow
from bson import Decimal128, ObjectId
from pyarrow import types
from pymongo import ASCENDING, DESCENDING, ReplaceOne
from pymongo.collection import Collection
from pymongo.errors import BulkWriteError

from slipway.errors import TableError
from slipway.problem import Problem
from slipway.sources.batches import Batches
from slipway.table.cell import USUAL, Reader, problem_reader
from slipway.table.identity import key_of
from slipway.table.texts import Texts

WRITTEN = 1_000  # documents of one call
DUPLICATE = 11000  # code of an _id, or of another unique key, that is there
PLAIN = (
    types.is_integer,
    types.is_floating,
    types.is_boolean,
    types.is_string,
    types.is_large_string,
    types.is_string_view,
    types.is_null,
)
Columns = dict[str, list[Any]]
Document = dict[str, Any]


@dataclass(frozen=True)
class Loaded:
    """How many rows became new documents, changed those there were, or were there already."""

    new: int
    changed: int
    same: int


@dataclass(frozen=True)
class Survey:
    """What a first look at the whole table tells: its rows, its columns of text, and the short hashes that rows share."""

    rows: int
    texts: dict[str, Texts]
    shared: frozenset[int]


def load(
    batches: Batches,
    collection: Collection[Document],
    ids: Sequence[str],
    problem: Problem | None,
    progress: Callable[[int, int], None],
) -> Loaded:
    """Write each row of a table as a document.

    Parameters
    ----------
    batches : Batches
        Read twice: the cells of CSV become numbers and dates, and nobody knows before its end whether all of a column is.
    collection : Collection
    ids : sequence of str
        Columns that name a row; without any, a row is named by all of its cells.
    problem : Problem or None
        Says how cells are written, and which columns are categories, whose texts stay as they are.
    progress : callable
        (rows written, rows) → None.

    Raises
    ------
    TableError
        Before anything is written: a column that no document can have, a row without id, two rows with one id, documents
        whose _id does not come from `ids`.
        PyMongoError when the server refuses or is lost.
    """
    _check_names(batches.names, ids)
    _check_documents(collection, ids)
    survey = _survey(batches, ids, problem)
    new = changed = done = 0
    documents = _documents(batches, survey, ids)
    while part := list(islice(documents, WRITTEN)):
        added, replaced = _write(collection, part)
        new, changed, done = new + added, changed + replaced, done + len(part)
        progress(done, survey.rows)
    return Loaded(new, changed, done - new - changed)


def _write(collection: Collection[Document], documents: list[Document]) -> tuple[int, int]:
    """Insert the documents, and replace those that are there (which alone would be several times slower)."""
    try:
        return len(collection.insert_many(documents, ordered=False).inserted_ids), 0
    except BulkWriteError as error:
        refused = error.details["writeErrors"]
        if any(each["code"] != DUPLICATE for each in refused):
            raise
    there = [documents[each["index"]] for each in refused]
    result = collection.bulk_write([ReplaceOne({"_id": each["_id"]}, each, upsert=True) for each in there], ordered=False)
    return len(documents) - len(there) + result.upserted_count, result.modified_count


def _check_names(names: Sequence[str], ids: Sequence[str]) -> None:
    for name in ids:
        if name not in names:
            raise TableError(f"--id: the table has no column {name!r}", f"It has {', '.join(names[:20])}")
    if "_id" in names and tuple(ids) != ("_id",):
        raise TableError("the table has a column _id, which is what names a document in MongoDB", "Load it with --id _id")
    for name in names:
        if "." in name or name.startswith("$") or "\0" in name:
            cure = "MongoDB reads a dot as a path and $ as an operator: rename the column"
            raise TableError(f"column {name!r}: is no name of a field", cure)


def _check_documents(collection: Collection[Document], ids: Sequence[str]) -> None:
    """TableError when an _id comes from other columns: each row would become a second document.

    MongoDB sorts an _id by its type first, so the first and the last tell whether all are ObjectIds.
    """
    for direction in (ASCENDING, DESCENDING):
        there = collection.find_one(projection=["_id", *ids], sort=[("_id", direction)])
        if there and not _is_named_by(there, ids):
            way = f"--id {' --id '.join(ids)}" if ids else "a load without --id"
            says = f"{collection.full_name}: has a document with _id {repr(there['_id'])[:60]}, which is not from {way}"
            cure = "Each row would be added again. Use the --id columns of the first load, in their order"
            raise TableError(says, cure)


def _is_named_by(document: Document, ids: Sequence[str]) -> bool:
    if not ids:
        return isinstance(document["_id"], ObjectId)
    named = _name_of(document, ids)
    if document["_id"] != named:
        return False
    return not isinstance(named, Mapping) or [*document["_id"]] == [*named]  # MongoDB: another order is another _id


def _name_of(document: Document, ids: Sequence[str]) -> Any:
    """The _id of a document that is named by these of its fields."""
    return document.get(ids[0]) if len(ids) == 1 else {name: document.get(name) for name in ids}


def _survey(batches: Batches, ids: Sequence[str], problem: Problem | None) -> Survey:
    reader, types_of = (partial(problem_reader, problem), problem.types) if problem else (_plainly, {})
    texts = {name: Texts(reader(name), types_of.get(name) == "category") for name in (batches.names if batches.texts else ())}
    hashes, rows, loosely = array("Q"), 0, _loosely(reader)
    for columns in _pieces(batches):
        for name, column in texts.items():
            column.see(columns[name])
        for row, key in enumerate(_keys(columns, ids, loosely) if ids else _keys(columns, ids), rows + 1):
            if not key:
                raise TableError(f"row {row:,}: has no id ({', '.join(ids)})", "Every row needs one; or load without --id")
            hashes.append(_short(key))
        rows = len(hashes)
    if not rows:
        raise TableError("the table has no rows")
    ordered = np.frombuffer(hashes, np.uint64)
    ordered.sort()  # in place: 8 bytes a row are all that is kept of it
    shared = frozenset(ordered[1:][ordered[1:] == ordered[:-1]].tolist())
    survey = Survey(rows, texts, shared)
    if ids and shared:
        _check_ids(batches, ids, survey, loosely)
    return survey


def _check_ids(batches: Batches, ids: Sequence[str], survey: Survey, loosely: Callable[[str, Any], str]) -> None:
    """TableError when two rows have one id; those whose short hashes are shared may just be alike, or have met by chance."""
    seen: dict[tuple[Any, ...], int] = {}
    row = 0
    for columns in _pieces(batches):
        keys = list(_keys(columns, ids, loosely))
        for key, named in zip(keys, zip(*(_valued(columns[name], survey.texts.get(name)) for name in ids))):
            row += 1
            if _short(key) in survey.shared and seen.setdefault(named, row) != row:
                shown = ", ".join(map(str, named))[:60]
                says = f"rows {seen[named]:,} and {row:,} have the same id ({', '.join(ids)}: {shown})"
                raise TableError(says, "An id names one row; name more columns, or load without --id")


def _valued(cells: list[Any], texts: Texts | None) -> list[Any]:
    return texts.values(cells) if texts else cells


def _documents(batches: Batches, survey: Survey, ids: Sequence[str]) -> Iterator[Document]:
    met: Counter[bytes] = Counter()
    for columns in _pieces(batches):
        keys = list(_keys(columns, ids))  # of the cells as they were read
        for name, texts in survey.texts.items():
            columns[name] = texts.values(columns[name])
        for key, cells in zip(keys, zip(*columns.values())):
            document = dict(zip(columns, cells))
            if ids:
                named = _name_of(document, ids)
            else:
                named = _hashed(key, met[key])
                if _short(key) in survey.shared:
                    met[key] += 1
            yield {"_id": named} | document


def _keys(
    columns: Columns, ids: Sequence[str], seen_as: Callable[[str, Any], Any] = lambda name, cell: cell
) -> Iterator[bytes]:
    """What names each row: the cells of its id columns, or of all, whatever their order; empty where an id cell is missing."""
    chosen = sorted(ids or columns)
    for cells in zip(*(columns[name] for name in chosen)):
        if ids and any(USUAL.text(cell) is None for cell in cells):
            yield b""
        else:
            yield ascii([*zip(chosen, map(seen_as, chosen, cells))]).encode()


def _plainly(name: str) -> Reader:
    return USUAL


def _loosely(reader: Callable[[str], Reader]) -> Callable[[str, Any], str]:
    """The same for all cells that may become one value in MongoDB, to which 1, 1.0 and the texts "1 " and "1.0" may be one."""
    readers = cache(reader)
    return lambda name, cell: key_of(readers(name).text(cell) or "")


def _short(key: bytes) -> int:
    return int.from_bytes(blake2b(key, digest_size=8).digest())


def _hashed(key: bytes, number: int) -> ObjectId:
    """The _id of the row with this key that has `number` equal ones before it."""
    return ObjectId(blake2b(key, digest_size=12, salt=number.to_bytes(8)).digest())


def _pieces(batches: Batches) -> Iterator[Columns]:
    """The cells of each batch by column, as BSON can have them."""
    for batch in batches.read():
        yield {name: _cells(name, batch.column(name)) for name in batches.names}


def _cells(name: str, column: pyarrow.Array) -> list[Any]:
    """The cells as BSON can have them; TableError when there is one that it cannot have."""
    kind = column.type
    try:
        if types.is_dictionary(kind):
            return _cells(name, column.cast(kind.value_type))
        if types.is_date(kind) or types.is_timestamp(kind):  # a date of BSON has milliseconds
            return _listed(column.cast(pyarrow.timestamp("ms", getattr(kind, "tz", None)), safe=False))
        if types.is_decimal(kind):
            return [None if cell is None else Decimal128(cell) for cell in column.to_pylist()]
        if types.is_float32(kind):  # 0.1, not 0.10000000149011612
            return [None if cell is None else float(str(np.float32(cell))) for cell in column.to_pylist()]
        if types.is_uint64(kind):
            return _listed(column.cast(pyarrow.int64()))
    except (ValueError, ArithmeticError) as error:
        cure = "It has dates of the years 1 to 9999, whole numbers below 2^63, and decimals of up to 34 digits"
        raise TableError(f"column {name!r}: has a cell of {kind} that MongoDB cannot have", cure) from error
    if not any(is_kind(kind) for is_kind in PLAIN):
        raise TableError(f"column {name!r}: is {kind}, which no column of a table can be", "Make it numbers, texts or dates")
    return _listed(column)


def _listed(column: pyarrow.Array) -> list[Any]:
    cells: list[Any] = column.to_pylist()
    return cells
