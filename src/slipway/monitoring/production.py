"""What production was asked and answered, day by day, as counts in the bins of the reference."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pyarrow
from pyarrow import compute

from slipway.model.contents import Model
from slipway.model.event import SHORT
from slipway.monitoring.bins import LABEL, SCORE, Column, count, of_answers
from slipway.monitoring.drift import Day
from slipway.monitoring.logged_rows import ANSWER, LoggedRows, answers_of, read_rows, read_table
from slipway.monitoring.partitions import REFUSALS, ROWS, Log
from slipway.monitoring.whole_days import files
from slipway.table.cell import encode
from slipway.table.schema import MISSING, UNSEEN, Schema


@dataclass
class Traffic:
    """One day of one bundle.

    Parameters
    ----------
    day : date
    rows : int
        That were answered.
    counts : list of ndarray
        Of each watched column.
    answers : list of ndarray
        As the log has them, file by file.
    refused : Counter
        Cells that were refused, by field.
    """

    day: date
    rows: int = 0
    counts: list[np.ndarray] = field(default_factory=list)
    answers: list[np.ndarray] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)


def traffic(
    log: Log, digest: str, columns: Sequence[Column], schema: Schema, model: Model, first: date, until: date
) -> list[Traffic]:
    """The days from `first` to the one before `until` on which a bundle was asked anything, in their order.

    Rows are read file by file and kept as counts.

    Parameters
    ----------
    log : Log
    digest : str
        Of the bundle.
    columns : sequence of Column
        Those that are watched; their counts add up over files and days.
    schema, model
        Of the bundle.

    Raises
    ------
    StoreError
        When a file of the log cannot be read.
    """
    found: dict[date, Traffic] = {}
    for part, path in files(log, REFUSALS):
        if part.bundle == digest[:SHORT] and first <= part.day < until:
            found.setdefault(part.day, Traffic(part.day)).refused.update(_refused(read_table(path)))
    names = [column.name for column in columns if column.key not in (SCORE, LABEL)]
    for part, path in files(log, ROWS):
        if part.bundle == digest[:SHORT] and first <= part.day < until:
            rows = read_rows(path, names, calls=[ANSWER])
            _add(found.setdefault(part.day, Traffic(part.day)), rows, columns, schema, model)
    for day in found.values():
        _add_refused(day, columns)
    return [found[day] for day in sorted(found)]


def as_days(days: Iterable[Traffic]) -> list[Day]:
    """What drift is looked for in."""
    return [Day(day.day, day.rows, day.counts) for day in days]


def watched(columns: Iterable[Column], private: Collection[str]) -> tuple[Column, ...]:
    """The columns that the log has as they were: of what is left out or hashed nothing can be compared."""
    return tuple(column for column in columns if column.key in (SCORE, LABEL) or column.name not in private)


def _refused(table: pyarrow.Table) -> Counter[str]:
    found: Counter[str] = Counter()
    columns = (table.column(name).to_pylist() for name in ("kind", "field", "count"))
    for kind, name, number in zip(*columns):
        if kind == "refused":
            found[name] += number
    return found


def _add(day: Traffic, rows: LoggedRows, columns: Sequence[Column], schema: Schema, model: Model) -> None:
    answers = answers_of(rows.calls.column(ANSWER))
    scores, codes = of_answers(answers, model.threshold)
    counts = []
    for column in columns:
        values = {SCORE: scores, LABEL: codes}.get(column.key)
        counts.append(count(column, typed(rows, column, schema) if values is None else values))
    day.counts = [one + other for one, other in zip(day.counts, counts)] if day.counts else counts
    day.rows += len(rows)
    day.answers.append(answers)


def _add_refused(day: Traffic, columns: Sequence[Column]) -> None:
    if not day.counts:
        day.counts = [np.zeros(len(column.counts), dtype=np.int64) for column in columns]
    for column, counts in zip(columns, day.counts):
        if "refused" in column.apart:
            counts[column.apart.index("refused")] += day.refused[column.name]


def typed(rows: LoggedRows, column: Column, schema: Schema) -> np.ndarray:
    """The values of a field as training has them: numbers, or codes of levels."""
    of = schema[column.name]
    place = rows.cells.schema.get_field_index(column.name)
    if place < 0:
        return np.full(len(rows), np.nan) if of.is_number else np.full(len(rows), MISSING)
    cells = rows.cells.column(place).combine_chunks()
    if of.is_number:
        if pyarrow.types.is_string(cells.type):
            read: np.ndarray = encode(of, cells.to_pylist())
            return read
        numbers: np.ndarray = cells.cast(pyarrow.float64()).to_numpy(zero_copy_only=False)
        return numbers
    places = compute.index_in(cells.cast(pyarrow.string()), value_set=pyarrow.array(of.levels, pyarrow.string()))
    codes: np.ndarray = places.fill_null(UNSEEN).to_numpy(zero_copy_only=False).astype(np.int64)
    codes[cells.is_null().to_numpy(zero_copy_only=False)] = MISSING
    return codes
