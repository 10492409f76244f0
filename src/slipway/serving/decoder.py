"""From the bytes of a request to typed columns: fast when all is well, thorough when something is wrong.

The fast way decodes with msgspec straight into the schema's types. Whatever it does not accept goes the thorough way,
which has the last word and lists everything that is wrong. Of a key given twice the last one counts. What cannot be
rows of a permitted number goes neither way: to parse a body of brackets takes a hundred times as long as to send it.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import GenericAlias
from typing import Any

import msgspec
import numpy as np

from slipway.serving.refusal import Refusal, shown_name
from slipway.table.dates import days
from slipway.table.faults import LISTED, FieldProblem
from slipway.table.rules import Rule, Rules
from slipway.table.schema import MISSING, UNSEEN, Columns

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UNSAFE_IN_NAMES = set('"\\')
LONGEST_INTEGER = 100
AT_ONCE = 256  # rows that are checked together: what is wrong with all of a call's rows would take much memory
LISTED_OF_A_ROW = 10
IGNORED = "is not a feature of the model and was not read"


@dataclass(frozen=True)
class Decoded:
    """The rows of a request.

    Parameters
    ----------
    columns : mapping of str to ndarray
        Typed; what a wrong row has in them means nothing.
    count : int
    wrong : mapping of int to list of FieldProblem
        Rows, from 0, that cannot be answered, and why; of each the first ten problems.
    ignored : tuple of str
        Names of columns that came with the rows and are no features, such as the target.
    """

    columns: Columns
    count: int
    wrong: Mapping[int, Sequence[FieldProblem]] = field(default_factory=dict)
    ignored: tuple[str, ...] = ()


class Decoder:
    """Decodes the rows of one schema.

    Parameters
    ----------
    rules : Rules
    max_rows : int
    known : collection of str
        Columns of the table that are no features: the target, ids. They are passed over.
    """

    def __init__(self, rules: Rules, max_rows: int, known: Collection[str] = ()) -> None:
        self.rules = rules
        self.max_rows = max_rows
        self._known = frozenset(known) - {rule.field.name for rule in rules}
        self._fast = _Fast(rules) if _fit_for_struct(rules) else None

    def decode(self, body: bytes, partial: bool = False) -> Decoded:
        """The rows of a JSON object or list of objects.

        Raises
        ------
        Refusal
            400 when the body is not JSON in UTF-8, 413 for too many rows; unless `partial`, 422
            with every wrong row and field.
        """
        body = body.removeprefix(BYTE_ORDER_MARK)
        if len(body) > self.max_rows and self._exceeds(body) and self._exceeds(_without_texts(body)):
            raise self._too_many()
        columns = self._fast.decode(body, self.max_rows) if self._fast else None
        if columns is not None:
            return Decoded(columns, len(next(iter(columns.values()))))
        return self._thorough(body, partial)

    def warnings(self, decoded: Decoded) -> list[FieldProblem]:
        """What is unlike training in rows that are answered all the same, and what was not read."""
        ignored = [FieldProblem(None, shown_name(name), "ignored", IGNORED) for name in decoded.ignored]
        if not decoded.wrong:
            return [*ignored, *self.rules.warnings(decoded.columns)][:LISTED]
        good = np.delete(np.arange(decoded.count), list(decoded.wrong))
        found = self.rules.warnings({name: column[good] for name, column in decoded.columns.items()})
        placed = [replace(each, row=int(good[each.row - 1]) + 1) for each in found if each.row is not None]
        return [*ignored, *placed][:LISTED]

    def _exceeds(self, body: bytes) -> bool:
        """Whether there are more signs of objects, lists or values than rows of a permitted number have."""
        return max(body.count(b"{"), body.count(b"[")) > self.max_rows or body.count(b",") > self.max_rows * (
            len(self.rules) + len(self._known)
        )

    def _too_many(self) -> Refusal:
        return Refusal(413, f"Expected at most {self.max_rows} rows of {len(self.rules)} fields in one call.")

    def _thorough(self, body: bytes, partial: bool) -> Decoded:
        rows = _rows(parse(body))
        if len(rows) > self.max_rows:
            raise self._too_many()
        walk = Walk(self.rules, self._known, partial)
        parts = [walk.check(begin, rows[begin : begin + AT_ONCE]) for begin in range(0, len(rows), AT_ONCE)]
        if walk.counts and not partial:
            problems = [problem for row in sorted(walk.wrong) for problem in walk.wrong[row]]
            raise Refusal(422, "Some fields are not as expected.", problems[:LISTED], walk.counts)
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return Decoded(columns, len(rows), walk.wrong, tuple(sorted(walk.ignored)))


def is_single(body: bytes) -> bool:
    """Whether a body that was decoded is one object."""
    return body.removeprefix(BYTE_ORDER_MARK).lstrip(b" \t\r\n").startswith(b"{")


class Walk:
    """Reads rows of JSON values and keeps what is wrong: the first problems of each row, and all counted by reason."""

    def __init__(self, rules: Rules, known: frozenset[str], partial: bool) -> None:
        self._rules = rules
        self._known = known
        self._names = {rule.field.name for rule in rules}
        self._partial = partial
        self._most = LISTED_OF_A_ROW if partial else LISTED
        self.wrong: dict[int, list[FieldProblem]] = {}
        self.counts: Counter[str] = Counter()
        self.ignored: set[str] = set()

    def check(self, begin: int, rows: Sequence[Any]) -> Columns:
        """The typed columns of these rows, the first of which has the number `begin`, from 0."""
        for place, row in enumerate(rows, begin):
            if not isinstance(row, dict):
                self._add(place, None, "type", "expected an object, field names with their values")
        objects = [row if isinstance(row, dict) else {} for row in rows]
        columns = {}
        for rule in self._rules:
            name = rule.field.name
            columns[name], faults = rule.read([row.get(name) for row in objects])
            for place, fault in sorted(faults.items()):
                if isinstance(rows[place], dict):
                    self._add(begin + place, name, fault.reason, fault.detail)
        for place, row in enumerate(objects, begin):
            if not row.keys() <= self._names:
                self._others(place, [name for name in row if name not in self._names])
        if not self._partial and sum(map(len, self.wrong.values())) >= LISTED:
            self._most = 0  # those of later rows are not listed
        return columns

    def _others(self, place: int, names: list[str]) -> None:
        """Names that are no features."""
        self.ignored.update(self._known.intersection(names))
        unknown = [name for name in names if name not in self._known]
        for name in unknown[:LISTED]:
            self._add(place, shown_name(name), "unknown_field", "there is no such field")
        if unknown[LISTED:]:
            self.counts["unknown_field"] += len(unknown[LISTED:])

    def _add(self, place: int, name: str | None, reason: str, detail: str) -> None:
        self.counts[reason] += 1
        listed = self.wrong.setdefault(place, [])
        if len(listed) < self._most:
            listed.append(FieldProblem(place + 1, name, reason, detail))


class _Fast:
    """The types of a schema for msgspec. Numbers come first in a row, so that they become one matrix."""

    def __init__(self, rules: Rules) -> None:
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
        row = _struct([*numbers, *self._texts])
        self._decoder = msgspec.json.Decoder(row | GenericAlias(list, (row,)))

    def decode(self, body: bytes, max_rows: int) -> Columns | None:
        """Typed columns, or None when anything at all is not as expected."""
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
        return {name: columns[name] for name in self._order}

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


def _struct(rules: Sequence[Rule]) -> type[msgspec.Struct]:
    fields = []
    for number, rule in enumerate(rules):
        kind = float if rule.is_number else str
        fields.append((f"f{number}", kind | None, None) if rule.field.optional else (f"f{number}", kind))
    names = {f"f{number}": rule.field.name for number, rule in enumerate(rules)}
    return msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False)


def _fit_for_struct(rules: Rules) -> bool:
    """Whether msgspec can name a struct's fields so; a schema it cannot is decoded the thorough way."""
    names = [rule.field.name for rule in rules]
    return not any(UNSAFE_IN_NAMES & set(name) or any(ord(sign) < 32 for sign in name) for name in names)


