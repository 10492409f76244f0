"""The session of a Spark cluster: the one that runs in this process already, or a new one."""

import logging
import os
import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from socket import create_connection
from tempfile import TemporaryFile
from typing import IO, TYPE_CHECKING
from urllib.parse import urlsplit

from slipway.errors import TableError
from slipway.sources.spark_workers import SAID

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

# Local settings of a new session; those of spark-defaults.conf and spark-submit hold for all else.
USUAL = {
    "spark.ui.showConsoleProgress": "false",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
}
STANDALONE = "spark://"
SECONDS = 5.0
STDERR = 2
CALLING = "An error occurred while calling"  # before what py4j tells
LONGEST = 300  # characters of what Spark says
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def session(master: str | None = None, **settings: str) -> "SparkSession":
    """The running session, as a notebook or spark-submit has one, or else a new one, which writes no log to the terminal.

    Parameters
    ----------
    master : str, optional
        Address of the cluster for a new session, such as ``spark://host:7077``; without it that of spark-submit or of
        spark-defaults.conf.
    settings : str
        Settings of a new session, name → value, a dot of the name written as ``__``.

    Raises
    ------
    TableError
        When pyspark or Java is absent, or the cluster cannot be reached.
    """
    try:
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise TableError("Spark is not installed", "pip install 'slipway-ml[spark]'") from error
    if running := SparkSession.getActiveSession():
        return running
    _require_java()
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("slipway")
    if master:
        _require_reachable(master)
        builder = builder.master(master)
        if urlsplit(master).hostname in LOOPBACK:
            builder = builder.config("spark.driver.host", "127.0.0.1")
    for name, value in (USUAL | settings).items():
        builder = builder.config(name.replace("__", "."), value)
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)  # no frame reaches it
    logging.getLogger("py4j").setLevel(logging.ERROR)
    with _stderr_aside() as log:
        try:
            made = builder.getOrCreate()
        except Exception as error:  # those of Spark, py4j and the launching of Java have no type in common
            why = _said(log) if "JAVA_GATEWAY_EXITED" in str(error) else first_line(error)
            raise TableError(f"{master or 'Spark'}: no session could be started ({why})") from error
    made.sparkContext.setLogLevel("FATAL")  # what fails is raised, too
    return made


def _require_java() -> None:
    """TableError when Spark would not find Java."""
    home = os.environ.get("JAVA_HOME")
    if shutil.which("java", path=os.path.join(home, "bin") if home else None):
        return
    cause = f"there is no bin/java in JAVA_HOME, {home}" if home else "it is not installed"
    raise TableError(f"Spark needs Java, and {cause}", "Install a JRE of version 17 or newer, or set JAVA_HOME")


def _require_reachable(master: str) -> None:
    """TableError when nothing listens at any address of a standalone cluster, for which Spark would wait a minute."""
    if not master.startswith(STANDALONE):
        return
    why: Exception = ValueError("not an address such as spark://host:7077")
    for address in master.removeprefix(STANDALONE).split(","):
        try:
            place = urlsplit(f"//{address}")
            with create_connection((place.hostname or "", place.port or 7077), timeout=SECONDS):
                return
        except (OSError, ValueError) as error:
            why = error
    says = getattr(why, "strerror", None) or why
    raise TableError(f"{master}: no Spark master can be reached ({says})", "Check the address, and that the master runs")


@contextmanager
def _stderr_aside() -> Iterator[IO[bytes]]:
    """Standard error of this process, and for good that of the Java process that is started, goes to a file.

    Java's greetings are no news to anybody; only what it says when it cannot start is needed.
    """
    with TemporaryFile() as log:
        sys.stderr.flush()
        kept = os.dup(STDERR)
        os.dup2(log.fileno(), STDERR)
        try:
            yield log
        finally:
            os.dup2(kept, STDERR)
            os.close(kept)


def _said(log: IO[bytes]) -> str:
    """What Java wrote before it ended."""
    log.seek(0)
    lines = log.read().decode(errors="replace").splitlines() or ["Java ended without a word"]
    return next((line for line in lines if "Error" in line), lines[-1]).strip()[:LONGEST]


@contextmanager
def told() -> Iterator[None]:
    """What fails on the cluster as TableError of one line: what a worker says, or else the first line of Spark's error."""
    try:
        yield
    except Exception as error:
        if not _is_of_spark(error):
            raise
        raise TableError(first_line(error)) from error


def _is_of_spark(error: Exception) -> bool:
    """Whether Spark or py4j, the bridge to Java, has raised it."""
    return type(error).__module__.partition(".")[0] in ("pyspark", "py4j")


def first_line(error: BaseException) -> str:
    """What an error of Spark says, without the stacks around it: what a worker said, what Python raised there, or its head."""
    text = str(error)
    if said := re.search(rf"RuntimeError: {SAID}(.+)", text):
        return said[1].strip()
    if raised := re.search(r"Traceback \(most recent call last\):\n(?:[ \t].*\n|\n)*(\S.*)$", text, re.MULTILINE):
        return raised[1].strip()[:LONGEST]
    lines = (line.removeprefix(": ").strip() for line in text.splitlines() if not line.startswith(CALLING))
    return next((line for line in lines if line), type(error).__name__)[:LONGEST]
