"""The problem's table, read, typed and divided into training rows and held-out rows."""

from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import pandas as pd

from slipway.cells import cell_keys, read_columns
from slipway.errors import TableError
from slipway.inference import Target, infer_schema, read_target
from slipway.problem import TASK_METRICS, Problem, default_metric
from slipway.sources.files import read_table
from slipway.training.compare import Goal, Rows
from slipway.training.split import Split, held_out, notes, split_of

FEWEST_ROWS = 40


@dataclass(frozen=True)
class Table:
    """The problem's table, read and divided.

    Parameters
    ----------
    frame : DataFrame
        Rows with a target, cells as the source has them.
    target : Target
    rows : Rows
        All of them, typed.
    held : ndarray of bool
    split : Split
    goal : Goal
    fingerprint : str
        SHA-256 of the data, wherever it was read from.
    """

    frame: pd.DataFrame
    target: Target
    rows: Rows
    held: np.ndarray
    split: Split
    goal: Goal
    fingerprint: str

    @property
    def learned(self) -> Rows:
        return self.rows.take(~self.held)

    @property
    def cells(self) -> int:
        return len(self.held) * len(self.rows.schema.names)

    @property
    def unseen(self) -> Rows:
        return self.rows.take(self.held)


def read(problem: Problem) -> Table:
    """Read the problem's table, type it and divide it; TableError when it does not fit."""
    frame = read_table(problem)
    target = read_target(frame, problem)
    frame = frame[target.rows].reset_index(drop=True)
    schema = infer_schema(frame, problem)
    rows = Rows(schema, read_columns(frame, schema), target.y, target.task, target.classes)
    split = split_of(problem, frame.columns)
    held = held_out(frame, split)
    _require_enough(rows, held)
    costs = problem.costs and (problem.costs.false_positive, problem.costs.false_negative)
    metric = problem.metric or default_metric(target.task, problem.costs)
    if metric not in TASK_METRICS[target.task]:
        raise TableError(
            f"metric: {metric} does not measure {target.task}, which the target {problem.target} asks for",
            f"Choose one of {', '.join(TASK_METRICS[target.task])}, or set task",
        )
    keys = cell_keys(frame, sorted([*schema.names, *problem.id, problem.target]))
    fingerprint = sha256(b"\n".join(keys)).hexdigest()
    return Table(frame, target, rows, held, split, Goal(metric, costs, problem.seed), fingerprint)


def _require_enough(rows: Rows, held: np.ndarray) -> None:
    if len(held) < FEWEST_ROWS:
        raise TableError(f"the table has {len(held)} rows with a target; at least {FEWEST_ROWS} are needed")
    if held.all() or not held.any():
        raise TableError(
            f"the split holds out {held.sum()} of {len(held)} rows",
            "The id columns (or all features) are the same in nearly every row; name a better id.",
        )
    for code, label in enumerate(rows.classes):
        if (rows.y[~held] == code).sum() < 2:
            raise TableError(
                f"target: fewer than 2 training rows are of class {label!r}",
                "Add rows of it, or remove the class from the table.",
            )


def remarks(table: Table) -> list[str]:
    """What a reader of the results must know of the table."""
    without = int((~table.target.rows).sum())
    lost = [f"{without} rows without a target were left out"] if without else []
    return lost + notes(table.unseen.y, table.rows.classes)
