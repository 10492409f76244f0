"""Which rows are held out: by a salted hash of the row, so that no later training ever redraws it.

A row is held out when the hash of its key, taken as a fraction of 1, is below the share. Adding rows moves no other
row, rows that are alike stay on one side, and a smaller share holds out a subset of what a larger one does.
"""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b

import numpy as np
import pandas as pd

from slipway.model.contents import Split
from slipway.problem import Problem
from slipway.table.cell import reader_of
from slipway.table.identity import row_keys
from slipway.table.schema import Schema

PLAIN = Schema(())
FEW = 30
ROWS = 50_000  # whose keys, which are long texts, are in memory at a time


def split_of(problem: Problem, columns: Sequence[str]) -> Split:
    """The split that `problem` asks for on a table with these columns."""
    away = {problem.target, *problem.drop}
    key = problem.id or sorted(name for name in columns if name not in away)
    return Split(problem.holdout.share, problem.holdout.salt or problem.name, tuple(key))


def held_out(frame: pd.DataFrame, split: Split, schema: Schema = PLAIN) -> np.ndarray:
    """Boolean mask of the rows that `split` holds out; `schema` says how cells are written."""
    readers = {field.name: reader_of(replace(field, markers=())) for field in schema if field.format}
    parts = [
        below(row_keys(frame.iloc[start : start + ROWS], split.columns, readers), split)
        for start in range(0, len(frame), ROWS)
    ]
    return np.concatenate(parts) if parts else np.zeros(0, dtype=bool)


def below(keys: Sequence[bytes], split: Split) -> np.ndarray:
    """Boolean mask of the keys whose hash is below the share."""
    threshold = int(split.share * 2**64)
    # blake2b takes a key of at most 64 bytes; a longer salt is hashed to fit
    salt = blake2b(split.salt.encode(), digest_size=32).digest()
    hashes = (int.from_bytes(blake2b(key, digest_size=8, key=salt).digest(), "big") for key in keys)
    return np.fromiter((number < threshold for number in hashes), dtype=bool, count=len(keys))


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
