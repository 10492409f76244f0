"""The folds of cross-validation: rows that belong together stay together, and what has a time is learned from its past."""

import numpy as np

from slipway.errors import TableError

FOLDS = 5
REPEATS = ((1_000, 4), (3_000, 2))  # times that a table of fewer rows than that is divided
LARGE = 20_000
FIRST = 0.5  # of the rows in time: what the first fold learns from
Fold = tuple[np.ndarray, np.ndarray]  # the rows learned from, and those held out


def folds(y: np.ndarray, classes: int, kin: np.ndarray | None, time: np.ndarray | None, seed: int) -> list[Fold]:
    """Five folds; several times on small tables, where one division says little; three on large ones.

    Parameters
    ----------
    y : ndarray
        Numbers, or codes of classes.
    classes : int
        How many; 0 for numbers. Each fold gets its share of each.
    kin : ndarray of int or None
        Rows with the same number are never on both sides of a fold; None when each row stands alone.
    time : ndarray or None
        When each row was; then every fold learns from the rows before those it holds out, and rows of the first half are
        only learned from.
    seed : int

    Raises
    ------
    TableError
        When all rows have the same time, or the first in time know fewer than two classes.
    """
    number = 3 if len(y) > LARGE else FOLDS
    if time is not None:
        return _forward(y, classes, time, number)
    kin = np.arange(len(y)) if kin is None else np.unique(kin, return_inverse=True)[1]
    random = np.random.default_rng(seed)
    found = []
    for _ in range(next((times for most, times in REPEATS if len(y) < most), 1)):
        parts = dealt(y, classes, kin, number, random)
        found += [(np.flatnonzero(parts != fold), np.flatnonzero(parts == fold)) for fold in range(number)]
    return [fold for fold in found if len(fold[1])]


def dealt(y: np.ndarray, classes: int, kin: np.ndarray, number: int, random: np.random.Generator) -> np.ndarray:
    """The fold of each row.

    The rows that belong together are dealt like cards, there and back again: those with the rarest class first, of these
    the largest first, so that folds are equal in rows and classes. scikit-learn's StratifiedGroupKFold tries each fold
    for each of them, which takes seconds where most rows stand alone.
    """
    sizes = np.bincount(kin)
    rarest = np.zeros(len(sizes), dtype=np.int64)
    if classes:
        ranks = np.argsort(np.argsort(np.bincount(y.astype(np.int64), minlength=classes), kind="stable"), kind="stable")
        rarest[:] = classes
        np.minimum.at(rarest, kin, ranks[y.astype(np.int64)])
    order = np.lexsort((random.permutation(len(sizes)), -sizes, rarest))
    parts = np.empty(len(sizes), dtype=np.int64)
    there = np.arange(number)
    parts[order] = np.resize(np.concatenate([there, there[::-1]]), len(sizes))
    found: np.ndarray = parts[kin]
    return found


def _forward(y: np.ndarray, classes: int, time: np.ndarray, number: int) -> list[Fold]:
    """Windows of equal size in the later half, each after all that is learned from; equal times are never parted."""
    moments = np.where(np.isnan(time), -np.inf, time)  # a row without one is only learned from
    order = np.sort(moments)
    cuts = np.unique([order[min(int(part * len(y)), len(y) - 1)] for part in np.linspace(FIRST, 1, number + 1)])
    if len(cuts) == 1:
        cuts = np.array([order[0], order[-1]])
    found = [
        (np.flatnonzero(moments <= low), np.flatnonzero((moments > low) & (moments <= high)))
        for low, high in zip(cuts, cuts[1:])
    ]
    if not any(len(held) for _, held in found):
        raise TableError(
            "time: it has one value in all training rows, so none is later than those it could be predicted from",
            "Name a column that tells more rows apart, or take time out of slipway.yaml",
        )
    known = [fold for fold in found if len(fold[1]) and (not classes or len(np.unique(y[fold[0]])) > 1)]
    if not known:
        raise TableError(
            "time: the earlier rows are all of one class, so nothing can be learned from them about the later ones",
            "Take time out of slipway.yaml if the table is sorted by its target",
        )
    return known
