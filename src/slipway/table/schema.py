"""What one row is: names, types, levels, ranges, missingness.

One description drives ingest checks, request decoding, the API's specification, the web form, drift columns and
sample requests. It needs NumPy only, because the service imports it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

import numpy as np

from slipway.errors import TableError
from slipway.table.dates import show_date

MISSING = -1
UNSEEN = -2

Columns = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Field:
    """One column as training saw it.

    Parameters
    ----------
    name : str
    type : str
    levels : tuple of str
        The levels of a category, sorted.
    minimum, maximum : float or None
        The range of a number; for a date in days since 1970-01-01.
    missing : float
        Share of missing cells, 0 to 1. Only a field that had some may be null or absent in a request.
    example : float, int, str or None
        A typical value: the median of a number or date, the most frequent level.
    format : str
        How its texts write 1234.56 or 31 December 2024; empty for 1234.56 and 2024-12-31.
    markers : tuple of str
        Texts that mean a missing cell, besides the usual ones.
    """

    name: str
    type: Literal["number", "integer", "category", "date"]
    levels: tuple[str, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    missing: float = 0.0
    example: float | int | str | None = None
    format: str = ""
    markers: tuple[str, ...] = ()

    @property
    def optional(self) -> bool:
        return self.missing > 0

    @property
    def is_number(self) -> bool:
        return self.type in ("number", "integer")

    @property
    def range(self) -> str:
        """The range of a number or date, in words."""
        if self.minimum is None or self.maximum is None:
            return "no values"
        return f"{self.show(self.minimum)} to {self.show(self.maximum)}"

    def show(self, value: float) -> str:
        """A value of this field as one would write it."""
        if self.type == "date":
            return show_date(value)
        return str(int(value)) if float(value).is_integer() else repr(float(value))


@dataclass(frozen=True)
class Feature:
    """A column that the model computes from the fields of a row, by an expression (`slipway.table.expressions`)."""

    name: str
    expression: str


@dataclass(frozen=True)
class Schema:
    """The fields of a row, in the order of the table.

    Parameters
    ----------
    fields : tuple of Field
    features : tuple of Feature
        What is computed from them.
    left_out : tuple of (str, str)
        Columns that say nothing a model can learn, and why.
    """

    fields: tuple[Field, ...]
    features: tuple[Feature, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()

    def __iter__(self) -> Iterator[Field]:
        return iter(self.fields)

    def __getitem__(self, name: str) -> Field:
        for field in self.fields:
            if field.name == name:
                return field
        raise KeyError(name)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(field.name for field in self.fields)

    @property
    def unlearned(self) -> set[str]:
        """The columns that training left out by itself."""
        return {name for name, _ in self.left_out}


def require_columns(where: str, names: Sequence[str], needed: Sequence[str]) -> None:
    """TableError naming the columns of a model that the table at `where` lacks."""
    missing = [name for name in needed if name not in names]
    if missing:
        plain = {name.lower(): name for name in names if name not in needed}
        close = get_close_matches(missing[0].lower(), plain, 1, 0.6)
        cure = f"Did you mean {plain[close[0]]!r}?" if close else f"It has {', '.join(names[:20])}"
        listed = ", ".join(map(repr, missing[:20]))
        raise TableError(f"{where} has no column {listed}, which the model needs", cure)


def fresh_names(names: Sequence[str], taken: Collection[str]) -> tuple[str, ...]:
    """Names for the columns that an answer adds to a table: a name that the table has already gets underscores."""
    found: list[str] = []
    for name in names:
        while name in taken or name in found:
            name += "_"
        found.append(name)
    return tuple(found)


def an(kind: str) -> str:
    """A type with its article."""
    return f"an {kind}" if kind == "integer" else f"a {kind}"
