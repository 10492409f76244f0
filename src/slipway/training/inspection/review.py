"""What to look into before a table is learned from: whether its order is time, and which columns tell the target."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from slipway.errors import SlipwayError
from slipway.problem import Problem
from slipway.table.inference import infer_column, infer_columns, read_target
from slipway.training.data.labelled import Rows
from slipway.training.inspection.leaks import Suspect, suspects
from slipway.training.inspection.order import Order, order_of


@dataclass(frozen=True)
class Review:
    """What was found.

    Parameters
    ----------
    leaks : tuple of Suspect
    order : Order or None
        None also where the problem names the time.
    """

    leaks: tuple[Suspect, ...] = ()
    order: Order | None = None

    def remarks(self) -> list[str]:
        """What a reader must know of the table."""
        order = [self.order] if self.order and self.order.flatters else []
        return [*map(str, self.leaks), *(f"{each.column}: {each.says}. Set time: {each.column}" for each in order)]


def review(frame: pd.DataFrame, problem: Problem, names: Sequence[str]) -> Review:
    """Look at the rows of a table in their order; nothing is found where they do not fit the problem.

    Parameters
    ----------
    frame : DataFrame
        Cells as the source has them.
    problem : Problem
    names : sequence of str
        The columns to learn from.
    """
    try:
        target = read_target(frame, problem)
        frame = frame[target.rows].reset_index(drop=True)
        rows = Rows(*infer_columns(frame, problem, names), target.y, target.task, target.classes)
    except SlipwayError:
        return Review()
    order = None if problem.time else order_of(rows, *_ordering(frame, problem))
    return Review(tuple(suspects(rows)), order)


def _ordering(frame: pd.DataFrame, problem: Problem) -> tuple[dict[str, np.ndarray], set[str]]:
    """All columns of dates and numbers, and which of them are dates."""
    columns, dates = {}, set()
    for name in frame.columns:
        try:
            field, values = infer_column(frame[name], problem)
        except SlipwayError:  # not learned from, so nobody has said how to read it
            continue
        if field.type == "category" or name in (problem.target, *problem.group):
            continue
        columns[name] = values
        if field.type == "date":
            dates.add(name)
    return columns, dates
