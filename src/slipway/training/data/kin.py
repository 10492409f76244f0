"""Which rows belong together: those of one id or one group, and those that are equal in all features."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from slipway.model.contents import Split
from slipway.problem import Problem
from slipway.table.cells import cells_of
from slipway.table.schema import Columns
from slipway.training.data.copies import Copies, coarse, repeat_rows


@dataclass(frozen=True)
class Kinship:
    """Rows with the same number are together.

    Parameters
    ----------
    alike : ndarray of int
        In all features.
    keys : ndarray of int
        In what divides training and hold-out: the group, else the id, else all features.
    together : ndarray of int
        In one of these, directly or by way of further rows.
    keyed_by : str
        ``group``, ``id`` or ``features``.
    copied : bool
        Whether equal rows are the same ones again, rather than equal by chance.
    """

    alike: np.ndarray
    keys: np.ndarray
    together: np.ndarray
    keyed_by: str
    copied: bool

    @property
    def depend(self) -> np.ndarray:
        """The same of rows that say less than as many others; rows without a name that are equal by chance are not such."""
        return np.arange(len(self.alike)) if self.keyed_by == "features" and not self.copied else self.together

    def copies(self, held: np.ndarray) -> Copies:
        """The held-out rows that occur among the others."""
        again = np.isin(self.alike[held], self.alike[~held])
        return Copies(int(again.sum()), int(held.sum()), not self.copied)

    def remarks(self, held: np.ndarray, split: Split) -> list[str]:
        """What a reader of the results must know of a split by hash."""
        what, cure = {
            "features": ("rows", "name an id column, and each row is divided by itself"),
            "id": ("ids", "name an id that differs between rows, or name this one in group"),
            "group": ("groups", "the figures say little about new ones"),
        }[self.keyed_by]
        return self.copies(held).remarks() + coarse(self.keys, held, split.share, what, cure)


def kinship(problem: Problem, frame: pd.DataFrame, columns: Columns, y: np.ndarray) -> Kinship:
    """Which rows of a table belong together.

    Parameters
    ----------
    problem : Problem
    frame : DataFrame
        Cells as the source has them.
    columns : Columns
        The typed features of the same rows.
    y : ndarray
        Their targets.
    """
    equal = alike(columns)
    given = [names for names in (problem.group, problem.id) if names]
    if not given:
        return Kinship(equal, equal, equal, "features", repeat_rows(equal, columns, y))
    keys = [same_cells(frame, names) for names in given]
    copied = repeat_rows(equal, columns, y)
    together = equal if copied else keys[0]
    for each in keys:
        together = joined(together, each)
    return Kinship(equal, keys[0], together, "group" if problem.group else "id", copied)


def alike(columns: Columns) -> np.ndarray:
    """One number per row, the same for rows that are equal in all typed columns."""
    hashes = pd.util.hash_pandas_object(pd.DataFrame(columns), index=False).to_numpy()
    codes: np.ndarray = np.unique(hashes, return_inverse=True)[1]
    return codes


def same_cells(frame: pd.DataFrame, names: Sequence[str]) -> np.ndarray:
    """The same for rows that have the same cells in these columns of the table."""
    return alike({name: cells_of(frame[name]).codes for name in names})


def joined(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The same for rows that are together in `one` or in `other`, directly or by way of further rows."""
    found = one
    while True:
        wider = _least(_least(found, other), one)
        if (wider == found).all():
            return found
        found = wider


def _least(values: np.ndarray, kin: np.ndarray) -> np.ndarray:
    """Of each row, the least value among the rows that it belongs to."""
    least = np.full(int(kin.max(initial=-1)) + 1, np.iinfo(np.int64).max)
    np.minimum.at(least, kin, values)
    smallest: np.ndarray = least[kin]
    return smallest
