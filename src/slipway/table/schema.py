"""What one row is: names, types, levels, ranges, missingness.

One description drives ingest checks, request decoding, the API's specification, the web form, drift columns and
sample requests. It needs NumPy only, because the service imports it.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np

MISSING = -1
UNSEEN = -2
EPOCH = datetime(1970, 1, 1)
LAST = (datetime(9999, 12, 31, 23, 59, 59) - EPOCH) // timedelta(milliseconds=1)

# Cells of a table that mean "missing", in lower case and without blanks around them.
MISSING_MARKERS = frozenset({
    "", "na", "n/a", "n.a.", "#n/a", "<na>", "nan", "-nan", "#na", "null", "none", "?", "-", "--", "nil", "missing",
})

# What separates the cells of a CSV file: the one of these that its header has most of.
SEPARATORS = ",;\t|"

ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:?\d\d)?)?", re.ASCII)

Columns = dict[str, np.ndarray]


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
    def range(self) -> str:
        """The range of a number or date, in words."""
        return f"{self.show(self.minimum)} to {self.show(self.maximum)}"

    def show(self, value: float) -> str:
        """A value of this field as one would write it."""
        if self.type == "date":
            return show_date(value)
        return str(int(value)) if float(value).is_integer() else repr(float(value))


@dataclass(frozen=True)
class Schema:
    """The fields of a row, in the order of the table."""

    fields: tuple[Field, ...]

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

    def columns_from_rows(self, rows: Sequence[Mapping]) -> Columns:
        """Turn validated rows (name → JSON value, None or absent = missing) into typed columns."""
        return self.columns_from_cells([[row.get(name) for row in rows] for name in self.names])

    def columns_from_cells(self, cells: Sequence[Sequence]) -> Columns:
        """The same from the values of each field, in the order of the fields; ValueError on a date that is none."""
        return {field.name: _column(field, values) for field, values in zip(self.fields, cells, strict=True)}


def _column(field: Field, values: Sequence) -> np.ndarray:
    if field.type == "category":
        codes = {level: code for code, level in enumerate(field.levels)}
        codes[None] = MISSING
        return np.array([codes.get(value, UNSEEN) for value in values], dtype=np.int64)
    if field.type == "date":
        values = [None if value is None else parse_date(value) for value in values]
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def parse_date(text: str) -> float:
    """Days since 1970-01-01 of an ISO 8601 date or date-time; a time zone is converted to UTC.

    Raises
    ------
    ValueError
        When the text is not such a date.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is not None:
        try:
            moment = moment.astimezone(UTC).replace(tzinfo=None)
        except OverflowError as error:  # out of the years 1 to 9999
            raise ValueError(text) from error
    return (moment - EPOCH) / timedelta(days=1)


def show_date(days: float) -> str:
    """The ISO 8601 text of days since 1970-01-01; a whole day has no time part."""
    # to the millisecond: far from 1970 a double has no microseconds, and the last of them is none of the year 9999
    moment = EPOCH + timedelta(milliseconds=min(round(days * 86_400_000), LAST))
    return moment.date().isoformat() if float(days).is_integer() else moment.isoformat(timespec="seconds")


def fresh_names(names: Sequence[str], taken: Collection[str]) -> tuple[str, ...]:
    """Names for the columns that an answer adds to a table: a name that the table has already gets underscores."""
    found: list[str] = []
    for name in names:
        while name in taken or name in found:
            name += "_"
        found.append(name)
    return tuple(found)
