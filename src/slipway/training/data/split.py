"""How a training divides its rows; `slipway.model.division` tells of any row on which side it is.

Where rows have a time, those after a boundary are held out, which is about the share of them. A later training, which has
later rows, sets a later one.
"""

from collections.abc import Sequence

import numpy as np
from msgspec.structs import replace

from slipway.errors import TableError
from slipway.model.contents import Split
from slipway.problem import Problem
from slipway.table.schema import Field

FEW = 30
CHECKS = 0.2


def split_of(problem: Problem, columns: Sequence[str]) -> Split:
    """The split by hash that `problem` asks for on a table with these columns."""
    away = {problem.target, *problem.drop}
    key = problem.group or problem.id or sorted(name for name in columns if name not in away)
    return Split(problem.holdout.share, problem.holdout.salt or problem.name, tuple(key))


def split_in_time(problem: Problem, field: Field, moments: np.ndarray) -> Split:
    """The split in time: its boundary is the moment after which the share of rows is nearest to the one asked for.

    Parameters
    ----------
    problem : Problem
    field : Field
        The column that orders the rows.
    moments : ndarray
        When each row was; NaN where it does not say.

    Raises
    ------
    TableError
        When all rows are of one moment.
    """
    _require_order(field)
    boundary = _boundary(moments, problem.holdout.share)
    if boundary is None:
        raise TableError(
            f"time: column {field.name!r} has the same value in every row", "Name another column, or take time out"
        )
    return Split(problem.holdout.share, problem.holdout.salt or problem.name, (), field, boundary)


def _boundary(moments: np.ndarray, share: float) -> float | None:
    """The moment after which the share of rows is nearest to this one; None when all are of one."""
    different, counts = np.unique(moments[~np.isnan(moments)], return_counts=True)
    after = 1 - np.cumsum(counts)[:-1] / counts.sum()
    return float(different[np.abs(after - share).argmin()]) if len(after) else None


def checks_of(split: Split, moments: np.ndarray | None) -> Split:
    """Which fifth of the rows learned from tells what the others taught: by another hash of the same key, or the latest.

    Where the rows learned from are all of one moment, it tells nothing: no row is later.

    Parameters
    ----------
    split : Split
    moments : ndarray or None
        When each row was, of a split in time.
    """
    if split.boundary is None or moments is None:
        return replace(split, share=CHECKS, salt=f"{split.salt} checks")
    earlier = moments[moments <= split.boundary]
    boundary = _boundary(earlier, CHECKS)
    return split if boundary is None else replace(split, boundary=boundary)


def _require_order(field: Field) -> None:
    if field.type == "category":
        raise TableError(
            f"time: column {field.name!r} is neither a date nor a number",
            "Name another column; or say in formats how its dates are written, such as 31.12.2024",
        )


def in_time(split: Split, moments: np.ndarray | None, held: np.ndarray) -> list[str]:
    """What a reader must know of a split in time: its boundary, and rows that have no place in it."""
    if split.time is None or split.boundary is None or moments is None:
        return []
    name, lost = split.time.name, int(np.isnan(moments).sum())
    found = [f"the {held.sum():,} rows after {split.time.show(split.boundary)} ({name}) are held out"]
    return found + ([f"{lost:,} rows without {name} are learned from, and never held out"] if lost else [])


def notes(y: np.ndarray, classes: Sequence[str]) -> list[str]:
    """What a reader must know of the hold-out: too few rows, of a class or in all."""
    if not classes:
        counts = {"rows": len(y)}
    else:
        counts = {f"rows of {label}": int((y == code).sum()) for code, label in enumerate(classes)}
    return [
        f"only {count} {what} are held out (fewer than {FEW}): the hold-out figures are uncertain"
        for what, count in counts.items()
        if count < FEW
    ]
