"""What a problem's source, or a location on the command line, names: files, objects in S3, or a collection."""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

from slipway.problem import MONGODB, Problem
from slipway.sources.batches import Batches
from slipway.sources.paths import S3, files_at, source_files

if TYPE_CHECKING:
    from slipway.sources.files import Part


def open_source(problem: Problem, columns: Collection[str] | None = None, without: Collection[str] = ()) -> Batches:
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
    if MONGODB in problem.source:
        from slipway.sources.mongodb import open_collection

        return open_collection(problem.mongodb, columns, without)
    from slipway.sources.files import file_parts, open_parts

    return open_parts([
        part for source in problem.source
        for part in (_objects(source) if source.startswith(S3) else file_parts(source_files(problem, source)))
    ], columns)


def open_location(location: str, folder: Path, columns: Collection[str] | None = None) -> Batches:
    """The table at one place: a file or a glob relative to `folder`, or ``s3://bucket/key`` with a glob in its key.

    `columns` and what is raised are those of `open_source`.
    """
    from slipway.sources.files import file_parts, open_parts

    parts = _objects(location) if location.startswith(S3) else file_parts(files_at(location, folder))
    return open_parts(parts, columns)


def _objects(location: str) -> list["Part"]:
    from slipway.sources.s3 import object_part, objects  # boto3 takes a while

    return [object_part(found) for found in objects(location)]
