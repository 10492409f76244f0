"""The session of a Spark cluster: the one that runs in this process already, or a new one."""

import logging
import os
import re
import shutil
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
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
LOOPBACK = {"127.0.0.1", "localhost", "::1"}


def session(master: str | None = None, **settings: str) -> "SparkSession":
    """The running session, as a notebook or spark-submit has one, or else a new one.

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
        from pyspark.errors import PySparkException
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise TableError("Spark is not installed", "pip install 'slipway-ml[spark]'") from error
    if running := SparkSession.getActiveSession():
        return running
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise TableError("Spark needs Java, and there is none", "Install a JRE, of version 17 or newer, or set JAVA_HOME")
    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = SparkSession.builder.appName("slipway")
    if master:
        builder = builder.master(master)
        if urlsplit(master).hostname in LOOPBACK:
            builder = builder.config("spark.driver.host", "127.0.0.1")
    for name, value in (USUAL | settings).items():
        builder = builder.config(name.replace("__", "."), value)
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)  # no frame reaches it
    logging.getLogger("py4j").setLevel(logging.ERROR)
    try:
        made = builder.getOrCreate()
    except (PySparkException, Exception) as error:
        raise TableError(f"{master or 'Spark'}: no session ({first_line(error)})", "Is the cluster reachable?") from error
    made.sparkContext.setLogLevel("ERROR")
    return made


@contextmanager
def told(where: str = "") -> Iterator[None]:
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
    """What an error of Spark says, without the stacks of Python and Java: what a worker said, or else its first line."""
    text = str(error)
    if said := re.search(rf"RuntimeError: {SAID}(.+)", text):
        return said[1].strip()
    return next((line.strip() for line in text.splitlines() if line.strip()), type(error).__name__)[:300]
