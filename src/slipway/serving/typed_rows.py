"""The fast way to read a request: msgspec decodes it straight into a struct of the schema's types."""

from collections.abc import Mapping, Sequence
from types import GenericAlias
from typing import Any

import msgspec
import numpy as np

from slipway.table.dates import days
from slipway.table.rules import SURROGATE, Rule, Rules
from slipway.table.schema import MISSING, UNSEEN, Columns

UNSAFE_IN_NAMES = set('"\\')


class TypedRows:
    """The types of a schema for msgspec. Numbers come first in a row, so that they become one matrix; ids come last."""

    def __init__(self, rules: Rules, ids: Sequence[str]) -> None:
        numbers = [rule for rule in rules if rule.is_number]
        self._texts = [rule for rule in rules if not rule.is_number]
        self._names = [rule.field.name for rule in numbers]
        self._order = [rule.field.name for rule in rules]
        self._width = len(numbers)
        self._whole = np.array([rule.field.type == "integer" for rule in numbers], dtype=bool)
        self._low = np.array([rule.low for rule in numbers])
        self._high = np.array([rule.high for rule in numbers])
        self._marked = [
            (place, list(rule.reader.numeric_markers)) for place, rule in enumerate(numbers) if rule.reader.numeric_markers
        ]
        self._codes = {rule.field.name: _codes(rule) for rule in self._texts}
        row = _struct([*numbers, *self._texts], ids)
        self._decoder = msgspec.json.Decoder(row | GenericAlias(list, (row,)))

    def decode(self, body: bytes, max_rows: int) -> tuple[Columns, list[Any]] | None:
        """Typed columns, and the rows as structs; None when anything at all is not as expected."""
        try:
            found = self._decoder.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None
        found = found if type(found) is list else [found]
        if not 0 < len(found) <= max_rows:
            return None
        rows = [msgspec.structs.astuple(row) for row in found]
        columns = self._numbers(rows)
        if columns is None:
            return None
        for place, rule in enumerate(self._texts, start=self._width):
            column = self._column(rule, [row[place] for row in rows])
            if column is None:
                return None
            columns[rule.field.name] = column
        return {name: columns[name] for name in self._order}, found

    def _numbers(self, rows: list[tuple[Any, ...]]) -> Columns | None:
        if not self._width:
            return {}
        matrix = np.array([row[: self._width] for row in rows], dtype=np.float64)  # None becomes NaN
        if ((matrix < self._low) | (matrix > self._high) | np.isinf(matrix)).any():
            return None
        if self._marked and any(np.isin(matrix[:, place], markers).any() for place, markers in self._marked):
            return None
        if self._whole.any():
            whole = matrix[:, self._whole]
            if (whole - np.floor(whole) > 0).any():
                return None
        return dict(zip(self._names, matrix.T))

    def _column(self, rule: Rule, values: list[Any]) -> np.ndarray | None:
        if rule.field.type == "category":
            levels = self._codes[rule.field.name]
            codes = [MISSING if value is None else levels.get(value, UNSEEN) for value in values]
            return None if UNSEEN in codes else np.array(codes, dtype=np.int64)
        markers = rule.reader.date_markers
        if markers and any(value is not None and value.lower() in markers for value in values):
            return None
        numbers = [np.nan if value is None else days(value) for value in values]
        if any(number != number and value is not None for value, number in zip(values, numbers)):
            return None
        return np.array(numbers, dtype=np.float64)


def _codes(rule: Rule) -> dict[str, int]:
    """The levels that are read as they stand; a marker of missing cells, named after the training, may be a level."""
    return {level: code for code, level in enumerate(rule.field.levels) if rule.reader.text(level) == level}


def _struct(rules: Sequence[Rule], ids: Sequence[str]) -> type[msgspec.Struct]:
    """Of a row; what it leaves out is left out when it is written again."""
    fields: list[Any] = []
    for number, rule in enumerate(rules):
        kind = float if rule.is_number else str
        fields.append((f"f{number}", kind | None, None) if rule.field.optional else (f"f{number}", kind))
    names = {f"f{number}": rule.field.name for number, rule in enumerate(rules)}
    for number, name in enumerate(ids):
        fields.append((f"i{number}", str | float | int | bool | None, None))
        names[f"i{number}"] = name
    return msgspec.defstruct(
        "Row", fields, rename=names, forbid_unknown_fields=True, omit_defaults=True, kw_only=True, gc=False
    )


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
