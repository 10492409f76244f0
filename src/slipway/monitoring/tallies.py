"""The losses of production by the day of the prediction, of days of which nearly all labels have come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from slipway.model.contents import Model
from slipway.model.metrics import Scored
from slipway.model.row_losses import deciding, losses_of_labels, losses_of_numbers
from slipway.monitoring.bins import of_answers
from slipway.monitoring.cohorts import Cohorts, Labelled, cohorts, labelled
from slipway.monitoring.known_labels import in_force
from slipway.monitoring.logged_rows import ANSWER, answers_of
from slipway.monitoring.loss import Tally, tally
from slipway.monitoring.partitions import Log


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


def losses(log: Log, ids: Sequence[str], model: Model, digest: str, today: date) -> Losses:
    """The losses of what a bundle answered.

    Parameters
    ----------
    log : Log
        Collected, with its labels.
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
    labels = in_force(log)
    found = cohorts(log, labels, ids, today, digest)
    name = deciding(model.metric)
    days = []
    for day in found.matured:
        rows = labelled(log, labels, ids, [day.day], digest, ())
        if rows and len(each := _each(rows, model, name)):
            days.append(tally(day.day, each))
    return Losses(name, found, tuple(days))


def _each(rows: Labelled, model: Model, name: str) -> np.ndarray:
    """One loss of each row."""
    of = scored(rows, model)
    if not model.classes:
        return losses_of_numbers(of.y, of.scores)[name]
    _, chosen = of_answers(of.scores, model.threshold)
    return losses_of_labels(of.y, of.scores, chosen, model.costs)[name]


def scored(rows: Labelled, model: Model) -> Scored:
    """The truth and the answers of each row whose label the model knows: one by id may be of an earlier model's classes."""
    codes = {label: code for code, label in enumerate(model.classes)}
    told = [_code(label, codes) for label in rows.labels.column("label").to_pylist()]
    known = np.array([code is not None for code in told])
    truth = np.array([code for code in told if code is not None], dtype=np.int64 if model.classes else np.float64)
    answers = answers_of(rows.rows.calls.column(ANSWER))[known]
    return Scored(truth, answers, model.threshold, model.costs or (1.0, 1.0))


def _code(label: str, codes: Mapping[str, int]) -> float | None:
    """The code of a label, or the number that it is; None when the model has no such label."""
    if codes:
        return codes.get(label)
    try:
        return float(label)
    except ValueError:
        return None
