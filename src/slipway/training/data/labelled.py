"""Labelled rows: what a training learns from."""

from dataclasses import dataclass

import numpy as np

from slipway.kinds import Task
from slipway.table.schema import Columns, Schema


@dataclass(frozen=True)
class Rows:
    """Training rows with a known target.

    Parameters
    ----------
    schema : Schema
    columns : Columns
    y : ndarray
        Numbers, or codes of classes.
    task : str
    classes : tuple of str
    kin : ndarray of int or None
        Rows with the same number belong together: no fold parts them. None when each stands alone.
    time : ndarray or None
        When each row was, where the problem says so; NaN where the row does not.
    """

    schema: Schema
    columns: Columns
    y: np.ndarray
    task: Task
    classes: tuple[str, ...]
    kin: np.ndarray | None = None
    time: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> "Rows":
        columns = {name: column[rows] for name, column in self.columns.items()}
        kin = None if self.kin is None else self.kin[rows]
        time = None if self.time is None else self.time[rows]
        return Rows(self.schema, columns, self.y[rows], self.task, self.classes, kin, time)
