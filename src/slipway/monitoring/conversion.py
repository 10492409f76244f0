"""A raw file of the log → tables of what was answered and of what was refused."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow

from slipway.errors import StoreError
from slipway.model.event import FORM, Event, read_events
from slipway.monitoring.logged_rows import ANSWER, CALLS, MOMENT, LoggedRows, joined
from slipway.table.cell import typed_text
from slipway.table.dates import parse_datetime
from slipway.table.row_id import id_text

TOGETHER = 1 << 18  # cells that are Python objects at a time, about
COUNTED = pyarrow.schema(
    {
        "at": MOMENT,
        "id": pyarrow.string(),
        "release": pyarrow.string(),
        "kind": pyarrow.string(),  # refused or warned
        "field": pyarrow.string(),
        "reason": pyarrow.string(),
        "count": pyarrow.int64(),
    }
)


@dataclass(frozen=True)
class Converted:
    """The content of a raw file.

    Parameters
    ----------
    rows : LoggedRows or None
    counted : Table
        How often what was refused, and what was answered with a warning: the columns of COUNTED.
    torn : int
        Lines that say nothing, as a crash or a full disk leaves them.
    """

    rows: LoggedRows | None
    counted: pyarrow.Table
    torn: int


def convert(content: bytes, ids: Collection[str]) -> Converted:
    """The tables of a raw file.

    Parameters
    ----------
    content : bytes
    ids : collection of str
        Columns that name a row: they are texts, whatever they look like.

    Raises
    ------
    StoreError
        When a newer version wrote it, or nothing that Slipway has. The message does not name the file.
    """
    done: list[LoggedRows] = []
    piece, counted, torn = _Piece(), _Counted(), 0
    try:
        for event in read_events(content):
            if event is not None and event.v > FORM:
                raise StoreError(f"has form {event.v}, this version reads {FORM}", "Install the version that serves")
            at = _moment(event) if event is not None and _is_sound(event) else None
            if event is None or at is None:
                torn += 1
                continue
            piece.add(event, at)
            counted.add(event, at)
            if piece.cells >= TOGETHER:
                done.append(piece.table(ids))
                piece = _Piece()
        if piece.rows:
            done.append(piece.table(ids))
        return Converted(joined(done) if done else None, counted.table(), torn)
    except (TypeError, ValueError, OverflowError, pyarrow.ArrowException) as error:  # JSON, but not what the service writes
        raise StoreError(f"was not written by Slipway ({error})", "Delete the file") from error


def _is_sound(event: Event) -> bool:
    """Whether it is one that the service writes: what was damaged on the disk may still be JSON."""
    numbers = event.numbers
    return (
        len(event.rows) == len(event.answers)
        and (numbers is None or len(numbers) == len(event.rows))
        and all(isinstance(row, dict) and not any(type(cell) in (list, dict) for cell in row.values()) for row in event.rows)
        and (all(map(_is_number, event.answers)) or all(map(_are_probabilities, event.answers)))
    )


def _moment(event: Event) -> datetime | None:
    try:
        return parse_datetime(event.at)
    except ValueError:
        return None


def _is_number(answer: Any) -> bool:
    return type(answer) in (float, int)


def _are_probabilities(answer: Any) -> bool:
    return isinstance(answer, list) and all(map(_is_number, answer))


@dataclass(frozen=True)
class _Piece:
    """Some rows, as Python has them."""

    calls: list[tuple[Any, ...]] = field(default_factory=list)
    answers: list[Any] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def cells(self) -> int:
        return len(self.rows) * len(self.rows[-1]) if self.rows else 0

    def add(self, event: Event, at: datetime) -> None:
        numbers = range(len(event.rows)) if event.numbers is None else event.numbers
        self.calls.extend((at, event.id, number, event.release, event.client, event.share) for number in numbers)
        self.answers.extend(event.answers)
        self.rows.extend(event.rows)

    def table(self, ids: Collection[str]) -> LoggedRows:
        names = dict.fromkeys(name for row in self.rows for name in row)
        cells = {name: _cells([row.get(name) for row in self.rows], name in ids) for name in names}
        calls = pyarrow.table(list(map(list, zip(*self.calls))), schema=CALLS)
        return LoggedRows(calls.append_column(ANSWER, _answers(self.answers)), pyarrow.table(cells))


def _answers(answers: list[Any]) -> pyarrow.Array:
    if not isinstance(answers[0], list):
        return pyarrow.array(list(map(float, answers)), pyarrow.float64())
    return pyarrow.array([list(map(float, each)) for each in answers], pyarrow.list_(pyarrow.float64()))


def _cells(cells: list[Any], are_ids: bool) -> pyarrow.Array:
    kinds = set(map(type, cells)) - {type(None)}
    if are_ids:
        return pyarrow.array(list(map(id_text, cells)), pyarrow.string())
    if not kinds:
        return pyarrow.nulls(len(cells))
    if kinds <= {int, float}:
        return pyarrow.array([None if cell is None else float(cell) for cell in cells], pyarrow.float64())
    texts = [cell if cell is None or isinstance(cell, str) else typed_text(cell) for cell in cells]
    return pyarrow.array(texts, pyarrow.string())


@dataclass(frozen=True)
class _Counted:
    """What was refused and what was warned of, as Python has it."""

    lines: list[tuple[Any, ...]] = field(default_factory=list)

    def add(self, event: Event, at: datetime) -> None:
        for kind, counts in (("refused", event.refused), ("warned", event.warned)):
            self.lines.extend((at, event.id, event.release, kind, *each) for each in _named(counts))

    def table(self) -> pyarrow.Table:
        columns = map(list, zip(*self.lines)) if self.lines else ([] for _ in COUNTED)
        return pyarrow.table(list(columns), schema=COUNTED)


def _named(counts: Mapping[str, int]) -> Iterator[tuple[str, str, int]]:
    """Field, reason and count of ``field/reason`` → count; a field may have a slash in its name."""
    for name, count in counts.items():
        field_name, _, reason = name.rpartition("/")
        yield field_name, reason, count
