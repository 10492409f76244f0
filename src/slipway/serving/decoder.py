"""From the bytes of a request to typed columns: fast when all is well, thorough when something is wrong.

The fast way decodes with msgspec straight into the schema's types. Whatever it does not accept goes the thorough way,
which has the last word and lists everything that is wrong. Of a key given twice the last one counts. What cannot be
rows of a permitted number goes neither way: to parse a body of brackets takes a hundred times as long as to send it.
"""

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
from msgspec import Struct

from slipway.serving.refusal import Refusal, shown_name
from slipway.serving.typed_rows import UNEXPECTED, TypedRows, by_name, fit_for_struct, is_id
from slipway.table.dialect import BOM
from slipway.table.faults import LISTED, FieldProblem, tally_key
from slipway.table.rules import Rules
from slipway.table.schema import Columns
from slipway.table.unlike import Unlike, warnings

LONGEST_INTEGER = 100
LONG = b"0" * (LONGEST_INTEGER + 1)
ZEROS = bytes.maketrans(b"123456789", b"000000000")
AT_ONCE = 256  # rows that are checked together: what is wrong with all of a call's rows would take much memory
LISTED_OF_A_ROW = 10
WRAPPING = 10  # objects for each column and each of a hundred others, in a document that is not a plain list of rows
IGNORED = "is not a feature of the model and was not read"


class Decoded(Struct, frozen=True):
    """The rows of a request.

    Attributes
    ----------
    columns : mapping of str to ndarray
        Typed; what a wrong row has in them means nothing.
    count : int
    wrong : mapping of int to list of FieldProblem
        Rows, from 0, that cannot be answered, and why; of each the first ten problems.
    ignored : tuple of str
        Names of columns that came with the rows and are no features, such as the target.
    rows : sequence
        As they came: structs of the schema's types with their ids; or JSON objects, empty where a row was none.
    objects : bool
        Whether they are objects, with whatever was in them.
    counts : mapping of str to int
        ``field/reason`` → how many cells are wrong, listed or not.
    """

    columns: Columns
    count: int
    wrong: Mapping[int, Sequence[FieldProblem]] = {}
    ignored: tuple[str, ...] = ()
    rows: Sequence[Any] = ()
    objects: bool = False
    counts: Mapping[str, int] = {}


class Decoder:
    """Decodes the rows of one schema.

    Parameters
    ----------
    rules : Rules
    max_rows : int
    known : collection of str
        Columns of the table that are no features, such as the target. They are passed over.
    ids : sequence of str
        Columns that name a row. It may have them: they are echoed and logged.
    """

    def __init__(self, rules: Rules, max_rows: int, known: Collection[str] = (), ids: Sequence[str] = ()) -> None:
        self.rules = rules
        self.max_rows = max_rows
        features = [rule.field.name for rule in rules]
        self._ids = tuple(name for name in ids if name not in features)  # the champion may have learned from one
        self._known = frozenset(known).difference(features, ids)
        self._fast = TypedRows(rules, self._ids) if fit_for_struct([*features, *self._ids]) else None

    def decode(self, body: bytes, partial: bool = False) -> Decoded:
        """The rows of a JSON object or list of objects.

        Raises
        ------
        Refusal
            400 when the body is not JSON in UTF-8, 413 for too many rows; unless `partial`, 422
            with every wrong row and field.
        """
        body = body.removeprefix(BOM)
        if len(body) > self.max_rows and self._exceeds(body) and self._exceeds(_without_texts(body)):
            raise self._too_many()
        read = self._fast.decode(body, self.max_rows) if self._fast else None
        return Decoded(read[0], len(read[1]), rows=read[1]) if read else self._thorough(body, partial)

    def document(self, body: bytes) -> Any:
        """A JSON document that may hold rows of a permitted number, in whichever form; `decode_rows` reads them.

        Raises
        ------
        Refusal
            400 when the body is not JSON in UTF-8, 413 when there is too much in it.
        """
        body = body.removeprefix(BOM)
        if len(body) > self.max_rows and self._exceeds(body, True) and self._exceeds(_without_texts(body), True):
            raise self._too_many()
        return parse(body)

    def decode_columns(self, columns: Mapping[str, Sequence[Any]]) -> Decoded:
        """The same of columns of the same length, by name.

        Raises
        ------
        Refusal
            As `decode_rows`; of too many rows none is made.
        """
        self.require_rows(max(map(len, columns.values()), default=0))
        names = list(columns)
        return self.decode_rows([dict(zip(names, cells)) for cells in zip(*columns.values())])

    def decode_rows(self, rows: Sequence[Any], partial: bool = False) -> Decoded:
        """The same of rows that are parsed already: an object each.

        Raises
        ------
        Refusal
            As `decode`, without the 400.
        """
        self.require_rows(len(rows))
        read = self._fast.convert(rows) if self._fast else None
        return Decoded(read[0], len(read[1]), rows=read[1]) if read else self._walked(rows, partial)

    def _thorough(self, body: bytes, partial: bool) -> Decoded:
        rows = _rows(parse(body))
        self.require_rows(len(rows))
        return self._walked(rows, partial)

    def _walked(self, rows: Sequence[Any], partial: bool) -> Decoded:
        walk = Walk(self.rules, self._known, self._ids, partial)
        parts = [walk.check(begin, rows[begin : begin + AT_ONCE]) for begin in range(0, len(rows), AT_ONCE)]
        if walk.counts and not partial:
            problems = [problem for row in sorted(walk.wrong) for problem in walk.wrong[row]]
            raise Refusal(422, "Some fields are not as expected.", problems[:LISTED], walk.counts)
        columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        ignored, objects = tuple(sorted(walk.ignored)), list(map(_object, rows))
        return Decoded(columns, len(rows), walk.wrong, ignored, objects, True, walk.counts)

    def require_rows(self, count: int) -> None:
        """Refuse a call of so many rows, if it cannot be answered.

        Raises
        ------
        Refusal
            422 for none, 413 for too many.
        """
        if not count:
            raise Refusal(422, "The list is empty; expected at least one row.")
        if count > self.max_rows:
            raise self._too_many()

    def ids(self, decoded: Decoded) -> list[dict[str, Any]]:
        """The ids of each row, as far as it has them."""
        if not self._ids:
            return [{}] * decoded.count
        return [{name: row[name] for name in self._ids if is_id(row.get(name))} for row in map(by_name, decoded.rows)]

    def warnings(self, decoded: Decoded, unlike: Sequence[Unlike], chosen: np.ndarray | None) -> list[FieldProblem]:
        """What is unlike training in the rows that were answered, all or those `chosen`, and what was not read."""
        ignored = [FieldProblem(None, shown_name(name), "ignored", IGNORED) for name in decoded.ignored]
        found = warnings(unlike)
        if chosen is not None:
            found = [replace(each, row=int(chosen[each.row - 1]) + 1) for each in found if each.row is not None]
        return [*ignored, *found][:LISTED]

    def _exceeds(self, body: bytes, wrapped: bool = False) -> bool:
        """Whether there are more signs of objects, lists or values than rows of a permitted number have.

        In a document that is `wrapped` around the rows, each cell may be in a list of its own.
        """
        width = len(self.rules) + len(self._known) + len(self._ids)
        objects = self.max_rows + (WRAPPING * (width + 100) if wrapped else 0)
        lists = objects * width if wrapped else objects
        return body.count(b"{") > objects or body.count(b"[") > lists or body.count(b",") > objects * width

    def _too_many(self) -> Refusal:
        return Refusal(413, f"Expected at most {self.max_rows} rows of {len(self.rules)} fields in one call.")


