"""Which rows belong together: those that say the same in all features, and those of one id or one group."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from slipway.table.cells import cells_of
from slipway.table.schema import Columns


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
