"""The job of scoring on a worker of Spark: record batches → the same with their answers."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import msgspec
import numpy as np
import pyarrow

from slipway.batch.open import intervals_of
from slipway.batch.output import answer_columns
from slipway.batch.regions import RegionRunner
from slipway.batch.rows import Rows
from slipway.batch.scorer import Scorer
from slipway.model.bundle import Bundle
from slipway.model.contents import schema_of
from slipway.model.predictor import Predictor
from slipway.model.scoring import Answers
from slipway.problem import Problem
from slipway.sections import Serving
from slipway.spark.travel import Parcel, parcel_of, unpacked
from slipway.table.arrow_cells import in_utc
from slipway.table.dialect import require_unique
from slipway.table.rules import Limits, Rules, rules_of
from slipway.table.schema import require_columns

KEPT = 4  # bundles that a worker keeps ready
LIBRARIES = ("onnxruntime",)  # whose versions on a worker must be the driver's


class Job(msgspec.Struct, frozen=True):
    """What a worker needs to answer as `slipway predict` does.

    Attributes
    ----------
    parcel : Parcel
    serving : Serving
    limits : mapping
        As `Rules` has them, like `serving`.
    missing : mapping of str to tuple of str
        Field → further texts that mean a missing cell in it.
    level : float or None
        Of the prediction intervals.
    """

    parcel: Parcel
    serving: Serving
    limits: dict[str, Limits]
    missing: dict[str, tuple[str, ...]]
    level: float | None


def packed_job(bundle: Bundle, problem: Problem, names: Sequence[str], level: float | None = None) -> bytes:
    """The job of scoring a table with these columns, in MessagePack. What it cannot do is told here, not by a worker.

    Raises
    ------
    BundleError
        When the bundle has no such intervals.
    ProblemError
        When the problem limits a column that is no number of the model.
    TableError
        When a column is missing, or there twice.
    """
    schema = schema_of(bundle)
    rules_of(schema, problem)
    intervals_of(bundle, level)
    require_unique(names)
    require_columns("the table", names, schema.names)
    missing = {name: problem.markers(name) for name in schema.names}
    return msgspec.msgpack.encode(Job(parcel_of(bundle), problem.serving, dict(problem.limits), missing, level))


def answered(packed: bytes, batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    """The batches with the columns of the answer behind their own.

    Parameters
    ----------
    packed : bytes
        The job in MessagePack.
    batches : iterable of RecordBatch
    """
    scorer = scorer_of(packed)
    for batch in batches:
        answers = scorer.answer(rows_of(batch, scorer.needed))
        columns = [*batch.columns, *_of_all_rows(answers, batch.num_rows)]
        yield pyarrow.RecordBatch.from_arrays(columns, list(map(str, range(len(columns)))))  # Spark goes by their order


@lru_cache(KEPT)
def scorer_of(packed: bytes) -> Scorer:
    """The scorer of a job, its bundle verified and replayed: once per process, which Spark uses for one task after the other.

    It is remembered by all bytes of the job, so one that was damaged on the way never finds it.
    """
    job = msgspec.msgpack.decode(packed, type=Job)
    with unpacked(job.parcel) as bundle:
        predictor = Predictor(bundle, RegionRunner)
        predictor.replay()
        rules = Rules(predictor.schema, job.serving, job.limits, lambda column: job.missing.get(column, ()))
        return Scorer(predictor, rules, intervals_of(bundle, job.level), job.level)


def rows_of(batch: pyarrow.RecordBatch, needed: Iterable[str]) -> Rows:
    """The rows of a batch, with these columns as their cells."""
    return Rows("the table", 1, batch.num_rows, in_utc(batch.select(list(needed))), {})


def _of_all_rows(answers: Answers, count: int) -> list[pyarrow.Array]:
    """Prediction, what is beside it, warning and reason; where there is no answer, null, no warning, and why not."""
    *columns, notes = answer_columns(answers)
    reasons = pyarrow.array([answers.reasons.get(row, "") for row in range(count)], pyarrow.string())
    if answers.chosen is None:
        return [*columns, notes, reasons]
    places = np.full(count, -1)
    places[answers.chosen] = np.arange(len(answers.chosen))
    indices = pyarrow.array(places, mask=places < 0)
    return [*(each.take(indices) for each in columns), notes.take(indices).fill_null(""), reasons]