def is_single(body: bytes) -> bool:
    """Whether a body that was decoded is one object."""
    return body.removeprefix(BOM).lstrip(b" \t\r\n").startswith(b"{")


class Walk:
    """Reads rows of JSON values and keeps what is wrong: the first problems of each row, and all counted."""

    def __init__(self, rules: Rules, known: frozenset[str], ids: Sequence[str], partial: bool) -> None:
        self._rules = rules
        self._known = known
        self._ids = frozenset(ids)
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
        objects = list(map(_object, rows))
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
                self._check_ids(place, row)
        if not self._partial and sum(map(len, self.wrong.values())) >= LISTED:
            self._most = 0  # those of later rows are not listed
        return columns

    def _others(self, place: int, names: list[str]) -> None:
        """Names that are no features."""
        self.ignored.update(self._known.intersection(names))
        unknown = [name for name in names if name not in self._known and name not in self._ids]
        for name in unknown[:LISTED]:
            self._add(place, shown_name(name), "unknown_field", "there is no such field")
        if unknown[LISTED:]:
            self.counts[tally_key(None, "unknown_field")] += len(unknown[LISTED:])

    def _check_ids(self, place: int, row: Mapping[str, Any]) -> None:
        for name in self._ids & row.keys():
            if row[name] is not None and not is_id(row[name]):
                self._add(place, name, "type", "expected text or a number")

    def _add(self, place: int, name: str | None, reason: str, detail: str) -> None:
        self.counts[tally_key(None if reason == "unknown_field" else name, reason)] += 1  # a client must not invent names
        listed = self.wrong.setdefault(place, [])
        if len(listed) < self._most:
            listed.append(FieldProblem(place + 1, name, reason, detail))


def parse(body: bytes) -> Any:
    """A JSON document; NaN and Infinity are numbers, those beyond double precision are infinite.

    Raises
    ------
    Refusal
        400, saying where the document is broken.
    """
    if not body.strip(b" \t\r\n"):
        raise Refusal(400, "The body is empty; expected JSON: an object, or a list of objects.")
    if LONG not in body.translate(ZEROS):  # of longer integers msgspec keeps every digit
        with suppress(*UNEXPECTED):
            return msgspec.json.decode(body)
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


def _object(row: Any) -> dict[str, Any]:
    return row if isinstance(row, dict) else {}


def _integer(digits: str) -> int | float:
    return int(digits) if len(digits) <= LONGEST_INTEGER else float(digits)


def _rows(document: Any) -> list[Any]:
    if isinstance(document, dict):
        return [document]
    if not isinstance(document, list):
        raise Refusal(422, "Expected an object, or a list of objects.")
    return document
