"""The plain rule of slipway.yaml, `retrain_when`: a metric of the newest labelled rows against a number."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from math import isnan

import pyarrow

from slipway.errors import ProblemError
from slipway.kinds import Comparison
from slipway.model.contents import Model
from slipway.model.metrics import value
from slipway.monitoring.cohorts import Day, labelled
from slipway.monitoring.partitions import Log
from slipway.monitoring.tallies import scored
from slipway.problem import TASK_METRICS

FEWEST = 200  # labelled rows


@dataclass(frozen=True)
class Judged:
    """What became of the rule.

    Parameters
    ----------
    rule : Comparison
    days : tuple of date
        The newest days of which nearly all labels have come, as many as were looked at.
    rows : int
        Labelled rows of these days.
    value : float or None
        The metric on these rows; None when it could not be told.
    """

    rule: Comparison
    days: tuple[date, ...]
    rows: int
    value: float | None

    @property
    def holds(self) -> bool:
        """Whether the rule asks for training."""
        return self.value is not None and self.rule.holds(self.value)

    def __str__(self) -> str:
        setting = f"retrain_when: {self.rule}"
        if self.rows < FEWEST:
            return f"{setting} was not judged: {self.rows:,} labelled rows, fewer than {FEWEST}."
        if self.value is None:
            return f"{setting} was not judged: the newest {self.rows:,} labelled rows do not tell {self.rule.metric}."
        where = f"the newest {self.rows:,} labelled rows ({self.days[0]} to {self.days[-1]})"
        return f"{setting}: {self.rule.metric} is {self.value:.4g} on {where}."


def newest(days: Sequence[Day]) -> tuple[Day, ...]:
    """The last labelled days that have together at least 200 labelled rows, or all; in their order."""
    found: list[Day] = []
    for day in reversed([day for day in days if day.labelled]):
        if sum(each.labelled for each in found) >= FEWEST:
            break
        found.insert(0, day)
    return tuple(found)


def judge(
    rule: Comparison, matured: Sequence[Day], log: Log, labels: pyarrow.Table, ids: Sequence[str], model: Model, digest: str
) -> Judged:
    """Evaluate the rule on what a bundle answered.

    Parameters
    ----------
    rule : Comparison
    matured : sequence of Day
        Of the bundle, in their order; young days are left out, because early labels are not like the rest.
    log, labels, ids
        As of `slipway.monitoring.cohorts.labelled`.
    model, digest
        Of the bundle.

    Raises
    ------
    ProblemError
        When the metric is none of the model's task.
    StoreError
        When a file of the log cannot be read.
    """
    allowed = TASK_METRICS[model.task]
    if rule.metric not in allowed:
        says = f"retrain_when: {rule.metric} does not measure {model.task}, which is the champion's task"
        raise ProblemError(says, f"Choose one of {', '.join(allowed)}")
    days = tuple(day.day for day in newest(matured))
    found = labelled(log, labels, ids, days, digest, ())
    if found is None:
        return Judged(rule, days, 0, None)
    of = scored(found, model)
    reached = value(rule.metric, of) if len(of.y) >= FEWEST else float("nan")
    return Judged(rule, days, len(of.y), None if isnan(reached) else reached)
