"""What one cell says: the one reading that training, every source and every call of the service share.

What a cell says does not depend on where it was read from: ``1``, ``1.0`` and a typed 1 are one number, ``True`` and a
typed true one level, a midnight timestamp and its date one date.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from slipway.table.dates import days, parse_datetime, show_date, show_datetime
from slipway.table.dialect import bare
from slipway.table.formats import Described, Format, format_of, number, problem_format
from slipway.table.schema import MISSING, UNSEEN, Columns, Field, Schema

# Cells that mean "missing" in every column, in lower case and without blanks around them.
MISSING_MARKERS = frozenset(
    {
        "",
        "na",
        "n/a",
        "n.a.",
        "#n/a",
        "<na>",
        "nan",
        "-nan",
        "#na",
        "null",
        "none",
        "?",
        "-",
        "--",
        "nil",
        "missing",
    }
)
BOOLEANS = frozenset({"true", "false"})
UNLIKE = " (not like "
Markers = Callable[[str], Collection[str]]  # column → further texts that mean a missing cell in it


def no_markers(column: str) -> tuple[str, ...]:
    """None besides the usual ones."""
    return ()


class Reader:
    """Reads the cells of one column.

    Parameters
    ----------
    markers : iterable of str
        Texts that mean a missing cell in this column, besides the usual ones.
    format : Format or None
        How its texts write numbers or dates; typed cells are as they are.
    quotes : bool
        Whether quotes around a text are a part of it, as they were before the first release.
    """

    def __init__(self, markers: Iterable[str] = (), format: Format | None = None, quotes: bool = False) -> None:
        self.markers = MISSING_MARKERS | {marker.strip().lower() for marker in markers}
        self.format = format
        self._bare = str.strip if quotes else bare
        self.numeric_markers = frozenset(value for marker in self.markers if (value := number(marker)) == value)
        self.date_markers = frozenset(marker for marker in self.markers if marker[:1].isdigit())

    def text(self, cell: Any) -> str | None:
        """The canonical text of a cell, None when it is missing.

        A text without blanks and quotes around it; true and false in lower case; a number or date by the format in plain
        digits or ISO 8601.

        Raises
        ------
        ValueError
            When the cell is a list, an object, bytes, a time of day, or a date outside of the years 1 to 9999.
        """
        if not isinstance(cell, str):
            text = None if _is_missing(cell) else typed_text(cell)
            return None if text is None or self._is_marker(text) else text
        text = self._bare(cell)
        if self._is_marker(text):
            return None
        if self.format is None:
            lower = text.lower()
            return lower if lower in BOOLEANS else text
        plain = self.format.plain(text)
        # what is not written so must not be read in another way: 1.23 is no number where 1.234 is 1234
        return f"{text}{UNLIKE}{self.format.example})" if plain is None else plain

    def _is_marker(self, text: str) -> bool:
        """Whether a text means a missing cell; of numbers the value counts: -999 is -999.00, too."""
        return text.lower() in self.markers or bool(self.numeric_markers) and number(text) in self.numeric_markers

    def texts(self, cells: Sequence[Any]) -> list[str | None]:
        """The texts of many cells; a million plain ones in a fraction of the time."""
        if self.format is None and all(type(cell) is str for cell in cells):
            stripped = [cell.strip() for cell in cells]
            lower = {text.lower() for text in stripped}
            if (
                not self.numeric_markers
                and lower.isdisjoint(self.markers)
                and lower.isdisjoint(BOOLEANS)
                and not any(map(_is_wrapped, lower))
            ):
                return list(stripped)
        return [self.text(cell) for cell in cells]


USUAL = Reader()


def reader_of(field: Field, markers: Collection[str] = ()) -> Reader:
    """The reader of a field's cells; `markers` are texts that mean a missing cell besides those that the field names."""
    quotes = any(map(_is_quoted, field.levels))  # of a bundle whose training took them for a part of the text
    return Reader((*field.markers, *markers), format_of(field.format) if field.format else None, quotes)


