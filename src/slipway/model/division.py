"""Which rows a training held out: by a salted hash of the row, so that no later training ever redraws it; or the latest ones.

A row is held out when the hash of its key, taken as a fraction of 1, is below the share. Adding rows moves no other
row, rows that are alike stay on one side, and a smaller share holds out a subset of what a larger one does.

Where rows have a time, those after the boundary that the split records are held out.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b

import numpy as np
import pandas as pd

from slipway.model.contents import Split
from slipway.table.cell import reader_of
from slipway.table.cells import cells_of, typed
from slipway.table.identity import row_keys
from slipway.table.schema import Field, Schema

PLAIN = Schema(())  # no column has a format of its own: numbers are numbers, dates are in ISO 8601
ROWS = 50_000  # whose keys, which are long texts, are in memory at a time


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


def is_named(frame: pd.DataFrame, split: Split) -> np.ndarray:
    """Mask of the rows that have anything to be known by: of all others the key is the same, so that it says nothing."""
    named = np.zeros(len(frame), dtype=bool)
    for name in split.needed:
        named |= ~cells_of(frame[name]).missing
    return named


def undivided(champion: Split, challenger: Split, groups: Sequence[str]) -> tuple[str, ...]:
    """The columns by which a champion's rows should have been divided but were not; none when all is well.

    Such a champion may have learned from neighbours of the rows that the challenger holds out, and wins by what it remembers.

    Parameters
    ----------
    champion, challenger : Split
    groups : sequence of str
        The columns by which the challenger's rows belong together; none where each stands alone.
    """
    if challenger.time and not champion.time:
        return (challenger.time.name,)
    return () if not groups or (champion.columns and set(champion.columns) <= set(groups)) else tuple(groups)


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
