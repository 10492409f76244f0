"""The losses of production by the day of the prediction, of days of which nearly all labels have come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow

from slipway.model.contents import Model
from slipway.model.metrics import Scored
from slipway.model.row_losses import deciding, losses_of
from slipway.monitoring.cohorts import Cohorts, Labelled, cohorts, labelled_days
from slipway.monitoring.logged_rows import ANSWER, answers_of
from slipway.monitoring.loss import Tally, tally
from slipway.monitoring.partitions import Log
from slipway.table.cell import numbers


@dataclass(frozen=True)
class Losses:
    """What is known of the loss in production.

    Parameters
    ----------
    name : str
        Of the loss that decides.
    cohorts : Cohorts
    days : tuple of Tally
        Of the matured days that have labels.
    """

    name: str
    cohorts: Cohorts
    days: tuple[Tally, ...]

    @property
    def labelled(self) -> int:
        """Rows with a label, on all days."""
        return sum(day.labelled for day in self.cohorts.days)


def losses(log: Log, labels: pyarrow.Table, ids: Sequence[str], model: Model, digest: str, today: date) -> Losses:
    """The losses of what a bundle answered.

    Parameters
    ----------
    log : Log
        Collected.
    labels : Table
        Those in force (`slipway.monitoring.known_labels.in_force`).
    ids : sequence of str
        Columns that name a row.
    model : Model
        Of the bundle.
    digest : str
        The bundle's.
    today : date
        In UTC.

    Raises
    ------
    StoreError
        When a file of the log cannot be read.
    """
    found = cohorts(log, labels, ids, today, digest)
    name = deciding(model.metric)
    days = []
    for day, rows in labelled_days(log, labels, ids, [day.day for day in found.matured], digest, ()):
        if len(each := losses_of(scored(rows, model), bool(model.classes))[name]):
            days.append(tally(day, each))
    return Losses(name, found, tuple(days))


def scored(rows: Labelled, model: Model) -> Scored:
    """The truth and the answers of each row whose label the model knows: one by id may be of an earlier model's classes."""
    truth = truth_of(rows.labels.column("label"), model.classes)
    known = np.isfinite(truth)
    answers = answers_of(rows.rows.calls.column(ANSWER))[known]
    return Scored(
        truth[known].astype(np.int64 if model.classes else np.float64), answers, model.threshold, model.costs or (1.0, 1.0)
    )


def truth_of(labels: pyarrow.ChunkedArray, classes: Sequence[str]) -> np.ndarray:
    """The code of each label, or the number that it is; not finite where the model has no such label."""
    if classes:
        codes = {label: float(code) for code, label in enumerate(classes)}
        return np.array([codes.get(label, np.nan) for label in labels.to_pylist()], dtype=np.float64)
    return numbers(labels.to_pylist())
