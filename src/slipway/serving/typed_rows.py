"""The fast way to read a request: msgspec makes structs of the schema's types of it."""

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import GenericAlias
from typing import Annotated, Any

import msgspec
import numpy as np
from msgspec.structs import astuple

from slipway.table.block import Block, Layout
from slipway.table.dates import days
from slipway.table.rules import SURROGATE, Rule, Rules
from slipway.table.schema import MISSING

UNSAFE_IN_NAMES = set('"\\')
LARGEST = sys.float_info.max
UNEXPECTED = (msgspec.DecodeError, RecursionError, UnicodeError, LookupError)


class TypedRows:
    """The types of a schema for msgspec, in its order, in which a client most likely sends them; ids come last."""

    def __init__(self, rules: Rules, ids: Sequence[str]) -> None:
        self._layout = Layout(rule.field for rule in rules)
        self._width = len(rules)
        self._ids = tuple(ids)
        self._readers = [(place, _reader(rule)) for place, rule in enumerate(rules) if not rule.is_number]
        self._marked = [
            (place, list(rule.reader.numeric_markers))
            for place, rule in enumerate(rules)
            if rule.is_number and rule.reader.numeric_markers
        ]
        row = _struct(rules, ids)
        self._rows = GenericAlias(list, (row,))
        self._decoder = msgspec.json.Decoder(row | self._rows)

    def decode(self, body: bytes, max_rows: int) -> tuple[Block, list[Any]] | None:
        """Typed columns, and the rows as structs; None when anything at all is not as expected."""
        try:
            found = self._decoder.decode(body)
            rows = found if type(found) is list else [found]
            return (self._block(rows), rows) if 0 < len(rows) <= max_rows else None
        except UNEXPECTED:
            return None

    def convert(self, rows: Sequence[Any]) -> tuple[Block, list[Any]] | None:
        """The same of objects that are parsed already."""
        try:
            found = msgspec.convert(rows, self._rows)
            return (self._block(found), found) if not self._ids or all(map(self._has_ids, rows)) else None
        except UNEXPECTED:
            return None

    def _block(self, rows: Iterable[Any]) -> Block:
        """The columns of structs; LookupError for a cell that is not as expected."""
        matrix = np.array([self._cells(row) for row in rows], dtype=np.float64)  # None becomes NaN
        for place, markers in self._marked:
            if np.isin(matrix[:, place], markers).any():
                raise LookupError(markers)
        return Block(self._layout, matrix)

    def _has_ids(self, row: Mapping[str, Any]) -> bool:
        """Whether what an object has as ids can name a row: half of a surrogate pair, or a Decimal, msgspec converts too."""
        return all(row.get(name) is None or is_id(row[name]) for name in self._ids)

    def _cells(self, row: Any) -> list[Any]:
        """Those of a struct as a block has them; LookupError for a text that is not as expected."""
        cells = list(astuple(row)[: self._width])
        for place, read in self._readers:
            cells[place] = read(cells[place])
        return cells


def _reader(rule: Rule) -> Callable[[str | None], float | None]:
    """What reads the texts of a field."""
    if rule.field.type == "category":
        return _codes(rule).__getitem__
    markers = rule.reader.date_markers

    def read(text: str | None) -> float | None:
        if text is None:
            return None
        found = days(text)
        if found != found or markers and text.lower() in markers:
            raise LookupError(text)
        return found

    return read


def _codes(rule: Rule) -> dict[str | None, int]:
    """Of a missing cell and of levels that are read as they stand: one may be a marker that was named after the training."""
    codes: dict[str | None, int] = {
        level: code for code, level in enumerate(rule.field.levels) if rule.reader.text(level) == level
    }
    codes[None] = MISSING
    return codes


def _struct(rules: Iterable[Rule], ids: Sequence[str]) -> type[msgspec.Struct]:
    """Of a row; what it leaves out is left out when it is written again."""
    fields: list[Any] = []
    for number, rule in enumerate(rules):
        kind = _number(rule) if rule.is_number else str
        fields.append((f"f{number}", kind | None, None) if rule.field.optional else (f"f{number}", kind))
    names = {f"f{number}": rule.field.name for number, rule in enumerate(rules)}
    for number, name in enumerate(ids):
        fields.append((f"i{number}", str | float | int | bool | None, None))
        names[f"i{number}"] = name
    return msgspec.defstruct(
        "Row", fields, rename=names, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False
    )


def _number(rule: Rule) -> Any:
    """A number that is answered. It has bounds, which NaN and infinity are not within."""
    low, high = max(rule.low, -LARGEST), min(rule.high, LARGEST)
    return Annotated[float, msgspec.Meta(ge=low, le=high, multiple_of=1 if rule.field.type == "integer" else None)]


def is_id(value: Any) -> bool:
    """Whether it can name a row: a number, or text that an answer and a log can hold."""
    return isinstance(value, (int, float)) or isinstance(value, str) and not SURROGATE.search(value)


def by_name(row: Any) -> Mapping[str, Any]:
    """A row, struct or object, by the names of its columns, without what it leaves out."""
    found: Mapping[str, Any] = row if isinstance(row, dict) else msgspec.to_builtins(row)
    return found


def fit_for_struct(names: Sequence[str]) -> bool:
    """Whether msgspec can name a struct's fields so; a schema it cannot is decoded the thorough way."""
    return not any(UNSAFE_IN_NAMES & set(name) or any(ord(sign) < 32 for sign in name) for name in names)
