"""Typed columns side by side in one matrix: so a request has its rows, because the matrix is all that a model needs."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from slipway.table.schema import Field


class Layout:
    """Where a block has the columns of a schema.

    Attributes
    ----------
    places : dict of str to int
        Of each field, in the order of the schema.
    coded : set of str
        The categories.
    """

    def __init__(self, fields: Iterable[Field]) -> None:
        self.places: dict[str, int] = {}
        self.coded: set[str] = set()
        for place, field in enumerate(fields):
            self.places[field.name] = place
            if field.type == "category":
                self.coded.add(field.name)


class Block(Mapping[str, np.ndarray]):
    """Typed columns of some rows. Each is cut out when somebody asks for it: all of one row take longer than to decode it.

    Parameters
    ----------
    layout : Layout
    matrix : ndarray of shape (rows, fields), float64
        The codes of levels are whole numbers.
    """

    __slots__ = ("layout", "matrix")

    def __init__(self, layout: Layout, matrix: np.ndarray) -> None:
        self.layout = layout
        self.matrix = matrix

    def __getitem__(self, name: str) -> np.ndarray:
        column: np.ndarray = self.matrix[:, self.layout.places[name]]
        return column.astype(np.int64) if name in self.layout.coded else column

    def __iter__(self) -> Iterator[str]:
        return iter(self.layout.places)

    def __len__(self) -> int:
        return len(self.layout.places)
