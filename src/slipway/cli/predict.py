"""slipway predict"""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from slipway.cli import options
from slipway.cli.collection import is_collection
from slipway.cli.database import is_database
from slipway.cli.progress import Progress
from slipway.errors import ProblemError
from slipway.report.numbers import counted
from slipway.threads import pin_threads

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from slipway.batch.record import Mark
    from slipway.spark.job import Counts


@click.command()
@click.argument("location", metavar="IN")
@click.option("-o", "out", required=True, metavar="OUT", help="Target of the answers; a file is replaced in one step.")
@click.option("--bundle", "digest", metavar="DIGEST", help="Bundle, six digits or more; default: the champion.")
@click.option("--strict", is_flag=True, help="Stop at the first row that cannot be answered, and write nothing.")
@click.option("--rejects", metavar="FILE", help="File for rows that cannot be answered; default: OUT with .rejects.csv.")
@click.option("--interval", type=float, metavar="LEVEL", help="Add prediction intervals: columns low and high; such as 0.9.")
@click.option("--spark", "master", metavar="MASTER", help="Score on this Spark cluster, such as spark://host:7077 or yarn.")
@options.problem
def command(
    location: str,
    out: str,
    digest: str | None,
    strict: bool,
    rejects: str | None,
    interval: float | None,
    master: str | None,
    path: str | None,
) -> None:
    """Score the table IN with the champion.

    IN and OUT are files (CSV, also .gz, or Parquet), objects in S3, MongoDB collections or tables of an SQL database; IN
    can be a glob. OUT has all columns of IN, then those of the answer. After an interruption, run the same command again
    to resume.

    With --spark, IN and OUT are Parquet folders, also hdfs:// and s3a://, or tables of its catalogue: spark:NAME.

    \b
    Example:
      slipway predict patients.csv -o scored.csv
      slipway predict 's3://lake/2026/*.parquet' -o s3://lake/scored.parquet
      slipway predict mongodb:patients -o mongodb:scored
      slipway predict sql:patients -o sql:scored
      slipway predict patients.csv -o scored.csv --interval 0.9
      slipway predict --spark spark://host:7077 hdfs:///visits -o hdfs:///scored
    """
    pin_threads()
    for place in (location, out, rejects or ""):
        _require_no_url(place)
    with _terminable():
        if master is not None:
            _score_on_cluster(master, path, location, out, rejects, digest, strict, interval)
            return
        from slipway.batch.open import open_batch
        from slipway.batch.run import run
        from slipway.problem import load_problem

        batch = open_batch(load_problem(path), location, out, digest, strict, rejects, interval)
        with Progress() as progress:
            mark = run(batch, _Scoring(progress, batch.source.share))
    _say(mark.scored, mark.rejected, batch.rejects.location)


def _require_no_url(place: str) -> None:
    """ProblemError for the URL of a database, without what it says: messages repeat what a command line names."""
    is_database(place)
    if is_collection(place) and "://" in place:
        cure = "Set MONGO_DB_URL to the URL of the server, and name the collection as mongodb:COLLECTION"
        raise ProblemError("mongodb: a URL on the command line is shown by ps and kept in the shell history", cure)


def _score_on_cluster(master: str, path: str | None, *asked: Any) -> None:
    from slipway.problem import load_problem
    from slipway.sources.spark_session import session
    from slipway.spark.job import Request, require_lasting, score_table, with_session

    problem, request = load_problem(path), Request(*asked)

    def score(spark: "SparkSession") -> "Counts":
        require_lasting(spark, request)
        return score_table(spark, problem, request)

    counts = with_session(partial(session, master), score)
    _say(counts.scored, counts.rejected, request.refused)


def _say(scored: int, rejected: int, rejects: str) -> None:
    see = f": see {rejects}" if rejected else ""
    click.echo(f"{counted(scored, 'row')} scored, {rejected:,} rejected{see}")


@contextmanager
def _terminable() -> Iterator[None]:
    """End as by Ctrl-C when SIGTERM comes: what is done is kept, and it is said."""

    def end(number: int, _: object) -> None:
        signal.signal(number, signal.SIG_IGN)  # a second one would break off the keeping
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    except SystemExit:
        click.echo("slipway: terminated", err=True)
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


class _Scoring:
    """Tells how far the scoring is; a run that resumes counts its rate from where it begins."""

    def __init__(self, progress: Progress, share: Callable[[Any], float | None]) -> None:
        self._progress, self._share = progress, share
        self._begun, self._before = time.monotonic(), 0

    def __call__(self, mark: "Mark", says: str) -> None:
        if says:
            self._progress.say(says)
            self._before = mark.rows
            return
        rate = (mark.rows - self._before) / max(time.monotonic() - self._begun, 1e-3)
        says = f"{counted(mark.rows, 'row')}, {rate:,.0f} a second"
        self._progress.advance("Scoring", mark.rows, self._share(mark.position), says)
