"""A MongoDB collection as record batches: the fields that are needed, from one snapshot where there are any."""

from collections.abc import Collection, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pyarrow

from slipway import problem, sections
from slipway.errors import TableError
from slipway.sources.batches import Batches, gathered
from slipway.sources.bson_cells import Column, Misfit
from slipway.sources.mongodb_query import Answer, Query, decoded, field_missing, has, nothing_found
from slipway.sources.mongodb_server import connect, place, server_url, told

__all__ = ["UnfitField", "connect", "open_collection", "place", "server_url", "told"]

CURE = (
    "Name the columns to read in mongodb.fields, a part of an object by its dotted path; or leave such documents out by "
    "mongodb.filter"
)
NO_SNAPSHOT = (
    "The server gives no snapshot of {}, as only a replica set does: what is written to it during the read may or may not be "
    "in the table"
)


class UnfitField(TableError):
    """A field that cannot be a column; `field` and `why` tell which one."""

    def __init__(self, field: str, why: str, cause: str) -> None:
        super().__init__(cause, CURE)
        self.field, self.why = field, why


@dataclass(frozen=True)
class MongoCollection:
    """The collection that a problem's section ``mongodb`` names."""

    described: problem.Problem

    @property
    def where(self) -> str:
        return place(self.described.mongodb)

    @property
    def variables(self) -> tuple[str, ...]:
        return (self.described.mongodb.url,)

    def open(self, columns: Collection[str] | None = None, without: Collection[str] = ()) -> Batches:
        return open_collection(self.described.mongodb, columns, without)

    def fingerprint(self) -> None:
        """A server does not tell whether a collection changed."""

    def ping(self) -> None:
        with connect(server_url(self.described.mongodb), self.described.mongodb.url):
            return


def open_collection(
    settings: sections.Collection,
    columns: Collection[str] | None = None,
    without: Collection[str] = (),
    server: str = "",
) -> Batches:
    """The documents of a collection as a table, as they lie there; by _id when there is a filter, or the server has shards.

    Parameters
    ----------
    settings : Collection
        The columns are its `fields`; without any, the fields of the first 500 documents, ``_id`` left out.
    columns : collection of str, optional
        Read only those of them that there are. ``_id`` can be named too.
    without : collection of str
        All other columns that are known, when the settings name no `fields`: a field that is none of them is an error.
    server : str, optional
        The URL of the server, when it is not in the settings' variable.

    Raises
    ------
    ProblemError
        When the variable with the URL is not set, or its URL is none.
    TableError
        When the server cannot be reached or refuses, when there is no such database, collection or field, or no document;
        while reading, when the connection is lost, or UnfitField when a value does not fit its column.
    """
    away = () if settings.fields else tuple(name for name in without if not name.startswith("$"))  # an operator, to MongoDB
    query = Query(settings, None if away else _asked(settings, columns), away, server)
    with told(settings.url, query.place):
        answer = Answer(query)
        paths = _paths(answer)
        rows = answer.count()
    says = "" if answer.session else NO_SNAPSHOT.format(query.place)
    begun = [answer]  # the first read goes on with it, the next ones ask anew
    del answer
    return Batches(tuple(paths), rows, lambda: _read(query, paths, begun), says)


def _asked(settings: sections.Collection, columns: Collection[str] | None) -> dict[str, str] | None:
    """Column → dotted path, as far as the settings and the caller say it."""
    if columns is None:
        return dict(settings.fields) or None
    fields = settings.fields or {name: name for name in columns}
    asked = {name: path for name, path in fields.items() if name in columns}
    return {"_id": "_id"} | asked if "_id" in columns else asked


def _paths(answer: Answer) -> dict[str, str]:
    """Column → dotted path of the columns that there are; TableError when a field of the settings is missing."""
    query, head = answer.query, answer.head()
    if not head:
        raise nothing_found(answer)
    names = dict.fromkeys(name for document in head for name in document)
    if query.paths is None:
        paths = {name: name for name in names}
    else:
        absent = {
            name
            for name, path in query.paths.items()
            if not any(has(document, path) for document in head) and not answer.exists(path)
        }
        for name in absent & query.settings.fields.keys():
            raise field_missing(answer, name, query.paths[name])
        found = query.paths.keys() - absent
        ordered = [*query.paths] if query.settings.fields else [*names, *query.paths]
        paths = {name: query.paths[name] for name in ordered if name in found}
    if not paths:
        raise TableError(f"{query.settings.url}: {query.place} has none of the fields that are asked for")
    return paths


def _read(query: Query, paths: dict[str, str], begun: list[Answer]) -> Iterator[pyarrow.RecordBatch]:
    with told(query.settings.url, query.place):
        answer = begun.pop() if begun else Answer(query)
        try:
            columns = [Column(name, path) for name, path in paths.items()]
            yield from gathered(_pieces(answer, columns), columns)
        except Misfit as misfit:
            says = f"{query.place}: field {paths.get(misfit.name, misfit.name)}: in {answer.name(misfit.row)} {misfit.says}"
            raise UnfitField(misfit.name, misfit.says, says) from None
        finally:
            answer.close()


def _pieces(answer: Answer, columns: list[Column]) -> Iterator[list[pyarrow.Array]]:
    known = frozenset(column.name for column in columns)
    start = 0
    with closing(_ahead(answer)) as answers:
        for documents in decoded(answers):
            try:
                if answer.query.paths is None:
                    _check_known(documents, known)
                yield [each.cells(documents) for each in columns]
            except Misfit as misfit:
                raise Misfit(misfit.name, start + misfit.row, misfit.says) from None
            start += len(documents)


def _ahead(answer: Answer) -> Generator[bytes, None, None]:
    """The parts of an answer; the next one is fetched while this one is used."""
    with ThreadPoolExecutor(1) as worker:
        part: bytes | None = answer.first
        while part:
            coming = worker.submit(next, answer.cursor, None)
            yield part
            part = coming.result()


def _check_known(documents: list[dict[str, Any]], known: frozenset[str]) -> None:
    """Misfit when a document has a field that is no column."""
    if all(map(known.issuperset, documents)):
        return
    for row, document in enumerate(documents):
        for name in document.keys() - known:
            raise Misfit(name, row, "it first appears, too late to become a column")
