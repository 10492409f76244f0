"""The columns of a pandas frame, text or typed: their distinct cells, read once each."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from slipway.errors import TableError
from slipway.table.cell import UNLIKE, USUAL, Markers, Reader, encode, no_markers, numbers, reader_of
from slipway.table.dates import ISO
from slipway.table.faults import Faults
from slipway.table.rules import Rule, spread
from slipway.table.schema import MISSING, Columns, Field, Schema, an

SHOWN = 3


@dataclass(frozen=True)
class Cells:
    """One column: its distinct texts, and which of them each row has.

    Parameters
    ----------
    name : str
    texts : list of str
        Distinct cells, without blanks around them.
    codes : ndarray of int
        Index into `texts` per row; -1 where the cell is missing.
    written : bool
        Whether cells are text in the table, so that a format says what they are.
    """

    name: str
    texts: list[str]
    codes: np.ndarray
    written: bool = True

    @property
    def missing(self) -> np.ndarray:
        return self.codes < 0

    @cached_property
    def numbers(self) -> np.ndarray:
        """The number that each distinct text says; NaN where it says none."""
        return numbers(self.texts)

    @cached_property
    def are_dates(self) -> bool:
        return bool(self.texts) and all(ISO.fullmatch(text) for text in self.texts)

    def spread(self, values: np.ndarray, missing: float) -> np.ndarray:
        """Values per distinct text → values per row."""
        rows: np.ndarray = np.append(values, [missing])[self.codes]
        return rows

    def rows_of(self, chosen: np.ndarray) -> np.ndarray:
        """Row numbers, from 1, whose distinct text is chosen by this mask."""
        return np.nonzero(self.spread(chosen, False))[0] + 1


def cells_of(column: pd.Series, reader: Reader = USUAL) -> Cells:
    """Read one column."""
    try:
        codes, distinct = pd.factorize(_plain(column), use_na_sentinel=True)
    except TypeError as error:
        raise TableError(f"column {column.name!r}: has lists or objects", "Add it to drop") from error
    cells = _scalars(distinct)
    try:
        texts = reader.texts(cells)
    except ValueError as error:
        says = f"column {column.name!r}: {str(error)[:40]!r} is no text, no number, and no date of the years 1 to 9999"
        raise TableError(says, "Add it to drop, or make it one of these") from error
    place: dict[str, int] = {}
    moved = [MISSING if text is None else place.setdefault(text, len(place)) for text in texts]
    written = column.dtype == "str" or column.dtype == object and any(isinstance(cell, str) for cell in cells)
    return Cells(str(column.name), list(place), np.array([*moved, MISSING], dtype=np.int64)[codes], bool(written))


def _scalars(distinct: pd.Index) -> list[Any]:
    """The cells; numbers of 32 bits as such, because as doubles they would not say 0.1 but 0.10000000149011612."""
    return list(np.asarray(distinct)) if distinct.dtype == np.float32 else list(distinct)


def _plain(column: pd.Series) -> pd.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype(column.cat.categories.dtype)
    return column


def read_columns(frame: pd.DataFrame, schema: Schema, markers: Markers = no_markers) -> Columns:
    """The typed columns of `schema`; TableError naming column and rows when a cell is not of its type."""
    columns = {}
    for field in schema:
        if field.name not in frame.columns:
            raise TableError(f"column {field.name!r} is not in the table")
        columns[field.name] = typed(cells_of(frame[field.name], reader_of(field, markers(field.name))), field)
    return columns


def read_frame_column(rule: Rule, column: pd.Series) -> tuple[np.ndarray, Faults]:
    """The typed column of a field by its rule, and what is wrong with its cells by row, from 0."""
    try:
        cells = cells_of(column, rule.reader)
    except TableError:  # a list or a time of day: the rows that have one are told
        return rule.read(column.tolist())
    distinct = [*cells.texts, None]
    return spread(*rule.read_texts(distinct), cells.codes % len(distinct))


def typed(cells: Cells, field: Field) -> np.ndarray:
    """One column as its field's type; TableError naming column and rows when a cell is not of it."""
    if field.type == "category":
        return cells.spread(encode(field, cells.texts), MISSING)
    values = cells.numbers if field.type != "date" else encode(field, cells.texts)
    junk = np.isnan(values)
    if junk.any():
        raise TableError(f"column {field.name!r}: {junk_says(cells, junk)}, expected {an(field.type)}", JUNK_CURE)
    return cells.spread(values, np.nan)


JUNK_CURE = "If they mean a missing cell, add them to missing; else set the column's type, or drop it"


def junk_says(cells: Cells, junk: np.ndarray) -> str:
    """How many cells say which texts, and in which rows."""
    rows = cells.rows_of(junk)
    shown = ", ".join(repr(text.partition(UNLIKE)[0][:30]) for text, odd in zip(cells.texts, junk) if odd)[:120]
    places = ", ".join(str(row) for row in rows[:SHOWN]) + (" …" if len(rows) > SHOWN else "")
    number = "1 cell contains" if len(rows) == 1 else f"{len(rows)} cells contain"
    return f"{number} {shown} (row{'s' if len(rows) > 1 else ''} {places})"
