"""What a value of each field must be, in words and as a check, compiled once per bundle.

Training's table, requests, uploads and batches go by the same rules: this module needs NumPy alone.
"""

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from typing import Any

import numpy as np

from slipway.errors import ProblemError
from slipway.problem import Problem
from slipway.sections import Serving
from slipway.table.block import Block
from slipway.table.cell import Markers, Reader, encode, no_markers, reader_of
from slipway.table.faults import Fault, Faults, visible
from slipway.table.schema import MISSING, UNSEEN, Columns, Field, Schema, an
from slipway.table.unlike import UNSEEN_LEVEL, Unlike, beyond

A_DATE = "a date such as 2026-01-31 or 2026-01-31T08:30:00"
MOST_LEVELS = 12
MOST_LETTERS = 200
LONGEST_LEVEL = 60
SURROGATE = re.compile("[\ud800-\udfff]")  # JSON can have half of a pair, UTF-8 cannot: no log could hold it
KINDS = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
INFINITE = re.compile(r"[+-]?(inf|infinity)", re.IGNORECASE)
Limits = tuple[float | None, float | None]


@dataclass(frozen=True)
class Rule:
    """What a value of one field must be.

    Parameters
    ----------
    field : Field
    closed_levels : bool
        Whether a level that training never saw is refused.
    low, high : float
        The range of numbers that are answered. Dates always are: time goes on.
    reader : Reader
        How its cells are read.
    """

    field: Field
    closed_levels: bool
    low: float
    high: float
    reader: Reader

    @property
    def is_number(self) -> bool:
        return self.field.is_number

    @cached_property
    def expected(self) -> str:
        """Such as ``an integer from 18 to 64``; null where training knew missing cells."""
        return self._expected() + (", or null" if self.field.optional else "")

    def _expected(self) -> str:
        field = self.field
        if field.type == "category":
            if not self.closed_levels:
                return "text"
            shown = [visible(json.dumps(_short(level), ensure_ascii=False)) for level in field.levels[:MOST_LEVELS]]
            while len(shown) > 1 and sum(map(len, shown)) > MOST_LETTERS:  # a reason is told of every row that has it
                shown.pop()
            more = len(field.levels) - len(shown)
            return f"one of {', '.join(shown)}" + (f" or {more} others" if more > 0 else "")
        if field.type == "date":
            return f"a date such as {field.format} or 2024-12-31" if field.format else A_DATE
        written = f", written like {field.format}" if field.format else ""
        return an(field.type) + self._range() + written

    def _range(self) -> str:
        if np.isfinite([self.low, self.high]).all():
            return f" from {self._bound(self.low)} to {self._bound(self.high)}"
        if np.isfinite(self.low):
            return f" of {self._bound(self.low)} or more"
        return f" of {self._bound(self.high)} or less" if np.isfinite(self.high) else ""

    def _bound(self, bound: float) -> str:
        """A bound as one would write it; of one that was computed the digits beyond its precision are left out."""
        exact = bound in (self.field.minimum, self.field.maximum)
        return self.field.show(bound if exact else float(f"{bound:.12g}"))

    @cached_property
    def outside(self) -> Fault:
        """What is wrong with a number beyond the range."""
        field = self.field
        exact = (self.low, self.high) == (field.minimum, field.maximum)
        seen = ", the range seen in training" if exact else f"; training saw {field.range}"
        return Fault("out_of_range", f"expected {self._expected()}{seen}")

    def read(self, cells: Sequence[Any]) -> tuple[np.ndarray, Faults]:
        """Typed values of cells as they were read, and what is wrong with them by place, from 0.

        What is refused, or missing, is NaN, MISSING or UNSEEN.
        """
        texts: list[str | None] = []
        odd: Faults = {}
        try:
            texts = self.reader.texts(cells)
        except ValueError:
            for place, cell in enumerate(cells):
                try:
                    texts.append(self.reader.text(cell))
                except ValueError:
                    odd[place] = self._of_another_type(cell)
                    texts.append(None)
        values, faults = self.read_texts(texts, cells)
        return values, faults | odd

    def read_texts(self, texts: Sequence[str | None], cells: Sequence[Any] | None = None) -> tuple[np.ndarray, Faults]:
        """The same of canonical texts, those of `cells`; None is a missing cell."""
        values = encode(self.field, texts)
        places = np.flatnonzero(self.suspicious(values)).tolist()
        faults = {}
        for place in places:
            fault = self._fault(values[place], texts[place], cells[place] if cells else texts[place])
            if fault:
                faults[place] = fault
        return values, faults

    def suspicious(self, values: np.ndarray) -> np.ndarray:
        """Where values may be refused."""
        if self.field.type == "category":
            return values < 0
        found: np.ndarray = np.isnan(values)
        if self.is_number:
            found |= (values < self.low) | (values > self.high)
        if self.field.type == "integer":
            found |= values != np.floor(values)
        return found

    def fault_of_number(self, value: float) -> Fault | None:
        """What is wrong with a finite number."""
        if self.field.type == "integer" and value % 1:
            return Fault("type", f"has a fraction; expected {self.expected}")
        return None if self.low <= value <= self.high else self.outside

    def _fault(self, value: float, text: str | None, cell: Any) -> Fault | None:
        if text is None:
            return None if self.field.optional else self._missing
        if self.field.type == "category":
            if SURROGATE.search(text):
                return Fault("type", f"contains a lone surrogate; expected {self.expected}")
            return self._unseen if self.closed_levels else None
        if not np.isnan(value):
            return self.fault_of_number(value)
        if self.is_number and _is_beyond(text):
            return Fault("not_finite", f"is not a finite number; expected {self.expected}")
        return self._of_another_type(cell)

    @cached_property
    def _missing(self) -> Fault:
        return Fault("missing", f"is missing; expected {self.expected}")

    @cached_property
    def _unseen(self) -> Fault:
        return Fault("unseen_level", f"expected {self.expected}")

    def _of_another_type(self, cell: Any) -> Fault:
        kind = KINDS.get(type(cell))
        if kind is None or self.field.type == "date" and isinstance(cell, str):
            return Fault("type", f"expected {self.expected}")
        return Fault("type", f"is {kind}; expected {self.expected}")


