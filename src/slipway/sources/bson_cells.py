"""From the values of MongoDB documents to typed columns, by rules that docs/mongodb.md states."""

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any

import pyarrow
import pyarrow.compute
from bson import Binary, Code, Decimal128, Int64, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

EXACT = 1 << 53  # up to here every whole number is a double too

# Python's type of a value, as bson decodes it → the name that MongoDB gives the type
KINDS = {
    float: "double",
    int: "int",
    Int64: "int",
    Decimal128: "decimal",
    bool: "bool",
    str: "string",
    datetime: "date",
    ObjectId: "objectId",
}
REFUSED = {
    dict: "object",
    list: "array",
    bytes: "binData",
    Binary: "binData",
    Regex: "regex",
    Timestamp: "timestamp",
    Code: "javascript",
    DatetimeMS: "date outside of the years 1 to 9999",
}
TYPES = {
    "double": pyarrow.float64(),
    "decimal": pyarrow.float64(),
    "int": pyarrow.int64(),
    "bool": pyarrow.bool_(),
    "string": pyarrow.string(),
    "date": pyarrow.timestamp("ms", "UTC"),
    "objectId": pyarrow.string(),
}
NUMBERS = {"int", "double", "decimal"}


class Misfit(Exception):
    """A value that does not fit its column.

    Parameters
    ----------
    name : str
        The column.
    row : int
        Of the documents given, from 0.
    says : str
        What is wrong with it.
    """

    def __init__(self, name: str, row: int, says: str) -> None:
        super().__init__(name, row, says)
        self.name, self.row, self.says = name, row, says


class Column:
    """One column while its documents are read; it remembers what kind of values it has had.

    Parameters
    ----------
    name : str
    path : str
        Where the value is in a document; dots lead into sub-documents.
    """

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self._keys = path.split(".")
        self._getters = [itemgetter(key) for key in self._keys]
        self._kind = ""
        self._largest = 0

    @property
    def type(self) -> pyarrow.DataType:
        """Of all cells so far; null while all of them are missing."""
        return TYPES.get(self._kind, pyarrow.null())

    def cells(self, documents: Sequence[dict[str, Any]]) -> pyarrow.Array:
        """The column of these documents, typed; Misfit when a value is of no kind that fits a table, or of another kind."""
        values = self._values(documents)
        kinds = {KINDS.get(each) for each in set(map(type, values)) - {type(None)}}
        kind: str | None = self._kind
        for each in kinds:
            kind = _joined(kind, each)
        if kind is None:
            raise Misfit(self.name, *self._misfit(values))
        if kind == "double" and "int" in kinds | {self._kind}:
            self._check_exact(values)
        self._kind = kind
        if not kinds:
            return pyarrow.nulls(len(values), self.type)
        array = pyarrow.array(_plain(values, kinds), TYPES[kind])
        if kind == "int":
            bounds = pyarrow.compute.min_max(array).as_py()
            self._largest = max(self._largest, -bounds["min"], bounds["max"])
        return array

    def _values(self, documents: Sequence[dict[str, Any]]) -> list[Any]:
        values: Iterable[Any] = documents
        try:
            for getter in self._getters:
                values = map(getter, values)
            return list(values)
        except (KeyError, TypeError):  # a field is missing, or what it should be in is no sub-document
            return [value_at(document, self._keys) for document in documents]

    def _misfit(self, values: list[Any]) -> tuple[int, str]:
        """The first value that does not fit what came before it."""
        had: str | None = self._kind
        for row, value in enumerate(values):
            if value is None:
                continue
            kind = KINDS.get(type(value))
            if kind is None:
                name = REFUSED.get(type(value), type(value).__name__)
                return row, f"the type is {name}" + (f", and {had} in documents before it" if had else "")
            if _joined(had, kind) is None:
                return row, f"the type is {kind}, and {had} in documents before it"
            had = _joined(had, kind)
        raise AssertionError(self.name)

    def _check_exact(self, values: list[Any]) -> None:
        says = f"the type is int and double by turns, and a whole number above 2^53 ({EXACT:,}) is no double"
        for row, value in enumerate(values):
            if isinstance(value, int) and abs(value) > EXACT:
                raise Misfit(self.name, row, says)
            if self._largest > EXACT and isinstance(value, float):
                raise Misfit(self.name, row, says)


def _joined(had: str | None, kind: str | None) -> str | None:
    """The kind that holds both; None when none does."""
    if had in ("", kind):
        return kind
    return "double" if {had, kind} <= NUMBERS else None


def value_at(document: object, keys: list[str]) -> object:
    """The value at a path; None when it is missing, and the array when one is in the way."""
    for key in keys:
        if not isinstance(document, dict):
            return document if isinstance(document, list) else None
        document = document.get(key)
    return document


def _plain(values: list[Any], kinds: Collection[str | None]) -> list[Any]:
    """The values as pyarrow knows them."""
    if "decimal" in kinds:
        return [_double(value) if isinstance(value, Decimal128) else value for value in values]
    if "objectId" in kinds:
        return [None if value is None else str(value) for value in values]
    return values


def _double(value: Decimal128) -> float:
    number: Decimal = value.to_decimal()
    return float("nan") if number.is_nan() else float(number)
