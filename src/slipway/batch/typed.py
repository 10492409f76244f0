"""The rows of Parquet and of a collection, whose cells are typed, batch by batch."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pyarrow

from slipway.batch.rows import Position, Rows

ROWS = 1 << 14


@dataclass(frozen=True)
class Typed:
    """A table that is read in record batches.

    Parameters
    ----------
    where : str
    rows : int or None
        About how many.
    names : tuple of str
        Its columns, all of them read.
    batches : callable
        () → iterator of record batches, the same ones each time.
    """

    where: str
    rows: int | None
    names: tuple[str, ...]
    batches: Callable[[], Iterator[pyarrow.RecordBatch]]

    @property
    def start(self) -> Position:
        """The position of the first row."""
        return {"row": 0}

    def share(self, position: Position) -> float | None:
        """How much of the table is before a position; None when that is not known."""
        return min(1.0, position["row"] / self.rows) if self.rows else None

    def read(self, position: Position) -> Iterator[Callable[[], Rows]]:
        """Batches of rows from a position on; those before it are read again, and passed over."""
        row = 0
        for batch in self.batches():
            for begin in range(0, batch.num_rows, ROWS):
                some = batch.slice(begin, ROWS)
                first, row = row, row + some.num_rows
                if row > position["row"]:
                    yield partial(Rows, self.where, first + 1, some.num_rows, some, {"row": row})
