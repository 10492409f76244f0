"""Which rows are held out: by a salted hash of the row, so that no later training ever redraws it; or the latest ones.

A row is held out when the hash of its key, taken as a fraction of 1, is below the share. Adding rows moves no other
row, rows that are alike stay on one side, and a smaller share holds out a subset of what a larger one does.

Where rows have a time, those after a boundary are held out, which is about the share of them. The split records the
boundary; a later training, which has later rows, sets a later one.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b

import numpy as np
import pandas as pd

from slipway.errors import TableError
from slipway.model.contents import Split
from slipway.problem import Problem
from slipway.table.cell import reader_of
from slipway.table.cells import cells_of, typed
from slipway.table.identity import row_keys
from slipway.table.schema import Field, Schema

PLAIN = Schema(())
FEW = 30
ROWS = 50_000  # whose keys, which are long texts, are in memory at a time


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
    share = problem.holdout.share
    different, counts = np.unique(moments[~np.isnan(moments)], return_counts=True)
    if len(different) < 2:
        raise TableError(
            f"time: column {field.name!r} has the same value in every row", "Name another column, or take time out"
        )
    after = 1 - np.cumsum(counts)[:-1] / counts.sum()
    boundary = float(different[np.abs(after - share).argmin()])
    return Split(share, problem.holdout.salt or problem.name, (), field, boundary)


def _require_order(field: Field) -> None:
    if field.type == "category":
        raise TableError(
            f"time: column {field.name!r} is neither a date nor a number",
            "Name another column; or say in formats how its dates are written, such as 31.12.2024",
        )


def moments_of(frame: pd.DataFrame, field: Field) -> np.ndarray:
    """When each row was, by the column that orders them; TableError when a cell is not of its type."""
    return typed(cells_of(frame[field.name], reader_of(field)), field)


def held_out(frame: pd.DataFrame, split: Split, schema: Schema = PLAIN) -> np.ndarray:
    """Boolean mask of the rows that `split` holds out; `schema` says how cells are written."""
    if split.time is not None and split.boundary is not None:
        later: np.ndarray = moments_of(frame, split.time) > split.boundary
        return later
    parts = [below(keys, split) for keys in keys_of(frame, split.columns, schema)]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)


def keys_of(frame: pd.DataFrame, columns: Sequence[str], schema: Schema) -> Iterator[list[bytes]]:
    """What identifies each row, by these columns; as many rows at a time as memory has room for."""
    readers = {field.name: reader_of(replace(field, markers=())) for field in schema if field.format}
    for start in range(0, len(frame), ROWS):
        yield row_keys(frame.iloc[start : start + ROWS], columns, readers)


def below(keys: Sequence[bytes], split: Split) -> np.ndarray:
    """Boolean mask of the keys whose hash is below the share."""
    threshold = int(split.share * 2**64)
    # blake2b takes a key of at most 64 bytes; a longer salt is hashed to fit
    salt = blake2b(split.salt.encode(), digest_size=32).digest()
    hashes = (int.from_bytes(blake2b(key, digest_size=8, key=salt).digest(), "big") for key in keys)
    return np.fromiter((number < threshold for number in hashes), dtype=bool, count=len(keys))


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
