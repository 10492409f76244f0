"""Typed rows → answers, the one way in which requests, uploads, batches and notebooks are answered."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from slipway.model.evaluation import Intervals
from slipway.model.intervals import interval
from slipway.model.predictor import Predictor
from slipway.table.faults import NO_ANSWER, Faults
from slipway.table.rules import Rules
from slipway.table.schema import Columns
from slipway.table.unlike import Unlike, notes

SAMPLE = 1_000
KEYS = 8
AT_ONCE = 10_000
MOST_REASONS = 10  # of a row; a wide table of nothing but wrong rows must not grow tenfold


class Answers(Struct, frozen=True):
    """What was answered to some rows.

    Attributes
    ----------
    chosen : ndarray of int or None
        Which of the rows were answered, from 0; None for all.
    values : ndarray
        Prediction per answered row: a number or a label.
    probabilities : ndarray of shape (answered, classes) or None
    columns : mapping
        The typed columns of the answered rows.
    reasons : mapping of int to str
        Rows, from 0, that were not answered, and why.
    warnings : list of str or None
        What is unlike training in each answered row; None when there is nothing, or nobody looked.
    ends : ndarray of shape (answered, 2) or None
        The low and the high end of each number's interval; None where none was asked for.
    """

    chosen: np.ndarray | None
    values: np.ndarray
    probabilities: np.ndarray | None
    columns: Columns
    reasons: Mapping[int, str]
    warnings: list[str] | None = None
    ends: np.ndarray | None = None

    @property
    def beside(self) -> np.ndarray | None:
        """What is written beside the values, a column each: the probabilities, or the ends of the intervals."""
        return self.probabilities if self.ends is None else self.ends

    def rows(self) -> Iterator[tuple[int, tuple[Any, ...]]]:
        """Each answered row: which it is, from 0, and its prediction, what is beside it, and its warning."""
        chosen = range(len(self.values)) if self.chosen is None else self.chosen.tolist()
        shares = [[]] * len(self.values) if self.beside is None else self.beside.tolist()
        notes = self.warnings or [""] * len(self.values)
        for place, value, share, note in zip(chosen, self.values.tolist(), shares, notes):
            yield place, (value, *share, note)

    def between(self, intervals: Intervals | None, level: float | None) -> "Answers":
        """The same with the ends of the intervals of this level, if one is asked for."""
        if level is None or not intervals:
            return self
        return replace(self, ends=np.column_stack(interval(intervals, self.values, level)))

    def noted(self, rules: Rules) -> "Answers":
        """The same with its warnings."""
        return self.said(rules.unlike(self.columns))

    def said(self, unlike: Sequence[Unlike]) -> "Answers":
        """The same with these as its warnings."""
        return replace(self, warnings=notes(unlike, len(self.values)) if unlike else None)


def reasons_of(faults: Mapping[str, Faults]) -> dict[int, str]:
    """What is wrong with each row in one text, of ten fields at most, from what is wrong with the cells of each field."""
    found: dict[int, str] = {}
    counts: Counter[int] = Counter()
    for name, wrong in faults.items():
        for row, fault in wrong.items():
            counts[row] += 1
            if counts[row] <= MOST_REASONS:
                found[row] = f"{found[row]}; {name}: {fault.detail}" if row in found else f"{name}: {fault.detail}"
    for row, count in counts.items():
        if count > MOST_REASONS:
            found[row] += f"; and {count - MOST_REASONS} more fields"
    return found


def score(predictor: Predictor, columns: Columns, reasons: Mapping[int, str], count: int) -> Answers:
    """Answer the rows that have no reason not to be.

    Parameters
    ----------
    predictor : Predictor
    columns : mapping
        Typed columns of `count` rows.
    reasons : mapping of int to str
        Rows, from 0, that cannot be answered, and why.
    count : int
    """
    chosen = np.delete(np.arange(count), list(reasons)) if reasons else None
    if chosen is not None:
        columns = {name: values[chosen] for name, values in columns.items()}
        count = len(chosen)
    values, probabilities = _predict(predictor, columns, count)
    finite = np.isfinite(values if probabilities is None else probabilities)
    if np.count_nonzero(finite) < finite.size:
        odd = np.flatnonzero(~finite.reshape(count, -1).all(axis=1))
        chosen = np.arange(count) if chosen is None else chosen
        reasons = {**reasons, **{int(row): NO_ANSWER for row in chosen[odd]}}
        kept = np.delete(np.arange(count), odd)
        chosen, values = chosen[kept], values[kept]
        columns = {name: each[kept] for name, each in columns.items()}
        probabilities = None if probabilities is None else probabilities[kept]
    return Answers(chosen, values, probabilities, columns, dict(sorted(reasons.items())) if reasons else {})


def added_names(predictor: Predictor, *more: str) -> tuple[str, ...]:
    """The columns that an answer adds: the prediction, the probability of each label, and `more`."""
    return ("prediction", *(f"probability_{label}" for label in predictor.classes), *more)


def answer_columns(answers: Answers, names: Iterable[str]) -> dict[str, list[Any]]:
    """Columns of rows that were all answered: the prediction and the probability of each label, which are called so."""
    shares = () if answers.probabilities is None else answers.probabilities.T.tolist()
    return dict(zip(names, (answers.values.tolist(), *shares)))


def added_columns(answers: Answers, count: int) -> list[list[Any]]:
    """Per row of `count`: the prediction and what is beside it, None where there is none; the warning, and the reason."""
    beside = answers.beside
    width = 0 if beside is None else beside.shape[1]
    rows: list[list[Any]] = [[*[None] * (1 + width), "", answers.reasons.get(row, "")] for row in range(count)]
    for row, cells in answers.rows():
        rows[row] = [*cells, ""]
    return rows


def _predict(predictor: Predictor, columns: Columns, count: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Values and probabilities of all rows, asked in an order in which like rows are neighbours.

    They take the same ways through the trees, which are then in the processor's cache: a third of the time for a forest.
    """
    if 0 < count <= SAMPLE:
        with np.errstate(over="ignore", invalid="ignore"):
            return predictor.answers(columns)
    order = _like_together(columns) if predictor.has_trees else None
    scores = np.empty((count, len(predictor.classes)) if predictor.task == "multiclass" else count)
    with np.errstate(over="ignore", invalid="ignore"):  # a number too large for double precision has no finite answer
        for begin in range(0, count, AT_ONCE):
            some = slice(begin, begin + AT_ONCE) if order is None else order[begin : begin + AT_ONCE]
            scores[some] = predictor.scores({name: each[some] for name, each in columns.items()})
    return predictor.decided(scores)


def _like_together(columns: Columns) -> np.ndarray:
    """The order of the rows by their columns, those with the fewest different values first."""
    counts = {name: len(np.unique(values[:SAMPLE])) for name, values in columns.items()}
    keys = sorted((name for name, count in counts.items() if count > 1), key=lambda name: counts[name])[:KEYS]
    return np.lexsort([columns[name] for name in reversed(keys)]) if keys else np.arange(len(next(iter(columns.values()))))
