"""XGBoost on the executors of a cluster: each holds the rows whose hash brings them there, and all grow the same trees.

Rows are where their hash says and in its order, and each executor has its number: the same table on as many cores gives the
same trees to the last bit.
"""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow

from slipway.errors import TableError
from slipway.sources.spark_session import first_line
from slipway.training.fitting.candidate import Settings
from slipway.training.fitting.xgboost_trees import LONGEST, library
from slipway.training.whole.encoded_rows import RowEncoder, matrix_of

if TYPE_CHECKING:
    from pyspark import BarrierTaskContext
    from pyspark.sql import DataFrame

PATIENCE = 1.5  # rounds without a gain on the rows that check, times the learning rate; as in boosting on one machine
ANSWER = pyarrow.schema([("rows", pyarrow.int64()), ("checks", pyarrow.int64()), ("booster", pyarrow.binary())])
ENCODED = "place long, checks boolean, y float, x array<float>"
ANSWERED = "rows long, checks long, booster binary"
RAISED = re.compile(r"^([\w.]*(?:Error|Exception)): (.+)$", re.MULTILINE)  # the last line of a traceback


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
    encoder : RowEncoder
    settings : mapping
        Of boosting; without ``max_iter``, the rows that check say how many rounds there are.
    seed : int
    executors : int
    """

    encoder: RowEncoder
    settings: Settings
    seed: int
    executors: int

    def learn(self, batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        """One row of `ANSWER`, with the booster on the first executor."""
        from pyspark import BarrierTaskContext
        from xgboost import QuantileDMatrix, train

        context = BarrierTaskContext.get()
        first = context.partitionId() == 0
        matrix, y, checks = matrix_of(batches, len(self.encoder.encoding.outputs))
        parameters = self.encoder.aim.parameters(self.settings, self.seed)
        rounds = self.settings.get("max_iter")
        with _together(context, self.executors):
            rows = QuantileDMatrix(matrix[~checks], y[~checks], nthread=1)
            watched = [] if rounds else [(QuantileDMatrix(matrix[checks], y[checks], ref=rows, nthread=1), "checks")]
            stop = None if rounds else round(PATIENCE / self.settings["learning_rate"])
            booster = train(parameters, rows, rounds or LONGEST, watched, early_stopping_rounds=stop, verbose_eval=False)
        if not rounds:
            booster = booster[: booster.best_iteration + 1]
        content = bytes(booster.save_raw("ubj")) if first else None
        yield pyarrow.record_batch([[int((~checks).sum())], [int(checks.sum())], [content]], schema=ANSWER)


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
    from pyspark.errors import PySparkException

    context = frame.sparkSession.sparkContext
    executors = max(1, context.defaultParallelism // int(context.getConf().get("spark.task.cpus") or 1))
    learner = Learner(encoder, settings, seed, executors)
    placed = frame.mapInArrow(encoder.batches, ENCODED).repartition(executors, "place").sortWithinPartitions("place")
    try:
        answers = placed.mapInArrow(learner.learn, ANSWERED, barrier=True).collect()
    except PySparkException as error:
        raise failed(error) from error
    booster = next(bytes(answer.booster) for answer in answers if answer.booster)
    rows, checks = (sum(answer[place] for answer in answers) for place in (0, 1))
    return Grown(booster, _rounds(booster), rows, checks, executors)


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


def failed(error: Exception) -> TableError:
    """What went wrong on a worker, in one line."""
    found = RAISED.findall(str(error))
    kind, says = found[-1] if found else ("", first_line(error))
    if kind.endswith("ModuleNotFoundError"):
        return TableError(f"a worker of the cluster: {says}", "Install slipway-ml[spark] on every worker, or send it along")
    return TableError(f"training on the cluster failed: {says}")


def _rounds(booster: bytes) -> int:
    made = library().Booster()
    made.load_model(bytearray(booster))
    return int(made.num_boosted_rounds())
