"""How a bundle reaches the workers: its bytes go with the function that every task gets, so nothing has to be shared."""

from collections.abc import Callable, Iterator
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import msgspec

from slipway import __version__
from slipway.model.bundle import MANIFEST, SERVING, Bundle
from slipway.model.contents import Model
from slipway.model.intervals import ENDS
from slipway.problem import Problem
from slipway.spark.scoring import Job
from slipway.table.schema import fresh_names

if TYPE_CHECKING:
    import pyarrow
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

    Batches = Iterator[pyarrow.RecordBatch]


def job_of(bundle: Bundle, problem: Problem, level: float | None) -> Job:
    """What a worker needs to answer as this machine would."""
    carried = bundle.carried(SERVING)
    files = {name: bundle.read(name) for name in carried if name != MANIFEST}
    return Job(
        digest=bundle.digest,
        files=files | {MANIFEST: (bundle.folder / MANIFEST).read_bytes()},
        serving=problem.serving,
        limits=dict(problem.limits),
        missing={name: tuple(texts) for name, texts in problem.missing.items()},
        level=level,
        onnxruntime=version("onnxruntime"),
    )


def on_workers(job: Job) -> "Callable[[Batches], Batches]":
    """The function for `DataFrame.mapInArrow`.

    It is sent by value, and imports where it runs, so that it can say what a worker lacks.
    """
    packed, wanted = msgspec.msgpack.encode(job), __version__

    def answer(batches: Any) -> Any:
        import platform
        import sys

        where = f"the Spark worker on {platform.node()}, {sys.executable},"
        try:
            import slipway
        except ImportError:
            raise RuntimeError(f"slipway: {where} has no Slipway. Install slipway-ml {wanted} there") from None
        if slipway.__version__ != wanted:
            told = f"slipway: {where} has Slipway {slipway.__version__}, the driver {wanted}. Install the same there"
            raise RuntimeError(told)
        from slipway.spark.scoring import answered

        try:
            yield from answered(packed, batches)
        except slipway.SlipwayError as error:
            raise RuntimeError(f"slipway: {where} {error}") from None

    return answer


def result_schema(df: "DataFrame", model: Model, level: float | None) -> "StructType":
    """The columns of a table, then those of the answer.

    Spark does not tell upper case from lower case, so a name that differs from another in that alone is taken, too.
    """
    from pyspark.sql.types import DoubleType, StringType, StructField, StructType

    beside = (*(f"probability_{label}" for label in model.classes), *(() if level is None else ENDS))
    taken = {*df.columns, *map(str.lower, df.columns)}
    names = fresh_names(("prediction", *beside, "warning", "reason"), taken)
    text, number = StringType(), DoubleType()
    types = (text if model.classes else number, *[number] * len(beside), text, text)
    return StructType([*df.schema.fields, *(StructField(name, each) for name, each in zip(names, types))])
