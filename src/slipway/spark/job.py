"""`slipway predict --spark`: a table of a cluster, answered once, and both parts of it put in their places."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from slipway.batch.open import FOLDER
from slipway.batch.place import alone, state
from slipway.errors import TableError
from slipway.problem import Problem
from slipway.sources.files import CSV, PARQUET
from slipway.sources.spark import QUERY
from slipway.sources.spark_session import told
from slipway.spark import predict
from slipway.spark.apart import Place, require_apart
from slipway.spark.catalogue_table import CatalogueTable, beside
from slipway.spark.hadoop_folder import folder_at
from slipway.store.local import open_store
from slipway.table.schema import fresh_names

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TABLE, SQL, MONGODB = "spark:", "sql:", "mongodb:"
REJECTED = "slipway_rejected"  # the column that divides the rows
SETTINGS = {
    "spark.sql.maxConcurrentOutputFileWriters": "2",  # one for each part, so that no row is sorted
    "spark.sql.parquet.outputTimestampType": "TIMESTAMP_MICROS",  # by default INT96, which others read as nanoseconds
    "spark.sql.sources.partitionOverwriteMode": "static",  # all rows of a table are replaced, also those of other partitions
}
CATALOGUE = "spark.sql.catalogImplementation"
SECONDS = 10.0  # for tasks to end in
LOOK = 0.2  # seconds between two looks
INTERVAL = re.compile(r"interval (year|month)")  # types whose cells do not reach Python


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

    Raises
    ------
    TableError
        When one of the three is nothing that Spark reads and writes here, such as a CSV file.
    """

    location: str
    out: str
    rejects: str | None = None
    digest: str | None = None
    strict: bool = False
    level: float | None = None

    def __post_init__(self) -> None:
        for each in (self.location, self.out, self.refused):
            _require_readable(each)

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
    with told():
        for name, value in SETTINGS.items():
            session.conf.set(name, value)
        source, out, rejects = (_place(session, each) for each in (request.location, request.out, request.refused))
        table = _table(session, request.location)
        _require_python_types(request.location, table)
        require_apart(table, source, out, rejects)
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
    (by,) = fresh_names((REJECTED,), {*map(str.lower, answered.columns)})
    divided = answered.select("*", (answered[reason] != "").alias(by)).withColumn(warning, why).drop(reason)
    with _stopped_by_a_row(request):
        staged = out.stage(divided, by)  # OUT has no reasons, the rejects no warnings: until then one column holds both
    counts = _counts(staged, by)
    if (written := counts.scored + counts.rejected) != (rows := read.get["rows"]):
        told = f"{out.location}: {written:,} of {rows:,} rows arrived there"
        raise TableError(told, "Name a place that all workers and this machine share")
    if not rows:
        raise TableError(f"{request.location}: has no rows")
    rejects.put(staged.where(staged[by]).drop(*beside, by).withColumnRenamed(warning, reason))
    out.put_staged(staged, by, counts.scored)
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


def _counts(staged: "DataFrame", by: str) -> Counts:
    found: dict[bool, int] = dict(staged.groupBy(by).count().collect())
    return Counts(found.get(False, 0), found.get(True, 0))


def default_rejects(out: str) -> str:
    """Beside OUT: ``scored.parquet`` has ``scored.rejects.parquet``, another folder NAME.rejects, a table NAME_rejects."""
    if _table_name(out):
        return beside(out, "_rejects")
    out = out.rstrip("/")
    name, dot, ending = out.rpartition(".")
    return f"{name}.rejects.{ending}" if f"{dot}{ending}".lower() in PARQUET else f"{out}.rejects"


def _require_readable(location: str) -> None:
    if QUERY.match(location.removeprefix(TABLE)) and location.startswith(TABLE):
        raise TableError(f"{location}: is a query", "Name a table or a path; a view of the catalogue can be the query")
    path = "" if _table_name(location) else location.lower()
    for kind, found in (("CSV", path.endswith(CSV)), ("SQL", path.startswith(SQL)), ("MongoDB", path.startswith(MONGODB))):
        if found:
            says = f"{location}: with --spark only Parquet and tables are read and written"
            raise TableError(says, f"Leave --spark out for {kind}")


def require_lasting(session: "SparkSession", request: Request) -> None:
    """TableError when OUT or the rejects would be in a catalogue that ends with this process."""
    with told():
        for each in (request.out, request.refused):
            place = _place(session, each)
            if isinstance(place, CatalogueTable) and place.is_of_session and session.conf.get(CATALOGUE) == "in-memory":
                says = f"{each}: the session's catalogue is in memory, and ends with this command"
                raise TableError(says, f"Set {CATALOGUE} hive, or a catalogue, in spark-defaults.conf")


def _require_python_types(location: str, table: "DataFrame") -> None:
    for field in table.schema:
        if INTERVAL.search(kind := field.dataType.simpleString()):
            says = f"{location}: column {field.name!r} is of type {kind}, which Python has not"
            raise TableError(says, "Drop it, or cast it in a view")


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


def with_session(start: Callable[[], "SparkSession"], work: Callable[["SparkSession"], Counts]) -> Counts:
    """Do `work` with a session of its own so that a signal ends it: its jobs are cancelled, and no Java is left.

    Both are done in a thread, because a call of Java that a signal breaks off leaves its thread's connection to Java out of
    step, and one that is being started would never end.
    """
    with ThreadPoolExecutor(1, "spark") as pool:
        starting = pool.submit(start)
        try:
            doing = pool.submit(work, starting.result())
        except BaseException:
            with suppress(Exception):  # it did not start
                starting.result().stop()
            raise
        session = starting.result()
        try:
            return doing.result()
        except BaseException:
            while not doing.done():
                session.sparkContext.cancelAllJobs()  # those, too, that it begins after this one
                wait([doing], LOOK)
            raise
        finally:
            session.stop()
