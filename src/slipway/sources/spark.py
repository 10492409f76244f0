"""A table of a Spark cluster: projected and sampled there, so that only what is learned from comes to this machine."""

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import TYPE_CHECKING

import pyarrow

from slipway.errors import TableError
from slipway.problem import SPARK, Problem
from slipway.sources import spark_rows
from slipway.sources.batches import Batches
from slipway.sources.spark_session import session, told
from slipway.sources.spark_workers import mapped

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

QUERY = re.compile(r"(?:select|with)\b", re.IGNORECASE)
SHOWN = 60  # characters of a query in a message
PLACES = "Name a table as catalog.schema.table, a path with a slash in it, such as ./visits, or a SELECT"
CELLS = 500_000  # of one partition of a sample, about: 4 MB of numbers


@dataclass(frozen=True)
class SparkTable:
    """The table that ``source: spark:…`` names: a table of the catalogue, a query, or the path of Parquet files."""

    described: Problem

    @property
    def _named(self) -> str:
        return self.described.source[0].removeprefix(SPARK).strip()

    @property
    def where(self) -> str:
        named = " ".join(self._named.split())
        return SPARK + (named if len(named) <= SHOWN else f"{named[: SHOWN - 1]}…")

    @property
    def variables(self) -> tuple[str, ...]:
        return ()

    def open(self, columns: Collection[str] | None = None, without: Collection[str] = ()) -> Batches:
        frame = self.frame(columns)
        rows = ClusterRows(frame, self.where)
        return Batches(tuple(frame.columns), None, rows.read, preselect=rows)

    def fingerprint(self) -> None:
        """What would tell whether it changed differs by catalogue and format."""

    def ping(self) -> None:
        session(self.described.spark.master)

    def frame(self, columns: Collection[str] | None = None) -> "DataFrame":
        """The table as a DataFrame, lazy, with those of `columns` that it has, in its own order.

        Raises
        ------
        TableError
            When there is no such table, Spark cannot read it, or it has none of the columns.
        """
        spark = session(self.described.spark.master)
        with _told(self.where):
            if (named := self._named) and QUERY.match(named):
                # as a part of another query it cannot be a command, which Spark would run at once
                frame = spark.sql(f"SELECT * FROM (\n{named.rstrip('; ')}\n)")
            elif "/" in named and "`" not in named:
                frame = spark.read.parquet(named if "://" in named else str(self.described.folder / named))
            else:
                frame = _catalogued(spark, named)
        _require_distinct(frame.columns, self.where)
        chosen = [name for name in frame.columns if columns is None or name in columns]
        if not chosen:
            raise TableError(f"{self.where}: has none of the columns {', '.join(sorted(columns or ()))}")
        return frame.drop(*(name for name in frame.columns if name not in chosen))


@dataclass(frozen=True)
class ClusterRows:
    """The rows of a DataFrame, read as record batches."""

    frame: "DataFrame"
    where: str

    @cached_property
    def total(self) -> int:
        with _told(self.where):
            counted: int = self.frame.count()
        return counted

    def read(self) -> Iterator[pyarrow.RecordBatch]:
        """All rows, one partition of the table after the other."""
        return self._received(self._sent(spark_rows.choice((), spark_rows.EVERY)))

    def below(self, key: Sequence[str], limit: int) -> Iterator[pyarrow.RecordBatch]:
        """The rows whose hash of `key` is below `limit`, chosen by all workers at once."""
        share = limit / spark_rows.EVERY
        parts = 1 + int(self.total * share * len(self.frame.columns)) // CELLS
        # by way of files on the workers: what is asked for part by part would otherwise be computed part by part
        return self._received(self._sent(spark_rows.choice(key, limit)).repartition(parts))

    def _sent(self, choice: bytes) -> "DataFrame":
        return mapped(self.frame, "slipway.sources.spark_rows:parcels", choice, "rows binary")

    def _received(self, parcels: "DataFrame") -> Iterator[pyarrow.RecordBatch]:
        with _told(self.where):
            for row in parcels.toLocalIterator():
                yield from spark_rows.opened(row.rows)


def _catalogued(spark: "SparkSession", named: str) -> "DataFrame":
    from pyspark.errors import AnalysisException

    try:
        return spark.table(named)
    except AnalysisException as error:
        if error.getCondition() != "TABLE_OR_VIEW_NOT_FOUND":
            raise
    schema, _, name = named.rpartition(".")
    known = [table.name for table in spark.catalog.listTables(schema or None)]
    close = get_close_matches(name, known, 1, 0.6)
    raise TableError("there is no such table", f"Did you mean {close[0]}?" if close else PLACES)


@contextmanager
def _told(where: str) -> Iterator[None]:
    """What Spark refuses, in one line that names the table."""
    try:
        with told():
            yield
    except TableError as error:
        raise TableError(f"{where}: {error.cause}", error.cure) from error


def _require_distinct(names: Sequence[str], where: str) -> None:
    """TableError when two columns cannot be told apart."""
    counts = Counter(name.lower() for name in names)
    if alike := [name for name in names if counts[name.lower()] > 1]:
        says = f"{where}: has columns {', '.join(map(repr, alike[:2]))}, which Spark cannot tell apart"
        raise TableError(says, 'Rename one of them, e.g. in a query: source: "spark:SELECT a AS b, … FROM …"')
