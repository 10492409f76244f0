"""What a value of each field must be, in words and as a check.

A batch goes by the same rules: this module needs NumPy alone.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from slipway.problem import Serving
from slipway.table.schema import ISO, MISSING, MISSING_MARKERS, UNSEEN, Columns, Field, Schema, parse_date

MOST_LEVELS = 12
LISTED = 100
NO_ANSWER = "has no finite answer; its numbers are too far outside the range"
SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can have half of a pair, UTF-8 cannot: no log could hold it
TURNS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
ABSENT = object()
NOT_FINITE = object()  # NaN, Infinity and numbers beyond double precision
UNSEEN_LEVEL = "a level that training never saw"
KINDS = {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}


@dataclass(frozen=True)
class FieldProblem:
    """What is wrong with one field of one row.

    Parameters
    ----------
    row : int or None
        From 1; None for the header of a table.
    field : str or None
        None when the row as a whole is wrong.
    reason : str
        ``type``, ``missing``, ``unknown_field``, ``unseen_level``, ``out_of_range`` or ``not_finite``.
    detail : str
        What was expected, without what was sent.
    """

    row: int | None
    field: str | None
    reason: str
    detail: str

    def __str__(self) -> str:
        return self.detail if self.field is None else f"{self.field}: {self.detail}"

    def to_json(self) -> dict:
        return {"row": self.row, "field": self.field, "reason": self.reason, "detail": self.detail}


@dataclass(frozen=True)
class Rule:
    """What a value of one field must be.

    Parameters
    ----------
    field : Field
    closed_levels : bool
        Whether a level that training never saw is refused.
    closed_range : bool
        Whether a number outside the range of training is refused. Dates are not: time goes on.
    """

    field: Field
    closed_levels: bool
    closed_range: bool

    @cached_property
    def expected(self) -> str:
        """Such as ``an integer from 18 to 64``."""
        field = self.field
        if field.type == "category":
            if not self.closed_levels:
                return "a text"
            listed = ", ".join(visible(json.dumps(level, ensure_ascii=False)) for level in field.levels[:MOST_LEVELS])
            more = len(field.levels) - MOST_LEVELS
            return f"one of {listed}" + (f" or {more} others" if more > 0 else "")
        if field.type == "date":
            return "a date such as 2026-01-31 or 2026-01-31T08:30:00"
        kind = "an integer" if field.type == "integer" else "a number"
        return kind + (self._range() if self.closed_range else "")

    def _range(self) -> str:
        return "" if self.field.minimum is None else f" from {self.field.range}"

    def fault(self, value: Any) -> tuple[str, str] | None:
        """Reason and detail when this JSON value is wrong."""
        if value is ABSENT or value is None:
            return None if self.field.optional else ("missing", f"is missing; expected {self.expected}")
        if self.field.type == "category":
            return self._fault_of_level(value)
        if self.field.type == "date":
            return self._fault_of_date(value)
        return self._fault_of_number(value)

    def _fault_of_number(self, value: Any) -> tuple[str, str] | None:
        if value is NOT_FINITE:
            return "not_finite", f"is not a finite number; expected {self.expected}"
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return self._fault_of_type(value)
        if self.field.type == "integer" and value % 1:
            return "type", f"has a fraction; expected {self.expected}"
        low, high = bounds(self.field)
        if self.closed_range and not low <= value <= high:
            return "out_of_range", f"expected {self.expected}, the range seen in training"
        return None

    def _fault_of_level(self, value: Any) -> tuple[str, str] | None:
        if not isinstance(value, str):
            return self._fault_of_type(value)
        if value in self.codes:
            return None
        if SURROGATE.search(value):
            return "type", f"contains a lone surrogate; expected {self.expected}"
        return ("unseen_level", f"expected {self.expected}") if self.closed_levels else None

    def _fault_of_date(self, value: Any) -> tuple[str, str] | None:
        if not isinstance(value, str):
            return self._fault_of_type(value)
        return None if days(value) is not None else ("type", f"expected {self.expected}")

    def _fault_of_type(self, value: Any) -> tuple[str, str]:
        kind = "a number" if value is NOT_FINITE else KINDS[type(value)]
        return "type", f"is {kind}; expected {self.expected}"

    @cached_property
    def codes(self) -> Mapping[str, int]:
        return {level: code for code, level in enumerate(self.field.levels)}

    def read_cell(self, cell: str, extra_markers: frozenset[str]) -> Any:
        """The JSON value that a cell of a table stands for, read as training reads it; ABSENT when missing."""
        text = cell.strip()
        lower = text.lower()
        if lower in MISSING_MARKERS or lower in extra_markers:
            return ABSENT
        if self.field.type == "category":
            return lower if lower in ("true", "false") else text
        if self.field.type == "date" or "_" in text:
            return text
        try:
            number = float(text)
        except ValueError:
            return text
        return number if np.isfinite(number) else NOT_FINITE


def rules_of(schema: Schema, serving: Serving) -> tuple[Rule, ...]:
    """The rules of a schema under the problem's policies."""
    closed_levels, closed_range = serving.unknown_levels == "reject", serving.out_of_range == "reject"
    return tuple(Rule(field, closed_levels, closed_range) for field in schema)


