"""From the values that a driver gives to typed columns, by rules that docs/sql.md states."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pyarrow
from pyarrow import compute

INTEGER, DECIMAL, NUMBER, TEXT, MOMENT = "integer", "decimal", "number", "text", "timestamp"
# Python's type of a value → what it is called here
KINDS: dict[type, str] = {
    int: INTEGER,
    float: NUMBER,
    Decimal: DECIMAL,
    bool: "boolean",
    str: TEXT,
    UUID: "uuid",
    date: "date",
    datetime: MOMENT,
}
TYPES = {
    INTEGER: pyarrow.int64(),
    NUMBER: pyarrow.float64(),
    "boolean": pyarrow.bool_(),
    TEXT: pyarrow.string(),
    "date": pyarrow.date32(),
    MOMENT: pyarrow.timestamp("us"),
}
REFUSED: dict[type, str] = {
    dict: "json",
    list: "array",
    bytes: "binary",
    bytearray: "binary",
    memoryview: "binary",
    timedelta: "interval or time",
    time: "time",
}
NUMBERS = {INTEGER, DECIMAL, NUMBER}
JSON = {"json", "jsonb"}  # a driver may give its numbers and texts as such
MYSQL_JSON = 245
LARGEST = (1 << 63) - 1
EXACT = 1 << 53  # up to here every whole number is a double too
UTC = pyarrow.timestamp("us", "UTC")


class Misfit(Exception):
    """A column of a type that no table has; `name` and `says` tell which one and why."""

    def __init__(self, name: str, says: str) -> None:
        super().__init__(name, says)
        self.name, self.says = name, says


class Column:
    """One column while its rows are read.

    Parameters
    ----------
    name : str
    declared : str
        The type as the database calls it; empty where the driver does not tell.

    Raises
    ------
    Misfit
        When it is declared as one that no table has.
    """

    def __init__(self, name: str, declared: str = "") -> None:
        self.name = name
        self.type = pyarrow.null()
        self._declared = declared
        self._kind = ""
        self._largest, self._fractions = 0, False  # of the integers so far; whether there were doubles
        if declared in JSON:
            raise Misfit(name, f"the type is {declared}")

    def cells(self, values: Sequence[Any]) -> pyarrow.Array:
        """The values as an array of `type`, which the later ones may widen from integer to number; Misfit for all else."""
        kinds = set(map(type, values)) - {type(None)}
        for each in kinds:
            self._kind = self._joined(each)
        if not kinds:
            return pyarrow.nulls(len(values), self.type)
        plain, self.type = self._plain(values, kinds)
        try:
            array = pyarrow.array(plain, self.type)
        except OverflowError:  # an integer of more than 64 bits
            self._kind, self.type = NUMBER, TYPES[NUMBER]
            array = pyarrow.array(_floats(values), self.type)
        self._require_exact(values, kinds, array)
        return array

    def _joined(self, kind: type) -> str:
        name = KINDS.get(kind)
        if name is None:
            raise Misfit(self.name, f"the type is {self._declared or REFUSED.get(kind, kind.__name__)}")
        if self._kind in ("", name):
            return name
        if {self._kind, name} <= NUMBERS:
            return NUMBER
        some, others = sorted((self._kind, name))
        raise Misfit(self.name, f"the type is {some} in some rows and {others} in others")

    def _require_exact(self, values: Sequence[Any], kinds: set[type], array: pyarrow.Array) -> None:
        """Misfit when doubles in the same column would round an integer."""
        if int in kinds and pyarrow.types.is_integer(array.type):
            bounds = compute.min_max(array).as_py()
            self._largest = max(self._largest, -bounds["min"], bounds["max"])
        elif int in kinds:
            self._largest = max(self._largest, *(abs(value) for value in values if isinstance(value, int)))
        self._fractions = self._fractions or float in kinds
        if self._fractions and self._largest > EXACT:
            says = f"the type is integer and number by turns, and a whole number above 2^53 ({EXACT:,}) is no double"
            raise Misfit(self.name, says)

    def _plain(self, values: Sequence[Any], kinds: set[type]) -> tuple[Sequence[Any], pyarrow.DataType]:
        """The values as pyarrow knows them, and the type of the column."""
        if self._kind == DECIMAL:
            if self.type != TYPES[NUMBER] and all(map(_is_whole, values)):
                return [None if value is None else int(value) for value in values], TYPES[INTEGER]
            return _floats(values), TYPES[NUMBER]
        if self._kind == NUMBER and kinds != {float}:
            return _floats(values), TYPES[NUMBER]
        if self._kind == "uuid":
            return [None if value is None else str(value) for value in values], TYPES[TEXT]
        if self._kind == MOMENT:
            first = next(value for value in values if value is not None)
            return values, UTC if first.tzinfo else TYPES[MOMENT]
        return values, TYPES[self._kind]


def _is_whole(value: Decimal | None) -> bool:
    """Whether a decimal is written without a fraction, and fits 64 bits."""
    return value is None or value.as_tuple().exponent == 0 and abs(value) <= LARGEST


def _floats(values: Sequence[Any]) -> list[float | None]:
    return [None if value is None else float(value) for value in values]


def declared_type(description: Sequence[Any], dialect: str) -> str:
    """The type of a column of a cursor's description, as the database calls it; empty where the driver does not tell."""
    if dialect in ("mysql", "mariadb"):
        return "json" if description[1] == MYSQL_JSON else ""
    return getattr(description, "type_display", "")
