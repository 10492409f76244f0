"""Where a table comes from: the one protocol of all sources, and the list of them."""

from collections.abc import Collection, Iterable
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Protocol, cast, runtime_checkable

from slipway.errors import TableError
from slipway.problem import LOG, MONGODB, SPARK, Problem
from slipway.sources.local_files import LocalFiles

if TYPE_CHECKING:
    from slipway.sources.batches import Batches
    from slipway.sources.files import Part

S3 = "s3://"

# How an address begins → the files there, made from (location). What is none of these is a path.
PLACES = {
    S3: "slipway.sources.s3:S3Objects",
}
# An entry of `source`, or how it begins → the table that other settings describe, made from (problem).
TABLES = {
    MONGODB: "slipway.sources.mongodb:MongoCollection",
    SPARK: "slipway.sources.spark:SparkTable",
    # by name alone: the monitor stands above this room, which therefore must not import it
    LOG: "slipway.monitoring.returned:LogSource",
}


class Source(Protocol):
    """Where a table comes from."""

    @property
    def where(self) -> str:
        """What messages call it."""

    @property
    def variables(self) -> tuple[str, ...]:
        """The environment variables that must be set before it can be read."""

    def open(self, columns: Collection[str] | None = None, without: Collection[str] = ()) -> "Batches":
        """The table; the parameters and what is raised are those of `open_source`."""

    def fingerprint(self) -> Iterable[bytes] | None:
        """Bytes that differ when the table does, told without reading it as one; None when nothing tells that."""

    def ping(self) -> None:
        """Ask it for a sign of life; TableError or ProblemError when there is none."""


@runtime_checkable
class Files(Source, Protocol):
    """A source of files, which together with those of other sources may be one table."""

    def parts(self) -> list["Part"]:
        """The files, sorted; TableError when there is none."""


@runtime_checkable
class Supplement(Source, Protocol):
    """A source that can be added to a table of files."""

    def beside(self, files: "Batches") -> "Batches":
        """The table of the files, and after its rows those of this source that are not among them."""


def sources_of(problem: Problem) -> list[Source]:
    """What the entries of a problem's source name, in their order; nothing is asked or read yet."""
    return [_source_of(entry, problem) for entry in problem.source]


def _source_of(entry: str, problem: Problem) -> Source:
    made = TABLES.get(SPARK if entry.startswith(SPARK) else entry)
    return cast(Source, resolve_name(made)(problem)) if made else files_at(entry, problem.folder, "source")


def files_at(location: str, folder: Path, setting: str = "") -> Files:
    """Files at one place: a path or a glob relative to `folder`, or ``s3://bucket/key`` with a glob in its key.

    `setting` is what names the place in slipway.yaml; empty for an argument of a command.
    """
    scheme, separator, _ = location.partition("://")
    if found := PLACES.get(scheme + separator):
        return cast(Files, resolve_name(found)(location))
    return LocalFiles(location, folder, setting)


def open_source(problem: Problem, columns: Collection[str] | None = None, without: Collection[str] = ()) -> "Batches":
    """The table that a problem's source names.

    Parameters
    ----------
    problem : Problem
    columns : collection of str, optional
        Read only those of them that the table has; all columns when absent.
    without : collection of str
        The columns that the table was found to have besides: one that is neither of these nor of `columns` is news.

    Raises
    ------
    TableError
        When a part of the source is not there, cannot be opened, or has other columns than the rest.
    """
    sources = sources_of(problem)
    if len(sources) == 1:
        return sources[0].open(columns, without)
    from slipway.sources.files import open_parts

    parts: list[Part] = []
    supplements = []
    for source in sources:
        if isinstance(source, Supplement):
            supplements.append(source)
        elif isinstance(source, Files):
            parts += source.parts()
        else:
            raise TableError(f"source: {source.where} cannot be one table together with other entries", "Name it alone")
    table = open_parts(parts, columns)
    for source in supplements:
        table = source.beside(table)
    return table


def open_location(location: str, folder: Path, columns: Collection[str] | None = None) -> "Batches":
    """The table of the files at one place, as `files_at` and `open_source` have it."""
    return files_at(location, folder).open(columns)