class Rules:
    """The rules of a schema under a problem's policies, in the order of its fields.

    Parameters
    ----------
    schema : Schema
    serving : Serving
        Policies.
    limits : mapping
        Field → the lowest and highest value that gets an answer, in place of ``serving.out_of_range``.
    markers : callable
        Field → further texts that mean a missing cell in it.

    Attributes
    ----------
    ranged : list of Field
        Those of which a value beyond the range of training is answered.
    """

    def __init__(
        self,
        schema: Schema,
        serving: Serving,
        limits: Mapping[str, Limits] | None = None,
        markers: Markers = no_markers,
    ) -> None:
        closed = serving.unknown_levels == "reject"
        _require_numbers(schema, limits or {})
        self.rules = tuple(
            Rule(
                field,
                closed,
                *_answered(field, serving.out_of_range, (limits or {}).get(field.name)),
                reader_of(field, markers(field.name)),
            )
            for field in schema
        )
        self._order = {field.name: place for place, field in enumerate(schema)}
        self._open = [field for field in schema if field.type == "category" and not closed]
        self.ranged = [
            rule.field
            for rule in self.rules
            if rule.field.type == "date" or rule.is_number and (rule.low, rule.high) != _seen(rule.field)
        ]
        seen = np.array([_seen(field) for field in self.ranged]).reshape(-1, 2, 1)
        self._low, self._high = seen[:, 0], seen[:, 1]

    def __iter__(self) -> Iterator[Rule]:
        return iter(self.rules)

    def __len__(self) -> int:
        return len(self.rules)

    def unlike(self, columns: Columns) -> list[Unlike]:
        """What is unlike training in rows that are answered all the same, in the order of the fields."""
        if isinstance(columns, Block) and not self._may_be_unlike(columns.matrix):
            return []
        found = []
        for field in self._open:
            rows = np.flatnonzero(columns[field.name] == UNSEEN)
            if len(rows):
                found.append(Unlike(field.name, "unseen_level", UNSEEN_LEVEL, rows))
        if self.ranged:
            matrix = np.array([columns[field.name] for field in self.ranged])  # at once: one call, however many fields
            odd = (matrix < self._low) | (matrix > self._high)
            for place in np.flatnonzero(odd.any(axis=1)).tolist() if odd.any() else ():
                field = self.ranged[place]
                found.append(Unlike(field.name, "out_of_range", beyond(field), np.flatnonzero(odd[place])))
        return sorted(found, key=lambda each: self._order[each.field]) if len(found) > 1 else found

    def _may_be_unlike(self, matrix: np.ndarray) -> bool:
        """Whether a value of a block may be outside of training's range, or a level that it never saw."""
        low, high = self._usual
        return bool(np.count_nonzero(matrix < low) or np.count_nonzero(matrix > high))

    @cached_property
    def _usual(self) -> tuple[np.ndarray, np.ndarray]:
        """The range of each value of a block."""
        ranges = {field.name: _seen(field) for field in self.ranged}
        ranges |= {field.name: (MISSING, np.inf) for field in self._open}
        low, high = np.array([ranges.get(rule.field.name, (-np.inf, np.inf)) for rule in self.rules]).T
        return low, high


