"""The one form in which every source is read: record batches, one after another, in bounded memory."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow

from slipway.errors import TableError
from slipway.problem import MONGODB, Problem
from slipway.sources.paths import S3, files_at, source_files

if TYPE_CHECKING:  # who scores a table needs no pandas, which takes a while to load and 30 MB
    import pandas as pd


@dataclass(frozen=True)
class Batches:
    """A table that is read batch by batch, in bounded memory.

    Parameters
    ----------
    names : tuple of str
        The columns, in order.
    rows : int or None
        About how many, for a progress bar; None when it is not known.
    read : callable
        () → iterator of record batches of about 2^16 rows; each call starts anew. The cells of CSV are text, as are those
        of Parquet next to it; those of other sources are typed. A column may differ in type between batches:
        `pyarrow.concat_tables` with ``promote_options="permissive"`` finds the type of all of them. TableError when a
        part cannot be read.
    consistent : str
        Empty, or one sentence: why this is no consistent snapshot.
    texts : bool
        Whether some of it is CSV, so that all cells are text whatever they say.
    """

    names: tuple[str, ...]
    rows: int | None
    read: Callable[[], Iterator[pyarrow.RecordBatch]]
    consistent: str = ""
    texts: bool = False


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


def _objects(location: str) -> list:
    from slipway.sources.s3 import object_part, objects  # boto3 takes a while

    return [object_part(found) for found in objects(location)]


def frame_of(batches: Batches, where: str) -> "pd.DataFrame":
    """The whole table as one frame; TableError naming `where` when it has no rows."""
    table = one_table(list(batches.read()), batches.names, where)
    # each column is let go as soon as pandas has it
    return table.to_pandas(split_blocks=True, self_destruct=True, date_as_object=False)


def one_table(read: list[pyarrow.RecordBatch], names: Collection[str], where: str) -> pyarrow.Table:
    """Batches that were read as one table, each column of the type that holds all of it; TableError when there are no rows."""
    tables = [
        pyarrow.Table.from_batches([batch]).select(list(names)).replace_schema_metadata() for batch in read if batch.num_rows
    ]
    if not tables:
        raise TableError(f"{where}: has columns but no rows")
    try:
        return pyarrow.concat_tables(tables, promote_options="permissive")
    except pyarrow.ArrowException as error:
        raise TableError(f"{where}: a column is of different types in different parts ({error})") from error
