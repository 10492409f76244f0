"""From the cells of a frame, text or typed, to numbers, dates and levels: tolerant of blanks and missing markers.

What a cell says does not depend on where it was read from: ``1``, ``1.0`` and a typed 1 are one number, ``True`` and a
typed true one level, a midnight timestamp and its date one date.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from slipway.errors import TableError
from slipway.table.schema import ISO, MISSING, MISSING_MARKERS, UNSEEN, Columns, Field, Schema, parse_date, show_date

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
    """

    name: str
    texts: list[str]
    codes: np.ndarray

    @property
    def missing(self) -> np.ndarray:
        return self.codes < 0

    @cached_property
    def numbers(self) -> np.ndarray:
        """The number that each distinct text says; NaN where it says none."""
        try:
            plain = np.array(list(map(float, self.texts)), dtype=np.float64)
        except ValueError:
            plain = np.array([np.nan])
        if np.isfinite(plain).all() and "_" not in "".join(self.texts):
            return plain
        return np.array([_number(text) for text in self.texts], dtype=np.float64)

    @cached_property
    def are_dates(self) -> bool:
        return bool(self.texts) and all(ISO.fullmatch(text) for text in self.texts)

    def spread(self, values: np.ndarray, missing) -> np.ndarray:
        """Values per distinct text → values per row."""
        return np.append(values, [missing])[self.codes]

    def rows_of(self, chosen: np.ndarray) -> np.ndarray:
        """Row numbers, from 1, whose distinct text is chosen by this mask."""
        return np.nonzero(self.spread(chosen, False))[0] + 1


def cells_of(column: pd.Series, extra_markers: Iterable[str] = ()) -> Cells:
    """Read one column; `extra_markers` are further texts that mean a missing cell."""
    try:
        codes, distinct = pd.factorize(_plain(column), use_na_sentinel=True)
    except TypeError as error:
        raise TableError(f"column {column.name!r}: has lists or objects", "Add it to drop") from error
    markers = MISSING_MARKERS | {marker.strip().lower() for marker in extra_markers}
    if column.dtype == "str":
        texts = [text.strip() for text in distinct.tolist()]
        lower = {text.lower() for text in texts}
        if len(set(texts)) == len(texts) and lower.isdisjoint(markers) and lower.isdisjoint(("true", "false")):
            return Cells(str(column.name), texts, codes)  # a million different ones in a fraction of the time
    place: dict[str, int] = {}
    moved = np.empty(len(distinct) + 1, dtype=np.int64)
    moved[-1] = MISSING
    for code, cell in enumerate(_decimal(distinct)):
        try:
            text = text_of(_not_bytes(cell))
        except ValueError as error:
            says = f"column {column.name!r}: {str(cell)[:40]!r} is no text, no number, and no date of the years 1 to 9999"
            raise TableError(says, "Add it to drop, or make it one of these") from error
        moved[code] = MISSING if text.lower() in markers else place.setdefault(text, len(place))
    return Cells(str(column.name), list(place), moved[codes])


def _decimal(distinct):
    """Numbers of 32 bits as the decimal numbers that they stand for: 0.1, not 0.10000000149011612."""
    return [float(str(cell)) for cell in np.asarray(distinct)] if distinct.dtype == np.float32 else distinct


def _not_bytes(cell):
    if isinstance(cell, bytes):
        raise ValueError(cell)
    return cell


def _plain(column: pd.Series) -> pd.Series:
    if isinstance(column.dtype, pd.CategoricalDtype):
        return column.astype(column.cat.categories.dtype)
    return column


def text_of(cell) -> str:
    """The canonical text of a typed or textual cell; ValueError when it is a time, or a date of no such year."""
    if isinstance(cell, str):
        stripped = cell.strip()
        return stripped.lower() if stripped.lower() in ("true", "false") else stripped
    if isinstance(cell, (bool, np.bool_)):
        return str(bool(cell)).lower()
    if isinstance(cell, (float, np.floating)):
        return str(int(cell)) if float(cell).is_integer() else repr(float(cell))
    if hasattr(cell, "isoformat"):
        return show_date(parse_date(cell.isoformat()))
    return str(cell)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return np.nan
    # Python reads 1_000 and inf as numbers; a table means neither
    return number if np.isfinite(number) and "_" not in text else np.nan


def read_columns(frame: pd.DataFrame, schema: Schema, markers: Callable[[str], Iterable[str]] = lambda name: ()) -> Columns:
    """The typed columns of `schema`; TableError naming column and rows when a cell is not of its type."""
    columns = {}
    for field in schema:
        if field.name not in frame.columns:
            raise TableError(f"column {field.name!r} is not in the table")
        columns[field.name] = typed(cells_of(frame[field.name], markers(field.name)), field)
    return columns


def typed(cells: Cells, field: Field) -> np.ndarray:
    """One column as its field's type; TableError naming column and rows when a cell is not of it."""
    if field.type == "category":
        known = {level: code for code, level in enumerate(field.levels)}
        codes = np.array([known.get(text, UNSEEN) for text in cells.texts], dtype=np.int64)
        return cells.spread(codes, MISSING)
    if field.type == "date":
        values = np.array([_days(text) for text in cells.texts], dtype=np.float64)
    else:
        values = cells.numbers
    junk = np.isnan(values)
    if junk.any():
        raise TableError(f"column {field.name!r}: {junk_says(cells, junk)}, expected a {field.type}", JUNK_CURE)
    return cells.spread(values, np.nan)


JUNK_CURE = "If they mean a missing cell, add them to missing; else set the column's type, or drop it"


def junk_says(cells: Cells, junk: np.ndarray) -> str:
    """How many cells say which texts, and in which rows."""
    rows = cells.rows_of(junk)
    shown = ", ".join(repr(text[:30]) for text, odd in zip(cells.texts, junk) if odd)[:120]
    places = ", ".join(str(row) for row in rows[:SHOWN]) + (" …" if len(rows) > SHOWN else "")
    return f"{len(rows)} cells say {shown} (row{'s' if len(rows) > 1 else ''} {places})"


def _days(text: str) -> float:
    try:
        return parse_date(text) if ISO.fullmatch(text) else np.nan
    except ValueError:
        return np.nan


def cell_keys(frame: pd.DataFrame, columns: Sequence[str]) -> list[bytes]:
    """One key per row from these columns, the same wherever the table was read from.

    A missing cell is empty, a number its shortest decimal form, a date its ISO text, all else the stripped text; `columns`
    are taken in sorted order.
    """
    texts = []
    for name in sorted(columns):
        if name not in frame.columns:
            raise TableError(f"column {name!r} is not in the table")
        cells = cells_of(frame[name])
        canonical = np.array([*_canonicals(cells), ""], dtype=object)
        texts.append(canonical[cells.codes])
    return ["\x1f".join(row).encode("utf-8", "surrogatepass") for row in zip(*texts)]


def _canonicals(cells: Cells) -> list[str]:
    if np.isnan(cells.numbers).any():
        return [_canonical(text) for text in cells.texts]
    return list(map(repr, (cells.numbers + 0.0).tolist()))


def _canonical(text: str) -> str:
    number = _number(text)
    if not np.isnan(number):
        return repr(number + 0.0)
    if ISO.fullmatch(text):
        days = _days(text)
        return text if np.isnan(days) else show_date(days)
    return text.replace("\\", "\\\\").replace("\x1f", "\\x1f")
