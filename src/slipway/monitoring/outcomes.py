"""A table of what really happened, as a person or another system has it → labels, each with the key of its prediction."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from math import isfinite
from typing import Any

from slipway.errors import TableError
from slipway.monitoring.row_keys import Logged, id_key, plainly, request_key
from slipway.problem import Problem
from slipway.sources.batches import Batches
from slipway.table.cell import USUAL, Reader, problem_reader, typed_text
from slipway.table.dates import parse_datetime
from slipway.table.formats import number
from slipway.table.identity import key_of
from slipway.table.row_id import id_text

REQUEST_ID, ROW_NUMBER = "request_id", "row"
LABEL, SEEN_AT, ACTED = "label", "seen_at", "acted"
AHEAD = timedelta(days=1)  # a date without a time zone may be tomorrow's


@dataclass(frozen=True)
class Outcomes:
    """What a table says.

    Parameters
    ----------
    found : mapping
        (key, when the label was seen or None for now) → (label, whether the answer was acted on or None). Of several rows with
        the same key and time the last counts.
    read : int
        Rows.
    faults : sequence of str
        What is wrong with each row that was not taken.
    """

    found: Mapping[tuple[str, datetime | None], tuple[str, str | None]]
    read: int
    faults: Sequence[str]


def read_outcomes(
    batches: Batches,
    where: str,
    problem: Problem,
    classes: Sequence[str],
    now: datetime,
    logged: Logged = plainly,
) -> Outcomes:
    """Read a table of labels.

    Parameters
    ----------
    batches : Batches
        Its columns are the problem's ids, or ``request_id`` and ``row`` (0 when absent); the target, or ``label``; perhaps
        ``seen_at`` and ``acted``.
    where : str
        For messages.
    problem : Problem
    classes : sequence of str
        The labels that the model answers; none when it answers numbers.
    now : datetime
        In UTC, without a time zone.
    logged : callable, optional
        (column, text of an id) → what the log has of it, where ids are hashed.

    Raises
    ------
    TableError
        When a column is missing, or the table cannot be read.
    """
    form = _Form(_key_columns(batches.names, problem, where), _label_column(batches.names, problem, where), problem, classes)
    found, read, faults = {}, 0, []
    for row in _rows(batches, form.columns):
        read += 1
        try:
            key, seen_at = form.key(row, logged), _seen_at(row.get(SEEN_AT), now)
            found[key, seen_at] = form.label(row), _text(row.get(ACTED))
        except ValueError as fault:
            faults.append(f"row {read}: {fault}")
    return Outcomes(found, read, faults)


def columns_of(problem: Problem) -> tuple[str, ...]:
    """What a table of labels may have."""
    return (*problem.id, REQUEST_ID, ROW_NUMBER, problem.target, LABEL, SEEN_AT, ACTED)


def _key_columns(names: Sequence[str], problem: Problem, where: str) -> tuple[str, ...]:
    if problem.id and set(problem.id) <= set(names):
        return problem.id
    if REQUEST_ID in names:
        return (REQUEST_ID, ROW_NUMBER)
    by_id = f"{', '.join(problem.id)} (id in slipway.yaml), or " if problem.id else ""
    cure = f"Add {by_id}{REQUEST_ID} and {ROW_NUMBER}: the X-Request-ID of the call and the number of the row in it, from 0"
    raise TableError(f"{where}: no column tells which prediction a label belongs to", cure)


def _label_column(names: Sequence[str], problem: Problem, where: str) -> str:
    for name in (problem.target, LABEL):
        if name in names:
            return name
    raise TableError(f"{where}: has no column with the label", f"Name it {problem.target} or {LABEL}")


def _rows(batches: Batches, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    there = [name for name in columns if name in batches.names]
    for batch in batches.read():
        for cells in zip(*(batch.column(name).to_pylist() for name in there)):
            yield dict(zip(there, cells))


@dataclass(frozen=True)
class _Form:
    """How a row is read; ValueError, with what is wrong, from each method."""

    keys: tuple[str, ...]
    target: str
    problem: Problem
    classes: Sequence[str]
    known: dict[str, str] = field(init=False)
    reader: Reader = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", {key_of(label): label for label in self.classes})
        object.__setattr__(self, "reader", problem_reader(self.problem, self.problem.target))

    @property
    def columns(self) -> tuple[str, ...]:
        return (*self.keys, self.target, SEEN_AT, ACTED)

    def key(self, row: Mapping[str, Any], logged: Logged) -> str:
        texts = [(name, _id(name, row.get(name))) for name in self.keys]
        if self.keys == self.problem.id:
            return id_key(logged(name, _present(name, text)) for name, text in texts)
        (_, request), (_, place) = texts
        if place and not place.isdecimal():
            raise ValueError(f"{ROW_NUMBER} is {place[:40]!r}, not the number of a row")
        return request_key(_present(REQUEST_ID, request), int(place or 0))

    def label(self, row: Mapping[str, Any]) -> str:
        text = _present(self.target, self.reader.text(row[self.target]))
        if self.classes:
            label = self.known.get(key_of(text))
            if label is None:
                raise ValueError(f"{self.target} is {text[:40]!r}, not one of {', '.join(self.classes)[:120]}")
            return label
        value = number(text)
        if not isfinite(value):
            raise ValueError(f"{self.target} is {text[:40]!r}, not a number")
        return typed_text(value)


def _id(name: str, cell: Any) -> str | None:
    try:
        return id_text(cell)
    except ValueError:
        raise ValueError(f"{name} is {str(cell)[:40]}, not a text or a number") from None


def _present(name: str, text: str | None) -> str:
    if text is None:
        raise ValueError(f"{name} is missing")
    return text


def _text(cell: Any) -> str | None:
    return USUAL.text(cell)


def _seen_at(cell: Any, now: datetime) -> datetime | None:
    text = _text(cell)
    if text is None:
        return None
    try:
        seen_at = parse_datetime(text)
    except ValueError:
        raise ValueError(f"{SEEN_AT} is {text[:40]!r}, not a date as in 2026-11-22T09:00:00Z") from None
    if seen_at > now + AHEAD:  # it would outdo every correction
        raise ValueError(f"{SEEN_AT} is {text[:40]!r}, in the future")
    return seen_at
