"""Tables on a Spark cluster, scored where they are.

>>> import slipway.spark
>>> slipway.spark.predict(spark.table("lake.patients")).write.saveAsTable("lake.scored")
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slipway.batch.open import find_bundle
from slipway.model.contents import Model, model_of
from slipway.model.intervals import ENDS
from slipway.problem import Problem, problem_of
from slipway.sources.spark_workers import mapped
from slipway.spark.counts import check
from slipway.spark.scoring_job import LIBRARIES, answered, packed_job
from slipway.table.schema import fresh_names

if TYPE_CHECKING:
    from pyspark.sql import DataFrame
    from pyspark.sql.types import StructType

__all__ = ["check", "predict"]


def predict(
    df: "DataFrame",
    problem: Problem | Mapping[str, Any] | str | Path | None = None,
    digest: str | None = None,
    interval: float | None = None,
) -> "DataFrame":
    """Answer every row of a Spark table on the cluster, by the rules of `slipway predict`.

    The bundle is sent along with the work. Each Python worker verifies it by its digest and replays its golden predictions
    before the first row. As with other functions of Spark nothing happens until the rows are asked for.

    Parameters
    ----------
    df : DataFrame
        It needs the columns that the model was trained on; all others are kept.
    problem : Problem, path or mapping, optional
        Whose champion answers, under whose policies; by default slipway.yaml in this folder.
    digest : str, optional
        The start of another bundle's digest.
    interval : float, optional
        Level of the prediction intervals to add, such as 0.9.

    Returns
    -------
    DataFrame
        The table with the columns ``prediction``, ``probability_LABEL`` for each label or the ``low`` and ``high`` end of the
        interval, ``warning`` (what is unlike training in a row that was answered) and ``reason`` (why a row was not; its
        prediction is null). A name that the table has already gets an underscore.

    Raises
    ------
    StoreError
        When there is no champion, or no such bundle.
    BundleError
        When it is damaged, of another problem, or has no such interval.
    TableError
        When a column is missing.

    Examples
    --------
    >>> scored = slipway.spark.predict(spark.read.parquet("s3://lake/patients/"))
    >>> scored.where("reason = ''").write.parquet("s3://lake/scored/")
    """
    problem = problem_of(problem)
    bundle = find_bundle(problem, digest)
    packed = packed_job(bundle, problem, df.columns, interval)
    schema = _answered_schema(df, model_of(bundle), interval)
    return mapped(df, f"{answered.__module__}:{answered.__name__}", packed, schema, LIBRARIES)


def _answered_schema(df: "DataFrame", model: Model, level: float | None) -> "StructType":
    """The columns of a table, then those of the answer.

    To Spark, names that differ in upper and lower case alone are the same.
    """
    from pyspark.sql.types import DoubleType, StringType, StructField, StructType

    beside = (*(f"probability_{label}" for label in model.classes), *(() if level is None else ENDS))
    names = fresh_names(("prediction", *beside, "warning", "reason"), {*df.columns, *map(str.lower, df.columns)})
    text, number = StringType(), DoubleType()
    kinds = (text if model.classes else number, *[number] * len(beside), text, text)
    return StructType([*df.schema.fields, *(StructField(name, kind) for name, kind in zip(names, kinds))])