def parse(body: bytes) -> Any:
    """A JSON document; NaN and Infinity are numbers, those beyond double precision are infinite.

    Raises
    ------
    Refusal
        400, saying where the document is broken.
    """
    if not body.strip(b" \t\r\n"):
        raise Refusal(400, "The body is empty; expected JSON: an object, or a list of objects.")
    try:
        return json.loads(body.decode("utf-8"), parse_int=_integer, parse_constant=float)
    except UnicodeDecodeError as error:
        raise Refusal(400, f"The body is not UTF-8: byte {error.start} is invalid.") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Refusal(400, f"The body is not JSON: {error.msg} at {place}.") from error
    except RecursionError as error:
        raise Refusal(400, "The body is nested too deeply.") from error


def _without_texts(body: bytes) -> bytes:
    """What of a JSON document is outside of its texts."""
    signs = np.frombuffer(body.replace(rb"\\", b"").replace(rb"\"", b""), dtype=np.uint8)
    return signs[~np.logical_xor.accumulate(signs == ord('"'))].tobytes()


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_INTEGER else float(digits)


def _rows(document: Any) -> list[Any]:
    if isinstance(document, dict):
        return [document]
    if not isinstance(document, list):
        raise Refusal(422, "Expected an object, or a list of objects.")
    if not document:
        raise Refusal(422, "The list is empty; expected at least one row.")
    return document
