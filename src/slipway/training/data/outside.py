"""Labelled rows from outside the problem's table, read like its own: the anchor set, and what production was asked."""

from dataclasses import dataclass
from itertools import chain

import numpy as np
import pandas as pd
from msgspec.structs import replace

from slipway.model.contents import Split
from slipway.model.division import keys_of, moments_of
from slipway.problem import Problem
from slipway.table.cell import problem_reader
from slipway.table.cells import cells_of, read_columns
from slipway.table.identity import key_of
from slipway.table.inference import Target
from slipway.table.schema import Columns, Schema
from slipway.training.data.kin import kinship
from slipway.training.measures.units import Units, units_of


@dataclass(frozen=True)
class Named:
    """What rows are told apart by.

    Parameters
    ----------
    named_by : tuple of str
        Columns.
    keys : frozenset of bytes
        Of the rows, by these columns.
    """

    named_by: tuple[str, ...]
    keys: frozenset[bytes]

    def holds(self, frame: pd.DataFrame, schema: Schema) -> np.ndarray:
        """Mask of the rows of a frame that are among them."""
        return np.array([key in self.keys for key in chain.from_iterable(keys_of(frame, self.named_by, schema))], dtype=bool)


@dataclass(frozen=True)
class Outside:
    """Rows with a known target.

    Parameters
    ----------
    name : str
        What messages call them.
    frame : DataFrame
        Cells as they were found.
    columns : Columns
        The features that the problem's table has, typed.
    y : ndarray
        The targets: numbers, or codes of classes.
    units : Units
        Which rows belong together.
    identity : str
        SHA-256 of what the rows are told apart by; of the anchor set only.
    named : Named or None
        What that is; of the anchor set only.
    """

    name: str
    frame: pd.DataFrame
    columns: Columns
    y: np.ndarray
    units: Units
    identity: str = ""
    named: Named | None = None

    def take(self, rows: np.ndarray) -> "Outside":
        """Those of this mask."""
        columns = {name: column[rows] for name, column in self.columns.items()}
        units = Units(np.unique(self.units.of[rows], return_inverse=True)[1])
        return Outside(self.name, self.frame[rows], columns, self.y[rows], units)


def targets(frame: pd.DataFrame, problem: Problem, target: Target) -> np.ndarray:
    """The target of each row as the problem's table has it; NaN where it is missing, or of no class of that table."""
    cells = cells_of(frame[target.name], problem_reader(problem, target.name))
    if not target.classes:
        return cells.spread(cells.numbers, np.nan)
    codes = {key_of(label): code for code, label in enumerate(target.classes)}
    return cells.spread(np.array([codes.get(key_of(text), np.nan) for text in cells.texts]), np.nan)


def outside(name: str, frame: pd.DataFrame, y: np.ndarray, problem: Problem, schema: Schema, split: Split) -> Outside:
    """These rows, typed.

    Parameters
    ----------
    name : str
    frame : DataFrame
    y : ndarray
        Their targets, all known.
    problem : Problem
    schema : Schema
        Of the problem's table.
    split : Split
        Of that table.

    Raises
    ------
    TableError
        When a column is absent, or a cell is not of its type.
    """
    columns = read_columns(frame, schema, problem.markers)
    there = [tuple(name for name in names if name in frame.columns) for names in (problem.id, problem.group)]
    kin = kinship(replace(problem, id=there[0], group=there[1]), frame, columns, y)
    timed = split.time is not None and split.time.name in frame.columns
    time = moments_of(frame, split.time) if split.time is not None and timed else None
    return Outside(name, frame, columns, y, units_of(kin.depend, time))