def problem_reader(problem: Described, name: str) -> Reader:
    """How a problem has the cells of a column read; ProblemError when its format is none."""
    return Reader(problem.markers(name), problem_format(problem, name))


def typed_text(cell: Any) -> str:
    """The canonical text of a cell that is no text and not missing; ValueError as of `Reader.text`."""
    if isinstance(cell, (bool, np.bool_)):
        return str(bool(cell)).lower()
    if isinstance(cell, np.float32):  # 0.1, not 0.10000000149011612
        cell = float(str(cell))
    if isinstance(cell, (float, np.floating)):
        return str(int(cell)) if float(cell).is_integer() else repr(float(cell))
    if isinstance(cell, (list, dict, bytes)):
        raise ValueError(str(cell))
    if not hasattr(cell, "isoformat"):
        return str(cell)
    try:
        return show_datetime(parse_datetime(cell.isoformat()))
    except ValueError as error:
        raise ValueError(str(cell)) from error


def encode(field: Field, texts: Sequence[str | None]) -> np.ndarray:
    """Canonical texts as values of a field's type: float64 numbers or days, or int64 codes of levels.

    A missing cell is NaN or MISSING, a text that is not of the type NaN or UNSEEN.
    """
    if field.type == "category":
        codes: dict[str | None, int] = {level: code for code, level in enumerate(field.levels)}
        codes[None] = MISSING
        return np.array([codes.get(text, UNSEEN) for text in texts], dtype=np.int64)
    if field.type == "date":
        return np.array([np.nan if text is None else days(text) for text in texts], dtype=np.float64)
    return numbers(texts)


def columns_from_rows(schema: Schema, rows: Sequence[Mapping[str, Any]]) -> Columns:
    """Rows as golden.json has them (name → number, text, or None for a missing cell) as typed columns.

    Raises
    ------
    ValueError
        When a value is not of its field's type.
    """
    found = {}
    for field in schema:
        cells = [row.get(field.name) for row in rows]
        texts = [cell if cell is None or isinstance(cell, str) else typed_text(cell) for cell in cells]
        found[field.name] = encode(field, texts)
        odd = np.flatnonzero(np.isnan(found[field.name]) & np.array([text is not None for text in texts], dtype=bool))
        if len(odd):
            raise ValueError(f"{field.name}: {str(cells[odd[0]])[:40]!r} is not a {field.type}")
    return found


def numbers(texts: Sequence[str | None]) -> np.ndarray:
    """The number that each text says; NaN where it says none."""
    with suppress(ValueError, TypeError):  # a missing one is the second
        plain = np.array(list(map(float, texts)), dtype=np.float64)  # type: ignore[arg-type]  # of None: TypeError
        if np.isfinite(plain).all() and not any("_" in text for text in texts if text):
            return plain
    return np.array([np.nan if text is None else number(text) for text in texts], dtype=np.float64)


def _is_missing(cell: Any) -> bool:
    try:
        return cell is None or bool(cell != cell)
    except TypeError:  # pandas.NA is neither
        return True


def _is_quoted(text: str) -> bool:
    return text[:1] == '"'


def _is_wrapped(text: str) -> bool:
    return text[:1] in ('"', "\ufeff")


def request_value(field: Field, cell: float) -> int | float | str:
    """A typed cell that is not missing, as requests carry it."""
    if field.type == "category":
        return field.levels[int(cell)]
    if field.type == "date":
        return show_date(cell)
    return int(cell) if field.type == "integer" else cell


def request_rows(schema: Schema, columns: Columns) -> list[dict[str, Any]]:
    """Typed columns → rows of JSON values; a missing cell is None."""
    by_field = [
        [None if cell < 0 and field.type == "category" or np.isnan(cell) else request_value(field, cell) for cell in cells]
        for field, cells in ((field, columns[field.name].tolist()) for field in schema)
    ]
    return [dict(zip(schema.names, cells)) for cells in zip(*by_field)]
