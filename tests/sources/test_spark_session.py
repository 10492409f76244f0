"""Starting a session: what is missing is one line, and Java is quiet."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from slipway.errors import TableError
from slipway.sources.spark_session import first_line, session, told

SOURCE = Path(__file__).resolve().parents[2] / "src"
START = """
import sys
from slipway.sources.spark_session import session
from slipway.errors import TableError
try:
    print(session(*sys.argv[1:]).range(3).count())
except TableError as error:
    print(error)
"""


def started(*master: str, **environ: str) -> str:
    """What a fresh process says, on both channels."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), **environ}
    done = subprocess.run([sys.executable, "-c", START, *master], env=environment, capture_output=True, text=True, timeout=120)
    return done.stdout + done.stderr


def test_without_spark_the_cure_is_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyspark.sql", None)
    with pytest.raises(TableError, match=r"Spark is not installed. pip install 'slipway-ml\[spark\]'"):
        session()


@pytest.mark.spark
@pytest.mark.parametrize(
    "master, environ, says",
    [
        ("local[1]", {}, "3\n"),
        ("spark://127.0.0.1:1", {}, "spark://127.0.0.1:1: no Spark master can be reached (Connection refused). Check the"),
        ("spark://nowhere.invalid:7077", {}, "spark://nowhere.invalid:7077: no Spark master can be reached ("),
        ("spark://host:port", {}, "spark://host:port: no Spark master can be reached (Port could not be cast"),
        ("sparc://host", {}, "sparc://host: no session could be started ("),
        ("local", {"JAVA_HOME": "/nowhere"}, "Spark needs Java, and there is no bin/java in JAVA_HOME, /nowhere. Install"),
        (
            "local",
            {"PATH": "/nowhere", "JAVA_HOME": ""},
            "Spark needs Java, and it is not installed. Install a JRE of version 17",
        ),
    ],
)
def test_a_session_starts_quietly_or_says_in_one_line_why_not(master, environ, says):
    said = started(master, **environ)
    assert said.startswith(says) and said.count("\n") == 1


@pytest.mark.parametrize(
    "text, says",
    [
        ("Job aborted.\n\tat org.apache\nTraceback (most recent call last):\n  File x\nRuntimeError: slipway: no\n\tat", "no"),
        (
            "An exception was thrown from the Python worker. Please see the stack trace below.\n"
            'Traceback (most recent call last):\n  File "worker.py", line 1, in main\n    check()\n'
            "pyspark.errors.exceptions.base.PySparkRuntimeError: [PYTHON_VERSION_MISMATCH] Python in worker has 3.11\nPlease",
            "pyspark.errors.exceptions.base.PySparkRuntimeError: [PYTHON_VERSION_MISMATCH] Python in worker has 3.11",
        ),
        ("\n[PATH_NOT_FOUND] Path does not exist: file:/no. SQLSTATE: 42K03\nJVM stacktrace:\n", "[PATH_NOT_FOUND] Path does"),
        ("An error occurred while calling o42.rename.\n: java.io.IOException: No space\n\tat", "java.io.IOException: No"),
        ("", "RuntimeError"),
    ],
)
def test_what_spark_says_is_found_in_its_stacks(text, says):
    assert first_line(RuntimeError(text)).startswith(says)


def test_other_errors_stay_what_they_are():
    with pytest.raises(KeyError), told():
        raise KeyError("a mistake of ours")
