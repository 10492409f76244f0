"""Which rows of the log a bundle cannot have learned from.

Its twin has not learned from the rows that its split holds out, however the data grew. What serves has learned from those,
too: of it only the kept data of the training tells (`slipway.store.snapshots`). A row is new to it when no row of that data
has the same ids, group or features as the split names them, or, where rows are divided in time, when it is later than all.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pandas as pd

from slipway.errors import StoreError
from slipway.model.bundle import Bundle
from slipway.model.contents import IMPORTED, Split, model_of, schema_of
from slipway.model.division import PLAIN, held_out, is_named, keys_of, moments_of, undivided
from slipway.monitoring.logged_rows import LoggedRows
from slipway.store.snapshots import KeptData
from slipway.table.schema import Schema


@dataclass(frozen=True)
class Learned:
    """What a bundle learned from.

    Parameters
    ----------
    split : Split
    keys : ndarray of uint64 or None
        Hashes of the rows that its training read; None when that is not known, or rows are divided in time.
    latest : float or None
        When the last of these rows was; None when that is not known, or rows are not divided in time.
    """

    split: Split
    keys: np.ndarray | None = None
    latest: float | None = None

    def held_out(self, rows: LoggedRows) -> np.ndarray:
        """Mask of the rows that its twin has not learned from."""
        frame = frame_of(rows, self.split.needed)
        held = held_out(frame, self.split)
        return held if self.split.time else held & is_named(frame, self.split)

    def is_new(self, rows: LoggedRows) -> np.ndarray:
        """Mask of the rows that what serves has not learned from; none where that cannot be told."""
        frame = frame_of(rows, self.split.needed)
        new = np.zeros(len(rows), dtype=bool)
        if self.split.time is not None and self.latest is not None:
            new |= moments_of(frame, self.split.time) > self.latest
        elif self.keys is not None:
            new |= ~np.isin(_hashes(frame, self.split.columns, PLAIN), self.keys) & is_named(frame, self.split)
        return new


def learned_of(bundle: Bundle, kept: KeptData) -> Learned:
    """What a bundle learned from, as far as the kept data of its training is here."""
    model = model_of(bundle)
    split = model.split
    if model.kind == IMPORTED or model.of_cluster:  # of all that a cluster learned from, only the sample is kept
        return Learned(split)
    try:
        table, _ = kept.read(model.data)
    except StoreError:  # pruned, or another machine trained it
        return Learned(split)
    if not set(split.needed) <= set(table.column_names):
        return Learned(split)
    frame = table.select(list(split.needed)).to_pandas(date_as_object=False)
    if split.time is not None:
        moments = moments_of(frame, split.time)
        return Learned(split, latest=float(np.nanmax(moments)))
    return Learned(split, keys=np.unique(_hashes(frame, split.columns, schema_of(bundle))))


def merged(one: Learned, other: Learned) -> tuple[Learned, ...]:
    """What two bundles learned from: as one if they divide rows alike, because to find the keys of rows takes long."""
    if one.split != other.split:
        return one, other
    keys = None if one.keys is None or other.keys is None else np.union1d(one.keys, other.keys)
    latest = None if one.latest is None or other.latest is None else max(one.latest, other.latest)
    return (Learned(one.split, keys, latest),)


def frame_of(rows: LoggedRows, names: Sequence[str]) -> pd.DataFrame:
    """These columns of logged rows; one that they lack is missing in all."""
    there = rows.cells.select([name for name in names if name in rows.cells.column_names])
    frame: pd.DataFrame = there.to_pandas() if there.column_names else pd.DataFrame(index=range(len(rows)))
    return frame.reindex(columns=list(names))


def untold(split: Split, logged: Collection[str], private: Collection[str]) -> str:
    """Why the log cannot tell which rows a bundle learned from; empty when it can.

    Parameters
    ----------
    split : Split
    logged : collection of str
        The features and ids that rows may have.
    private : collection of str
        Those that the log omits or hashes.
    """
    hidden = [name for name in split.needed if name in private]
    if hidden:
        return f"the log omits or hashes {hidden[0]}, by which the rows were divided"
    absent = [name for name in split.needed if name not in logged]
    return f"rows were divided by {absent[0]}, which requests do not have" if absent else ""


def unlike(champion: Split, challenger: Split, groups: Sequence[str]) -> str:
    """Why the two cannot meet on rows new to both: the champion may have learned from neighbours of them; else empty.

    Such a champion would win by what it remembers; the gate does not let it meet a challenger either.
    """
    by = undivided(champion, challenger, groups)
    return f"the champion's rows were not divided by {', '.join(by)}" if by else ""


def _hashes(frame: pd.DataFrame, columns: Sequence[str], schema: Schema) -> np.ndarray:
    parts = keys_of(frame, columns, schema)
    digests = b"".join(blake2b(key, digest_size=8).digest() for part in parts for key in part)
    return np.frombuffer(digests, dtype=np.uint64)
