"""The losses of production by the day of the prediction, of days of which nearly all labels have come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from slipway.model.contents import Model
from slipway.model.row_losses import losses_of_labels, losses_of_numbers
from slipway.monitoring.bins import of_answers
from slipway.monitoring.cohorts import Cohorts, Labelled, cohorts, labelled
from slipway.monitoring.known_labels import in_force
from slipway.monitoring.logged_rows import ANSWER, answers_of
from slipway.monitoring.loss import Tally, deciding, tally
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
        if rows:
            days.append(tally(day.day, _each(rows, model)[name]))
    return Losses(name, found, tuple(days))


def _each(rows: Labelled, model: Model) -> dict[str, np.ndarray]:
    """The losses of each row, by name."""
    answers, told = answers_of(rows.rows.calls.column(ANSWER)), rows.labels.column("label").to_pylist()
    if not model.classes:
        return losses_of_numbers(np.array(list(map(float, told))), answers)
    codes = {label: code for code, label in enumerate(model.classes)}
    _, chosen = of_answers(answers, model.threshold)
    return losses_of_labels(np.array([codes[label] for label in told]), answers, chosen, model.costs)
