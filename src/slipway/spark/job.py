"""`slipway predict --spark`: a table of a cluster, answered once, and both parts of it put in their places."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, TypeAlias
from urllib.parse import urlsplit

from slipway.batch.open import FOLDER
from slipway.batch.place import alone, state
from slipway.errors import TableError
from slipway.problem import Problem
from slipway.sources.files import CSV, PARQUET
from slipway.sources.spark_session import told
from slipway.spark import predict
from slipway.spark.catalogue_table import CatalogueTable, beside
from slipway.spark.hadoop_folder import HadoopFolder, folder_at
from slipway.store.local import open_store

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TABLE = "spark:"
REJECTED = "slipway_rejected"  # the column that divides the rows
SETTINGS = {
    "spark.sql.maxConcurrentOutputFileWriters": "2",  # one for each part, so that no row is sorted
    "spark.sql.sources.partitionOverwriteMode": "static",  # all rows of a table are replaced, also those of other partitions
}
SECONDS = 10.0  # for tasks to end in
LOOK = 0.2  # seconds between two looks
Place: TypeAlias = HadoopFolder | CatalogueTable


@dataclass(frozen=True)
class Request:
    """What is to be scored.

    Parameters
    ----------
    location, out : str
        A Parquet file or folder, or ``spark:`` and the name of a table.
    rejects : str or None
        The same for the rows that cannot be answered; by default beside OUT.
    digest : str or None
        The start of a bundle's digest; None for the champion's.
    strict : bool
        Whether a row that cannot be answered ends it.
    level : float or None
        Of the prediction intervals to write beside the predictions.
    """

    location: str
    out: str
    rejects: str | None = None
    digest: str | None = None
    strict: bool = False
    level: float | None = None

    @property
    def refused(self) -> str:
        """Where the rows go that cannot be answered."""
        return self.rejects or default_rejects(self.out)


@dataclass(frozen=True)
class Counts:
    """The rows that were written."""

    scored: int
    rejected: int


def score_table(session: "SparkSession", problem: Problem, request: Request) -> Counts:
    """Answer each row of a table on the cluster, and write the answered rows and the others to their places.

    A place has what it had before until all rows are answered.

    Parameters
    ----------
    session : SparkSession
        Whose settings for writing are changed.
    problem : Problem
    request : Request

    Raises
    ------
    SlipwayError
        When there is no such bundle, the table cannot be read or answered, or a place not be written. With ``strict`` also
        when a row cannot be answered.
    """
    for each in (request.location, request.out, request.refused):
        _require_parquet(each)
    with told():
        for name, value in SETTINGS.items():
            session.conf.set(name, value)
        out, rejects = (_place(session, each) for each in (request.out, request.refused))
        table = _table(session, request.location)
        _require_apart(request.location, table, out, rejects)
        folder = open_store(problem.folder).root / FOLDER
        locks = [state(each.identity, folder).with_suffix(".lock") for each in (out, rejects)]
        with alone(locks[0], out.location), alone(locks[1], rejects.location), _tidied(session, out, rejects):
            return _score(table, problem, request, out, rejects)


def _score(table: "DataFrame", problem: Problem, request: Request, out: Place, rejects: Place) -> Counts:
    from pyspark.sql import Observation
    from pyspark.sql import functions as sql

    read = Observation()
    observed = table.observe(read, sql.count(sql.lit(1)).alias("rows"))
    answered = predict(observed, problem, request.digest, request.level)
    *beside, warning, reason = answered.columns[len(table.columns) :]
    if request.strict:
        failing = sql.when(answered[reason] != "", sql.raise_error(answered[reason])).otherwise(answered[reason])
        answered = answered.withColumn(reason, failing)
    why = sql.when(answered[reason] != "", answered[reason]).otherwise(answered[warning])
    divided = answered.select("*", (answered[reason] != "").alias(REJECTED)).withColumn(warning, why).drop(reason)
    with _stopped_by_a_row(request):
        staged = out.stage(divided, REJECTED)  # OUT has no reasons, the rejects no warnings: until then one column holds both
    counts = _counts(staged)
    if (written := counts.scored + counts.rejected) != (rows := read.get["rows"]):
        told = f"{out.location}: {written:,} of {rows:,} rows arrived there"
        raise TableError(told, "Name a place that all workers and this machine share")
    if not rows:
        raise TableError(f"{request.location}: has no rows")
    rejects.put(staged.where(staged[REJECTED]).drop(*beside, REJECTED).withColumnRenamed(warning, reason))
    out.put_staged(staged, REJECTED)
    return counts


@contextmanager
def _stopped_by_a_row(request: Request) -> Iterator[None]:
    """What `_score` raises on the cluster, as an error of the row."""
    from pyspark.errors import PySparkException

    try:
        yield
    except PySparkException as error:
        if not (request.strict and error.getCondition() == "USER_RAISED_EXCEPTION"):
            raise
        why = (error.getMessageParameters() or {})["errorMessage"]
        raise TableError(f"{request.location}: {why}", "Without --strict such rows go to a place of their own") from error


def _counts(staged: "DataFrame") -> Counts:
    found: dict[bool, int] = dict(staged.groupBy(REJECTED).count().collect())
    return Counts(found.get(False, 0), found.get(True, 0))


def default_rejects(out: str) -> str:
    """Beside OUT: ``scored.parquet`` has ``scored.rejects.parquet``, another folder NAME.rejects, a table NAME_rejects."""
    if _table_name(out):
        return beside(out, "_rejects")
    out = out.rstrip("/")
    name, dot, ending = out.rpartition(".")
    return f"{name}.rejects.{ending}" if f"{dot}{ending}".lower() in PARQUET else f"{out}.rejects"


def _require_parquet(location: str) -> None:
    if location.lower().endswith(CSV):
        raise TableError(f"{location}: with --spark only Parquet and tables are read and written", "Leave --spark out for CSV")


def _table_name(location: str) -> str:
    """That of the catalogue; empty for a path, with ``spark:`` before it or without, as `source` has it."""
    name = location.removeprefix(TABLE)
    return "" if name == location or "/" in name and "`" not in name else name


def _place(session: "SparkSession", location: str) -> Place:
    if name := _table_name(location):
        return CatalogueTable(session, name)
    return folder_at(session, location.removeprefix(TABLE))


def _table(session: "SparkSession", location: str) -> "DataFrame":
    if name := _table_name(location):
        return session.table(name)
    return session.read.parquet(location.removeprefix(TABLE))


def _require_apart(location: str, table: "DataFrame", out: Place, rejects: Place) -> None:
    """TableError when what is read would be written to."""
    source = _place(table.sparkSession, location).identity
    first = next(iter(table._jdf.inputFiles()), "")
    for name, place in (("OUT", out), ("the table of rejects", rejects)):
        written = place.identity
        if fnmatchcase(written, source) or _within(written, source) or first and _within(first, written):
            raise TableError(f"{place.location}: {name} would overwrite IN, or lies in it", "Write to another place")
    if out.identity == rejects.identity:
        raise TableError(f"{out.location}: is OUT and the table of rejects", "Name another one with --rejects")


def _within(inner: str, outer: str) -> bool:
    (scheme, host, path, *_), (*root, folder, _, _) = urlsplit(inner), urlsplit(outer)
    return [scheme, host] == root and f"{path}/".startswith(f"{folder}/")


@contextmanager
def _tidied(session: "SparkSession", *places: Place) -> Iterator[None]:
    """Begin without the remains of a run that was killed, and leave none however this one ends."""
    for place in places:
        place.tidy()
    try:
        yield
    except BaseException:
        with suppress(Exception):  # the cluster may be what failed; then the next run tidies
            _wait_for_tasks(session)
            for place in places:
                place.tidy()
        raise


def _wait_for_tasks(session: "SparkSession") -> None:
    """Tasks end a moment after their job was cancelled, and until then they write."""
    tracker = session.sparkContext._jsc.sc().statusTracker()
    deadline = time.monotonic() + SECONDS
    while any(each.numRunningTasks() for each in tracker.getExecutorInfos()) and time.monotonic() < deadline:
        time.sleep(LOOK)


def cancellable(session: "SparkSession", work: Callable[[], Counts]) -> Counts:
    """Do what uses a session so that a signal ends it: its jobs are cancelled, and `work` has ended, too.

    It is done in a thread of its own, because a call of Java that a signal breaks off leaves its thread's connection to
    Java out of step.
    """
    with ThreadPoolExecutor(1, "spark") as pool:
        doing = pool.submit(work)
        try:
            return doing.result()
        except BaseException:
            while not doing.done():
                session.sparkContext.cancelAllJobs()  # those, too, that it begins after this one
                wait([doing], LOOK)
            raise
