"""The job of counting on a worker of Spark: record batches → one row of counts for each task."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

import msgspec
import numpy as np
import pyarrow
from msgspec import Struct

from slipway.model.predictor import Predictor
from slipway.model.scoring import Answers, reasons_of, score
from slipway.monitoring.bins import LABEL, SCORE, Column, columns_of, count, of_answers
from slipway.spark.scoring_job import KEPT, Job, rows_of, scorer_of
from slipway.spark.travel import unpacked
from slipway.table.faults import tally_key

COUNTS = "counts"  # the column of the result


class Tally(Struct):
    """What some rows have, as counts that add up.

    Attributes
    ----------
    rows, answered : int
    faults : dict
        Cells for which a row is refused, by `tally_key` of field and reason.
    unlike : dict
        Cells that are answered with a warning, likewise.
    bins : list of list of int
        Of the answered rows, for each column of `columns_of`, as `slipway.monitoring.bins.count` has them.
    """

    rows: int = 0
    answered: int = 0
    faults: dict[str, int] = {}
    unlike: dict[str, int] = {}
    bins: list[list[int]] = []

    def add(self, other: "Tally") -> None:
        """Count the rows of another one, too."""
        self.rows += other.rows
        self.answered += other.answered
        self.faults = dict(Counter(self.faults) + Counter(other.faults))
        self.unlike = dict(Counter(self.unlike) + Counter(other.unlike))
        if self.bins and other.bins:
            self.bins = [[a + b for a, b in zip(*pair)] for pair in zip(self.bins, other.bins)]
        else:  # a task without rows has none
            self.bins = self.bins or other.bins


def counted(packed: bytes, batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    """The tally of all batches of a task in MessagePack, in one row.

    Parameters
    ----------
    packed : bytes
        The job of scoring in MessagePack.
    batches : iterable of RecordBatch
    """
    tally = Tally()
    for batch in batches:
        tally.add(tally_of(packed, batch))
    yield pyarrow.record_batch({COUNTS: pyarrow.array([msgspec.msgpack.encode(tally)], pyarrow.binary())})


def tally_of(packed: bytes, batch: pyarrow.RecordBatch) -> Tally:
    """The rows of one batch, counted as they would be answered."""
    scorer = scorer_of(packed)
    cells, faults = scorer.read(rows_of(batch, scorer.needed))
    answers = score(scorer.predictor, cells, reasons_of(faults), batch.num_rows)
    return Tally(
        rows=batch.num_rows,
        answered=len(answers.values),
        faults=Counter(tally_key(name, each.reason) for name, wrong in faults.items() for each in wrong.values()),
        unlike={tally_key(each.field, each.reason): len(each.rows) for each in scorer.rules.unlike(answers.columns)},
        bins=[count(column, values).tolist() for column, values in _watched(_columns_of(packed), answers, scorer.predictor)],
    )


def _watched(columns: Sequence[Column], answers: Answers, predictor: Predictor) -> Iterator[tuple[Column, np.ndarray]]:
    """The columns that are watched, each with its values in the answered rows."""
    found = answers.values if answers.probabilities is None else answers.probabilities
    if predictor.task == "binary":
        found = found[:, 1]
    own = dict(zip((SCORE, LABEL), of_answers(found, predictor.threshold)))
    for column in columns:
        yield column, own[column.key] if column.key in own else answers.columns[column.name]


@lru_cache(KEPT)
def _columns_of(packed: bytes) -> tuple[Column, ...]:
    """What is watched of the bundle of a job."""
    with unpacked(msgspec.msgpack.decode(packed, type=Job).parcel) as bundle:
        return columns_of(bundle)