def rules_of(schema: Schema, problem: Problem) -> Rules:
    """The rules of a schema under the policies of a problem."""
    return Rules(schema, problem.serving, problem.limits, problem.markers)


def spread(values: np.ndarray, faults: Faults, codes: np.ndarray) -> tuple[np.ndarray, Faults]:
    """Values and faults of distinct cells → those of rows; `codes` say which cell each row has."""
    wrong = np.flatnonzero(np.isin(codes, list(faults))).tolist() if faults else ()
    return values[codes], {row: faults[int(codes[row])] for row in wrong}


def _require_numbers(schema: Schema, names: Collection[str]) -> None:
    """ProblemError when limits name what is no number of the schema."""
    numbers = [field.name for field in schema if field.is_number]
    for name in names:
        if name not in numbers:
            close = get_close_matches(name, numbers, 1)
            cure = f"Did you mean {close[0]!r}?" if close else f"They are {', '.join(numbers[:20])}"
            raise ProblemError(f"limits: the model has no number {name!r}", cure if numbers else "")


def _short(level: str) -> str:
    return level if len(level) <= LONGEST_LEVEL else level[: LONGEST_LEVEL - 1] + "…"


def _answered(field: Field, policy: str, limit: Limits | None) -> tuple[float, float]:
    """The range of numbers that are answered."""
    if limit:
        return (-np.inf if limit[0] is None else limit[0]), (np.inf if limit[1] is None else limit[1])
    low, high = _seen(field)
    if policy == "reject":
        return low, high
    width = high - low
    width *= 1 + 1e-13  # what a message shows of the bound, which is rounded, is within it
    if policy == "warn" or not np.isfinite(width):
        return -np.inf, np.inf
    return max(0.0, low - width) if low >= 0 else low - width, high + width  # an age or a price is never below 0


def _seen(field: Field) -> tuple[float, float]:
    """The range of training; infinite where there is none."""
    low = -np.inf if field.minimum is None else field.minimum
    return low, np.inf if field.maximum is None else field.maximum


def _is_beyond(text: str) -> bool:
    """Whether a text is infinite, or a number beyond double precision."""
    try:
        return INFINITE.fullmatch(text) is not None or "_" not in text and bool(np.isinf(float(text)))
    except ValueError:
        return False
