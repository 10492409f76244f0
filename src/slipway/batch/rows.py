"""Rows on their way: as they were read, and as they were answered."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pyarrow

Position = Mapping[str, Any]  # a place between two rows, as the reader of a part wants it; JSON


@dataclass(frozen=True)
class Rows:
    """Some rows of one part of the input, one after the other.

    Parameters
    ----------
    where : str
        The part: a file, an address, a collection.
    first : int
        Number of the first row within the part, from 1.
    count : int
    cells : RecordBatch, Table, or mapping of str to list
        The columns that are needed, of the rows that have the right shape.
    position : Position
        Where the rows after these begin.
    malformed : mapping of int to str
        Rows, from 0, that have not, and why.
    originals : sequence or BinaryArray
        The rows with the right shape as they stand: of CSV the bytes without the line end, of a collection the document;
        of a database its row; empty where the cells are all there is.
    key : tuple of int
        Where in such a row its key is.
    """

    where: str
    first: int
    count: int
    cells: Any
    position: Position
    malformed: Mapping[int, str] = field(default_factory=dict)
    originals: Any = ()
    key: tuple[int, ...] = ()

    @property
    def well_formed(self) -> int:
        """How many rows have the right shape."""
        return self.count - len(self.malformed)

    def told(self, row: int) -> str:
        """Where a row, from 0, is found besides by its number: of a document its _id, of a database its key."""
        if self.key:
            return f"{self.where}/{','.join(str(self.originals[row][place]) for place in self.key)}"
        document = self.originals[row] if self.originals and not self.malformed else None
        return f"{self.where}/{document['_id']}" if isinstance(document, dict) else self.where


def column(cells: Any, name: str) -> pyarrow.Array | list[Any]:
    """One column of a batch or table as one array; of a mapping its list."""
    if isinstance(cells, Mapping):
        return cells[name]
    found = cells.column(name)
    return found.combine_chunks() if isinstance(found, pyarrow.ChunkedArray) else found
