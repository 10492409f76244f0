"""What runs on a worker of Spark: record batches → the same with their answers."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import numpy as np
import pyarrow
from pyarrow import compute, types

from slipway.batch.open import intervals_of
from slipway.batch.output import answer_columns
from slipway.batch.regions import RegionRunner
from slipway.batch.rows import Rows
from slipway.batch.scorer import Scorer
from slipway.errors import BundleError
from slipway.kinds import EVERY_COLUMN
from slipway.model.bundle import read_bundle
from slipway.model.predictor import Predictor
from slipway.model.scoring import Answers
from slipway.sections import Serving
from slipway.table.rules import Limits, Rules

AT_ONCE = 4  # bundles that a worker keeps ready


class Job(msgspec.Struct, frozen=True):
    """What is sent to the workers.

    Attributes
    ----------
    digest : str
    files : mapping of str to bytes
        Those of the part of the bundle that serves, its manifest among them.
    serving, limits, missing
        The policies of the problem.
    level : float or None
        Of the prediction intervals.
    onnxruntime : str
        The driver's version, which must be the worker's.
    """

    digest: str
    files: dict[str, bytes]
    serving: Serving
    limits: dict[str, Limits]
    missing: dict[str, tuple[str, ...]]
    level: float | None
    onnxruntime: str

    def markers(self, column: str) -> tuple[str, ...]:
        """Further texts that mean a missing cell in this column."""
        return (*self.missing.get(EVERY_COLUMN, ()), *self.missing.get(column, ()))


def answered(packed: bytes, batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    """The batches with the columns of the answer behind their own."""
    scorer = scorer_of(packed)
    for batch in batches:
        rows = Rows("", 1, batch.num_rows, _in_utc(batch, scorer.needed), {})
        added = _of_all_rows(scorer.answer(rows), batch.num_rows)
        columns = [*batch.columns, *added]
        yield pyarrow.RecordBatch.from_arrays(columns, [*batch.schema.names, *(f"answer {n}" for n in range(len(added)))])


@lru_cache(AT_ONCE)
def scorer_of(packed: bytes) -> Scorer:
    """The scorer of a job, verified and replayed; once per worker process, which Spark uses for one task after the other."""
    job = msgspec.msgpack.decode(packed, type=Job)
    if (here := version("onnxruntime")) != job.onnxruntime:
        raise BundleError(f"has onnxruntime {here}, the driver {job.onnxruntime}", "Install the same there")
    with TemporaryDirectory(prefix="slipway-") as folder:
        for name, content in job.files.items():
            Path(folder, name).write_bytes(content)
        try:
            bundle = read_bundle(Path(folder), job.digest)
        except BundleError as error:
            cause = error.cause.replace(f"{folder}/", "")
            raise BundleError(f"refuses bundle {job.digest[:12]}, damaged on the way: {cause}", "Run it again") from error
        predictor = Predictor(bundle, RegionRunner)
        predictor.replay()
        rules = Rules(predictor.schema, job.serving, job.limits, job.markers)
        return Scorer(predictor, rules, intervals_of(bundle, job.level), job.level)


def _in_utc(batch: pyarrow.RecordBatch, needed: tuple[str, ...]) -> dict[str, pyarrow.Array]:
    """The cells of these columns; moments, which Spark shows in the session's time zone, in UTC as Parquet has them."""
    found = {name: batch.column(name) for name in needed}
    for name, cells in found.items():
        if types.is_timestamp(cells.type) and cells.type.tz:
            found[name] = cells.cast(pyarrow.timestamp(cells.type.unit, "UTC"))
    return found


def _of_all_rows(answers: Answers, count: int) -> list[pyarrow.Array]:
    """Prediction, what is beside it, warning and reason of every row; null, null, empty and why where there is no answer."""
    columns = answer_columns(answers)
    if answers.chosen is None:
        return [*columns, pyarrow.repeat(pyarrow.scalar(""), count)]
    places = np.full(count, -1)
    places[answers.chosen] = np.arange(len(answers.chosen))
    columns = [each.take(pyarrow.array(places, mask=places < 0)) for each in columns]
    columns[-1] = compute.fill_null(columns[-1], "")
    reasons = [answers.reasons.get(row, "") for row in range(count)]
    return [*columns, pyarrow.array(reasons, pyarrow.string())]
