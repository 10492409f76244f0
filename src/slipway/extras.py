"""The extras of slipway-ml: what a problem needs of them, and whether it is installed."""

import os
import shutil
from importlib.util import find_spec

from slipway.problem import SPARK, SQL, Problem

LIBRARY = {  # extra → a library that only it brings
    "sql": "sqlalchemy",
    "spark": "pyspark",
    "mlflow": "mlflow",
    "redis": "redis",
    "kafka": "confluent_kafka",
}


def extras_of(problem: Problem) -> tuple[str, ...]:
    """What a problem's source and search need beside the libraries of training, sorted."""
    spark = problem.search.engine == "spark" or any(entry.startswith(SPARK) for entry in problem.source)
    return (*(["spark"] if spark else []), *(["sql"] if SQL in problem.source else []))


def is_installed(extra: str) -> bool:
    """Whether the libraries of an extra are here; none of them is imported."""
    return find_spec(LIBRARY[extra]) is not None


def has_java() -> bool:
    """Whether a session of Spark would find a Java."""
    return bool(os.environ.get("JAVA_HOME") or shutil.which("java"))
