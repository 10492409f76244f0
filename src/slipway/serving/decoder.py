"""Request bodies → typed columns, strictly by the schema.

msgspec decodes and checks in one pass. Where it refuses a body, the rows are walked once in Python, to name every
wrong row and field; the walk has the last word, so that both ways agree on what is valid. Of keys given twice the
last one counts, as in most JSON readers.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple

import msgspec
import numpy as np

from slipway.problem import Serving
from slipway.schema import UNSEEN, Columns, Field, Schema, parse_date, show_date

MOST_NAMED = 100
MOST_SHOWN = 60
MOST_LEVELS = 20
LARGEST = 1e300


@dataclass(frozen=True)
class Wrong:
    """One thing that is wrong with a body; it never repeats the value that was sent.

    Parameters
    ----------
    row : int
        From 1.
    field : str or None
    detail : str
        What was expected.
    """

    row: int
    field: str | None
    detail: str

    def __str__(self) -> str:
        return f"{self.field}: {self.detail}" if self.field else self.detail

    def to_json(self, single: bool) -> dict:
        path = ([] if single else [str(self.row - 1)]) + ([] if self.field is None else [_escaped(self.field)])
        return {"row": self.row, "field": self.field, "pointer": "#" + "".join(f"/{each}" for each in path),
                "detail": self.detail}


class Malformed(ValueError):
    """The body is not JSON in UTF-8."""

    problems: Sequence[Wrong] = ()


class TooManyRows(ValueError):
    """The body has more rows than the service answers at once."""

    problems: Sequence[Wrong] = ()


class InvalidRows(ValueError):
    """Rows that do not fit the schema.

    Parameters
    ----------
    problems : sequence of Wrong
        The first hundred.
    total : int
        How many there are in all.
    single : bool
        Whether the body was one row, not a list.
    """

    def __init__(self, problems: Sequence[Wrong], total: int, single: bool) -> None:
        super().__init__(f"{total} values do not fit the schema")
        self.problems = problems
        self.total = total
        self.single = single


class Decoded(NamedTuple):
    """A body that fits the schema."""

    columns: Columns
    warnings: Sequence[Wrong]
    single: bool
    rows: int


class Decoder:
    """Decodes the bodies of one schema under one policy."""

    def __init__(self, schema: Schema, serving: Serving) -> None:
        self._schema = schema
        self._serving = serving
        self._checks = {field.name: _check(field, serving) for field in schema}
        row = _struct(schema, serving)
        self._reader = msgspec.json.Decoder(row | list[row])
        self._wholes = [place for place, field in enumerate(schema) if field.type == "integer"]

    def decode(self, body: bytes) -> Decoded:
        """Read one row (an object) or several (a list).

        Raises
        ------
        Malformed, TooManyRows, InvalidRows
        """
        try:
            document = self._reader.decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return self._walk(body)
        single = not isinstance(document, list)
        rows = [document] if single else document
        if not rows:
            return self._walk(body)
        self._require_few(len(rows))
        cells = list(zip(*map(msgspec.structs.astuple, rows)))
        if any(value is not None and not value.is_integer() for place in self._wholes for value in cells[place]):
            return self._walk(body)
        try:
            columns = self._schema.columns_from_cells(cells)
        except ValueError:  # a date that is none
            return self._walk(body)
        wrong, warnings = self._out_of_policy(columns)
        if wrong:
            return self._walk(body)
        return Decoded(columns, warnings, single, len(rows))

    def check_row(self, number: int, row: object) -> tuple[dict, list[Wrong]]:
        """The row with each value as `Schema.columns_from_rows` takes it, and what is wrong with it."""
        if not isinstance(row, Mapping):
            return {}, [Wrong(number, None, "expected an object with a value for each field")]
        clean, wrong = {}, []
        for name, check in self._checks.items():
            clean[name], expected = check(row.get(name), name in row)
            if expected:
                wrong.append(Wrong(number, name, expected))
        for name in row:
            if name not in self._checks:
                wrong.append(Wrong(number, str(name)[:MOST_SHOWN], "is not a field of this model"))
        return clean, wrong

    def columns(self, rows: Sequence[Mapping]) -> tuple[Columns, list[Wrong]]:
        """Checked rows → columns, and the warnings that the policy asks for."""
        columns = self._schema.columns_from_rows(rows)
        return columns, self._out_of_policy(columns)[1]

    def _walk(self, body: bytes) -> Decoded:
        document = _document(body)
        single = not isinstance(document, list)
        rows = [document] if single else document
        if not rows:
            raise InvalidRows([Wrong(1, None, "expected at least one row, got an empty list")], 1, True)
        self._require_few(len(rows))
        clean, wrong = [], []
        for number, row in enumerate(rows, start=1):
            checked, odd = self.check_row(number, row)
            clean.append(checked)
            wrong += odd
        if wrong:
            raise InvalidRows(wrong[:MOST_NAMED], len(wrong), single)
        columns, warnings = self.columns(clean)
        return Decoded(columns, warnings, single, len(rows))

    def _require_few(self, number: int) -> None:
        if number > self._serving.max_rows:
            raise TooManyRows(f"expected at most {self._serving.max_rows:,} rows, got {number:,}")

    def _out_of_policy(self, columns: Columns) -> tuple[bool, list[Wrong]]:
        """Whether a row must be refused for its range or levels, and warnings on those that need not be."""
        refuse, warnings = False, []
        for field in self._schema:
            odd = _outside(field, columns[field.name])
            if not odd.any():
                continue
            policy = self._serving.unknown_levels if field.type == "category" else self._serving.out_of_range
            if policy == "reject":
                refuse = True
            else:
                says = "a level" if field.type == "category" else "a number outside the range"
                rows = (np.nonzero(odd)[0][:MOST_NAMED] + 1).tolist()
                expected = expectation(field, self._serving)
                warnings += [Wrong(row, field.name, f"{says} that training never saw; {expected}") for row in rows]
        return refuse, warnings[:MOST_NAMED]


def _outside(field: Field, column: np.ndarray) -> np.ndarray:
    if field.type == "category":
        return column == UNSEEN
    return (column < field.minimum) | (column > field.maximum)


def _document(body: bytes):
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"expected JSON in UTF-8; byte {error.start + 1} is not UTF-8") from None
    if not text.strip():
        raise Malformed("expected a row as a JSON object, or a list of rows; the body is empty")
    try:
        return json.loads(text, parse_constant=_refuse_constant, parse_int=float)
    except json.JSONDecodeError as error:
        raise Malformed(f"expected JSON; {error.msg} at line {error.lineno}, column {error.colno}") from None
    except _Constant as error:
        raise Malformed(f"expected JSON, which has no {error}") from None
    except RecursionError:
        raise Malformed("expected rows; the body is nested too deeply") from None


class _Constant(Exception):
    """NaN or Infinity, which Python reads but JSON does not have."""


def _refuse_constant(name: str):
    raise _Constant(name)


def _struct(schema: Schema, serving: Serving) -> type:
    """The type of a row for msgspec; `Field_0` stands for the first field, whatever its name is."""
    fields, names = [], {}
    for place, field in enumerate(schema):
        kind = _type(field, serving)
        names[f"field_{place}"] = field.name
        fields.append((f"field_{place}", kind | None, None) if field.optional else (f"field_{place}", kind))
    return msgspec.defstruct("Row", fields, rename=names, forbid_unknown_fields=True, kw_only=True, gc=False)


def _type(field: Field, serving: Serving):
    if field.type == "category":
        return Literal[field.levels] if serving.unknown_levels == "reject" else str
    if field.type == "date":
        return str
    if serving.out_of_range == "reject":
        return Annotated[float, msgspec.Meta(ge=field.minimum, le=field.maximum)]
    return Annotated[float, msgspec.Meta(ge=-LARGEST, le=LARGEST)]


def _check(field: Field, serving: Serving) -> Callable:
    """(value, whether it was given) → (clean value, what was expected instead or None)."""
    read = {"category": _level, "date": _date}.get(field.type, _number)
    expected = expectation(field, serving)

    def check(value, given: bool):
        if value is None:
            return None, None if field.optional else (f"is {'null' if given else 'missing'}; {expected}")
        clean = read(value, field, serving)
        return clean, None if clean is not None else expected

    return check


def _level(value, field: Field, serving: Serving) -> str | None:
    if not isinstance(value, str):
        return None
    return value if value in field.levels or serving.unknown_levels == "warn" else None


def _number(value, field: Field, serving: Serving) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= LARGEST:
        return None
    if field.type == "integer" and not float(value).is_integer():
        return None
    inside = field.minimum <= value <= field.maximum
    return float(value) if inside or serving.out_of_range == "warn" else None


def _date(value, field: Field, serving: Serving) -> str | None:
    try:
        days = parse_date(value) if isinstance(value, str) else None
    except (ValueError, OverflowError):
        return None
    if days is None:
        return None
    return value if field.minimum <= days <= field.maximum or serving.out_of_range == "warn" else None


def expectation(field: Field, serving: Serving) -> str:
    """What a value of this field must be, in words."""
    if field.type == "category":
        shown = ", ".join(json.dumps(level, ensure_ascii=False) for level in field.levels[:MOST_LEVELS])
        more = len(field.levels) - MOST_LEVELS
        return f"expected one of {shown}" + (f" or {more} others" if more > 0 else "")
    if field.type == "date":
        low, high = show_date(field.minimum), show_date(field.maximum)
        return f"expected a date such as {low}" + (f", up to {high}" if serving.out_of_range == "reject" else "")
    kind = "a whole number" if field.type == "integer" else "a number"
    low, high = (f"{int(each)}" if float(each).is_integer() else repr(each) for each in (field.minimum, field.maximum))
    return f"expected {kind} from {low} to {high}"


def _escaped(name: str) -> str:
    """A name as a token of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")
