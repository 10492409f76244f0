"""XGBoost on the executors of a cluster: each holds the rows whose hash brings them there, and all grow the same trees.

Rows are where their hash says and in its order, and each executor has its number: the same table on as many cores gives the
same trees to the last bit.
"""

import json
import pickle
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow

from slipway.sources.spark_session import told
from slipway.sources.spark_workers import mapped
from slipway.training.fitting.candidate import Settings
from slipway.training.fitting.xgboost_trees import LONGEST, distribution, library
from slipway.training.whole.encoded_rows import RowEncoder, matrix_of

if TYPE_CHECKING:
    from pyspark import BarrierTaskContext, SparkContext
    from pyspark.sql import DataFrame

PATIENCE = 1.5  # rounds without a gain on the rows that check, times the learning rate; as in boosting on one machine
ANSWER = pyarrow.schema([("rows", pyarrow.int64()), ("checks", pyarrow.int64()), ("booster", pyarrow.binary())])
ENCODED = "place long, checks boolean, y float, x array<float>"
ANSWERED = "rows long, checks long, booster binary"


@dataclass(frozen=True)
class Grown:
    """What a cluster learned.

    Parameters
    ----------
    booster : bytes
        In XGBoost's own format, UBJSON.
    rounds, rows, checks : int
        How many rounds, rows learned from, and rows that told when to stop.
    executors : int
        Over how many the rows were divided.
    """

    booster: bytes
    rounds: int
    rows: int
    checks: int
    executors: int


@dataclass(frozen=True)
class Learner:
    """What each executor does with its rows.

    Parameters
    ----------
    parameters : mapping
        Of XGBoost.
    settings : mapping
        Of boosting; without ``max_iter``, the rows that check say how many rounds there are.
    width : int
        Columns of the matrix.
    executors : int
    """

    parameters: Mapping[str, Any]
    settings: Settings
    width: int
    executors: int

    def learn(self, batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        """One row of `ANSWER`, with the booster on the first executor."""
        from pyspark import BarrierTaskContext
        from xgboost import QuantileDMatrix, config_context, train

        context = BarrierTaskContext.get()
        first = context.partitionId() == 0
        matrix, y, checks = matrix_of(batches, self.width)
        rounds = self.settings.get("max_iter")
        with config_context(verbosity=0), _together(context, self.executors):
            rows = QuantileDMatrix(matrix[~checks], y[~checks], nthread=1)
            watched = [] if rounds else [(QuantileDMatrix(matrix[checks], y[checks], ref=rows, nthread=1), "checks")]
            stop = None if rounds else round(PATIENCE / self.settings["learning_rate"])
            booster = train(
                self.parameters, rows, rounds or LONGEST, evals=watched, early_stopping_rounds=stop, verbose_eval=False
            )
        if not rounds:
            booster = booster[: booster.best_iteration + 1]
        content = bytes(booster.save_raw("ubj")) if first else None
        yield pyarrow.record_batch([[int((~checks).sum())], [int(checks.sum())], [content]], schema=ANSWER)


def learned(given: bytes, batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    """On an executor: what a pickled `Learner` makes of its rows."""
    learner: Learner = pickle.loads(given)
    yield from learner.learn(batches)


def grown(frame: "DataFrame", encoder: RowEncoder, settings: Settings, seed: int) -> Grown:
    """Learn from all rows of a frame.

    Parameters
    ----------
    frame : pyspark DataFrame
        The columns of the encoder's schema, of its splits, and the target.
    encoder : RowEncoder
    settings : mapping
        Of boosting.
    seed : int

    Raises
    ------
    TableError
        When a worker cannot read the rows, lacks Slipway or XGBoost, or the cluster has no room for the stage.
    """
    executors = _slots(frame.sparkSession.sparkContext)
    learner = Learner(encoder.aim.parameters(settings, seed), settings, len(encoder.encoding.outputs), executors)
    encode, learn = "slipway.training.whole.encoded_rows:encoded_rows", "slipway.training.whole.distributed:learned"
    with told():
        placed = mapped(frame, encode, pickle.dumps(encoder), ENCODED)
        placed = placed.repartition(executors, "place").sortWithinPartitions("place")
        learning = mapped(placed, learn, pickle.dumps(learner), ANSWERED, (distribution(),), barrier=True)
        answers = learning.repartition(1).collect()  # of barrier stages, Spark retries only those that others follow
    booster = next(bytes(answer.booster) for answer in answers if answer.booster)
    rows, checks = (sum(answer[place] for answer in answers) for place in (0, 1))
    return Grown(booster, _rounds(booster), rows, checks, executors)


def _slots(context: "SparkContext") -> int:
    """How many tasks run at once, which all tasks of a barrier stage must."""
    jvm = context._jsc.sc()  # no setting tells: spark.default.parallelism may say anything
    return max(1, int(jvm.maxNumConcurrentTasks(jvm.resourceProfileManager().defaultResourceProfile())))


@contextmanager
def _together(context: "BarrierTaskContext", executors: int) -> Iterator[None]:
    """The executors find one another through the first of them, at an address that a retried stage chooses anew."""
    from xgboost.collective import CommunicatorContext
    from xgboost.tracker import RabitTracker

    number, told, tracker = context.partitionId(), "", None
    if number == 0:
        host = context.getTaskInfos()[0].address.rpartition(":")[0]
        tracker = RabitTracker(executors, host, sortby="task")
        tracker.start()
        told = json.dumps(tracker.worker_args())
    where = json.loads(context.allGather(told)[0])
    with CommunicatorContext(**where, dmlc_task_id=str(number)):
        yield
    if tracker:
        tracker.wait_for()


def _rounds(booster: bytes) -> int:
    made = library().Booster()
    made.load_model(bytearray(booster))
    return int(made.num_boosted_rounds())
