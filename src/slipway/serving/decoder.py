"""From the bytes of a request to typed columns: fast when all is well, thorough when something is wrong.

The fast way decodes with msgspec straight into the schema's types. Whatever it does not accept goes the thorough way,
which has the last word and lists everything that is wrong. Of a key given twice the last one counts. What cannot be
rows of a permitted number goes neither way: to parse a body of brackets takes a hundred times as long as to send it.
"""

import json
from collections import Counter
from typing import Any

import msgspec
import numpy as np

from slipway.problem import Serving
from slipway.serving.refusal import Refusal, shown_name
from slipway.table.rules import ABSENT, LISTED, NOT_FINITE, FieldProblem, Rule, Watch, bounds, days, rules_of, typed_column
from slipway.table.schema import MISSING, UNSEEN, Columns, Schema

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
UNSAFE_IN_NAMES = set('"\\')
LONGEST_INTEGER = 18


class Decoder:
    """Decodes the rows of one schema.

    Parameters
    ----------
    schema : Schema
    serving : Serving
        Policies and limits.
    """

    def __init__(self, schema: Schema, serving: Serving) -> None:
        self.schema = schema
        self.rules = rules_of(schema, serving)
        self.watch = Watch(self.rules)
        self.max_rows = serving.max_rows
        self._fast = _Fast(self.rules) if _fit_for_struct(schema) else None

    def decode(self, body: bytes) -> tuple[Columns, list[FieldProblem]]:
        """Typed columns of a JSON object or list of objects, and warnings.

        Raises
        ------
        Refusal
            400 when the body is not JSON in UTF-8, 413 for too many rows, else 422 with every wrong row and field.
        """
        body = body.removeprefix(BYTE_ORDER_MARK)
        if len(body) > self.max_rows and self._exceeds(body) and self._exceeds(_without_texts(body)):
            raise self._too_many()
        columns = self._fast.decode(body, self.max_rows) if self._fast else None
        if columns is None:
            columns = self._thorough(body)
        return columns, self.watch.warnings(columns)

    def _exceeds(self, body: bytes) -> bool:
        """Whether there are more signs of objects, lists or values than rows of a permitted number have."""
        return (
            max(body.count(b"{"), body.count(b"[")) > self.max_rows
            or body.count(b",") > self.max_rows * len(self.rules)
        )

    def _too_many(self) -> Refusal:
        return Refusal(413, f"Expected at most {self.max_rows} rows of {len(self.rules)} fields in one call.")

    def _thorough(self, body: bytes) -> Columns:
        rows = _rows(parse(body))
        if len(rows) > self.max_rows:
            raise self._too_many()
        walk = Walk(self.rules)
        for number, row in enumerate(rows, start=1):
            walk.check(number, row)
        if walk.counts:
            raise Refusal(422, "Some fields are not as expected.", walk.problems, walk.counts)
        return {
            rule.field.name: typed_column(rule.field, [row.get(rule.field.name) for row in rows]) for rule in self.rules
        }


def is_single(body: bytes) -> bool:
    """Whether a body that was decoded is one object."""
    return body.removeprefix(BYTE_ORDER_MARK).lstrip(b" \t\r\n").startswith(b"{")