class Watch:
    """Finds what is unlike training in rows that are answered all the same.

    Parameters
    ----------
    rules : tuple of Rule
        Those that refuse what training never saw need no watching.
    """

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._order = {rule.field.name: place for place, rule in enumerate(rules)}
        categories = [rule for rule in rules if rule.field.type == "category"]
        self._open = [rule.field for rule in categories if not rule.closed_levels]
        self._ranged = [
            rule.field for rule in rules
            if rule.field.type == "date" or rule not in categories and not rule.closed_range
        ]
        limits = np.array([bounds(field) for field in self._ranged]).reshape(-1, 2, 1)
        self._low, self._high = limits[:, 0], limits[:, 1]

    def warnings(self, columns: Columns, limit: int | None = LISTED) -> list[FieldProblem]:
        """The first `limit`, by row and field."""
        found = []
        for field in self._open:
            rows = np.flatnonzero(columns[field.name] == UNSEEN)[:limit] + 1
            found += [FieldProblem(row, field.name, "unseen_level", UNSEEN_LEVEL) for row in rows.tolist()]
        if self._ranged:
            matrix = np.array([columns[field.name] for field in self._ranged])  # at once: one call, however many fields
            odd = (matrix < self._low) | (matrix > self._high)
            for place in np.flatnonzero(odd.any(axis=1)).tolist():
                field = self._ranged[place]
                kind = "date" if field.type == "date" else "number"
                detail = f"a {kind} outside the range seen in training, {field.range}"
                rows = np.flatnonzero(odd[place])[:limit] + 1
                found += [FieldProblem(row, field.name, "out_of_range", detail) for row in rows.tolist()]
        return sorted(found, key=lambda problem: (problem.row, self._order[problem.field]))[:limit]

    def notes(self, columns: Columns, count: int) -> list[str]:
        """The warnings of each of `count` rows in one text; empty where there is none."""
        notes = [""] * count
        for warning in self.warnings(columns, limit=None):
            place = warning.row - 1
            notes[place] += f"{'; ' if notes[place] else ''}{warning}"
        return notes


def shape_error(row: list[str] | None, size: int) -> str:
    """What is wrong with a row as such, None for one that cannot be read; empty when nothing is."""
    if row is None:
        return "the row cannot be read: one of its cells is too long"
    return "" if len(row) == size else f"expected {size} cells, got {len(row)}"


def rows_without_answer(values: Sequence, probabilities: np.ndarray | None) -> np.ndarray:
    """Rows, from 0, whose numbers are so far outside the range that the model's answer is not finite."""
    return np.flatnonzero(~np.isfinite(values if probabilities is None else probabilities.sum(axis=1)))


def typed_column(field: Field, values: list) -> np.ndarray:
    """Checked JSON values, None or ABSENT = missing, as a column."""
    if field.type == "category":
        codes = {level: code for code, level in enumerate(field.levels)} | {None: MISSING, ABSENT: MISSING}
        return np.array([codes.get(value, UNSEEN) for value in values], dtype=np.int64)
    if field.type == "date":
        values = [value if value is None or value is ABSENT else days(value) for value in values]
    return np.array([np.nan if value is None or value is ABSENT else value for value in values], dtype=np.float64)


def visible(text: str) -> str:
    """The text with signs that turn the direction of what follows as JSON and Python write them, such as ``\\u202e``."""
    return TURNS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def bounds(field: Field) -> tuple[float, float]:
    """The range of training; infinite where there is none."""
    low = -np.inf if field.minimum is None else field.minimum
    return low, np.inf if field.maximum is None else field.maximum


def days(text: str) -> float | None:
    """Days since 1970-01-01 of an ISO date; None when the text is none."""
    try:
        return parse_date(text) if ISO.fullmatch(text) else None
    except (ValueError, OverflowError):
        return None
