"""The newest rows of production whose labels are known, for the gate: there the next model has to be as good."""

from collections.abc import Sequence
from datetime import date

import pyarrow

from slipway.monitoring.cohorts import Labelled, cohorts, labelled_days
from slipway.monitoring.known_labels import in_force
from slipway.monitoring.partitions import Log
from slipway.problem import Problem
from slipway.table.formats import number

MOST = 5_000  # rows; where two models hold out a fifth each, 200 of them are new to both


def newest_days(problem: Problem, log: Log, today: date) -> dict[date, pyarrow.Table]:
    """The labelled rows of the newest matured days, by day, the newest first; about 5,000 rows.

    A table has the features and ids as they were logged, without those of which the log has a hash, and the target. Where
    requests do not have the problem's time, it is when they were answered.

    Parameters
    ----------
    problem : Problem
    log : Log
        Collected.
    today : date
        In UTC.

    Raises
    ------
    StoreError
        When a file of the log cannot be read.
    """
    labels = in_force(log)
    found: dict[date, pyarrow.Table] = {}
    days = [day.day for day in reversed(cohorts(log, labels, problem.id, today).matured)]
    for day, rows in labelled_days(log, labels, problem.id, days):
        found[day] = _table(rows, problem)
        if sum(table.num_rows for table in found.values()) >= MOST:
            break
    return found


def _table(rows: Labelled, problem: Problem) -> pyarrow.Table:
    hidden = {problem.target, *problem.log.hash}
    cells = rows.rows.cells.select([name for name in rows.rows.cells.column_names if name not in hidden])
    if problem.time and problem.time not in {*cells.column_names, *hidden, *problem.log.omit}:
        cells = cells.append_column(problem.time, rows.rows.calls.column("at").cast(pyarrow.timestamp("us")))
    return cells.append_column(problem.target, _target(rows.labels.column("label").to_pylist()))


def _target(labels: Sequence[str]) -> pyarrow.Array:
    """As numbers if all are: slipway.yaml may have a format for the numbers of the table, but labels have none."""
    numbers = [number(label) for label in labels]
    return pyarrow.array(labels if any(value != value for value in numbers) else numbers)