class Walk:
    """Checks rows of JSON values and keeps what is wrong: the first hundred, and all counted by reason."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        self._rules = rules
        self._names = {rule.field.name for rule in rules}
        self.problems: list[FieldProblem] = []
        self.counts: Counter[str] = Counter()

    def check(self, number: int, row: Any) -> None:
        if not isinstance(row, dict):
            self._add(number, None, "type", "expected an object, field names with their values")
            return
        for rule in self._rules:
            fault = rule.fault(row.get(rule.field.name, ABSENT))
            if fault:
                self._add(number, rule.field.name, *fault)
        if not row.keys() <= self._names:
            unknown = [name for name in row if name not in self._names]
            for name in unknown[:LISTED]:
                self._add(number, shown_name(name), "unknown_field", "there is no such field")
            self.counts["unknown_field"] += len(unknown[LISTED:])

    def _add(self, row: int, field: str | None, reason: str, detail: str) -> None:
        self.counts[reason] += 1
        if len(self.problems) < LISTED:
            self.problems.append(FieldProblem(row, field, reason, detail))


class _Fast:
    """The types of a schema for msgspec. Numbers come first in a row, so that they become one matrix."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        numbers = [rule for rule in rules if rule.field.type in ("number", "integer")]
        self._texts = [rule for rule in rules if rule.field.type not in ("number", "integer")]
        self._names = [rule.field.name for rule in numbers]
        self._order = [rule.field.name for rule in rules]
        self._width = len(numbers)
        self._whole = np.array([rule.field.type == "integer" for rule in numbers], dtype=bool)
        limits = [bounds(rule.field) if rule.closed_range else (-np.inf, np.inf) for rule in numbers]
        self._low = np.array([low for low, _ in limits])
        self._high = np.array([high for _, high in limits])
        row = _struct([*numbers, *self._texts])
        self._decoder = msgspec.json.Decoder(row | list[row])

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
            column = _texts(rule, [row[place] for row in rows])
            if column is None:
                return None
            columns[rule.field.name] = column
        return {name: columns[name] for name in self._order}

    def _numbers(self, rows: list[tuple]) -> Columns | None:
        if not self._width:
            return {}
        matrix = np.array([row[:self._width] for row in rows], dtype=np.float64)  # None becomes NaN
        if ((matrix < self._low) | (matrix > self._high) | np.isinf(matrix)).any():
            return None
        if self._whole.any():
            whole = matrix[:, self._whole]
            if (whole - np.floor(whole) > 0).any():
                return None
        return dict(zip(self._names, matrix.T))


def _texts(rule: Rule, values: list) -> np.ndarray | None:
    if rule.field.type == "category":
        codes = [MISSING if value is None else rule.codes.get(value, UNSEEN) for value in values]
        return None if rule.closed_levels and UNSEEN in codes else np.array(codes, dtype=np.int64)
    numbers = [np.nan if value is None else days(value) for value in values]
    return None if None in numbers else np.array(numbers, dtype=np.float64)


def _struct(rules: list[Rule]) -> type[msgspec.Struct]:
    fields = []
    for number, rule in enumerate(rules):
        kind = float if rule.field.type in ("number", "integer") else str
        fields.append((f"f{number}", kind | None, None) if rule.field.optional else (f"f{number}", kind))
    names = {f"f{number}": rule.field.name for number, rule in enumerate(rules)}
    return msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False)


def _fit_for_struct(schema: Schema) -> bool:
    """Whether msgspec can name a struct's fields so; a schema it cannot is decoded the thorough way."""
    return not any(UNSAFE_IN_NAMES & set(name) or any(ord(sign) < 32 for sign in name) for name in schema.names)


def parse(body: bytes) -> Any:
    """A JSON document; NaN, Infinity and numbers beyond double precision become NOT_FINITE.

    Raises
    ------
    Refusal
        400, saying where the document is broken.
    """
    if not body.strip(b" \t\r\n"):
        raise Refusal(400, "The body is empty; expected JSON: an object, or a list of objects.")
    try:
        return json.loads(
            body.decode("utf-8"), parse_int=_integer, parse_float=_float, parse_constant=lambda _: NOT_FINITE
        )
    except UnicodeDecodeError as error:
        raise Refusal(400, f"The body is not UTF-8: byte {error.start} is invalid.") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        raise Refusal(400, f"The body is not JSON: {error.msg} at {place}.") from error
    except RecursionError as error:
        raise Refusal(400, "The body is nested too deeply.") from error


def _without_texts(body: bytes) -> bytes:
    """What of a JSON document is outside of its texts."""
    signs = np.frombuffer(body.replace(rb"\\", b"").replace(rb'\"', b""), dtype=np.uint8)
    return signs[~np.logical_xor.accumulate(signs == ord('"'))].tobytes()


def _integer(digits: str) -> Any:
    return int(digits) if len(digits) <= LONGEST_INTEGER else _float(digits)


def _float(digits: str) -> Any:
    number = float(digits)
    return number if np.isfinite(number) else NOT_FINITE


def _rows(document: Any) -> list:
    if isinstance(document, dict):
        return [document]
    if not isinstance(document, list):
        raise Refusal(422, "Expected an object, or a list of objects.")
    if not document:
        raise Refusal(422, "The list is empty; expected one row at least.")
    return document
