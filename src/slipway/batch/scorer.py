"""Rows → answers, with the rules and the words of the service."""

from collections.abc import Callable, Collection

import numpy as np

from slipway.batch.rows import Answers, Rows, column
from slipway.model.predictor import Predictor
from slipway.problem import Serving
from slipway.table.arrow_cells import read_column
from slipway.table.rules import NO_ANSWER, Watch, rows_without_answer, rules_of
from slipway.table.schema import Columns

SAMPLE = 1_000
KEYS = 8
AT_ONCE = 10_000


class Scorer:
    """Answers rows of one schema; several threads may use it.

    Parameters
    ----------
    predictor : Predictor
    serving : Serving
        Policies.
    markers : callable
        Column → further texts that mean a missing cell in it.
    """

    def __init__(self, predictor: Predictor, serving: Serving, markers: Callable[[str], Collection[str]]) -> None:
        self.predictor = predictor
        self.rules = rules_of(predictor.schema, serving)
        self._watch = Watch(self.rules)
        self._has_trees = predictor.has_trees
        self._markers = {
            name: frozenset(marker.strip().lower() for marker in markers(name)) for name in predictor.schema.names
        }

    @property
    def needed(self) -> tuple[str, ...]:
        """The columns that it reads."""
        return self.predictor.schema.names

    @property
    def added(self) -> tuple[str, ...]:
        """The columns that an answer adds, as far as the table has none of these names."""
        return ("prediction", *(f"probability_{label}" for label in self.predictor.classes), "warning")

    def answer(self, rows: Rows) -> Answers:
        """Answer each row, or say why not."""
        columns, wrong = {}, {}
        for rule in self.rules:
            name = rule.field.name
            columns[name], reasons = read_column(rule, column(rows.cells, name), self._markers[name])
            for place, reason in reasons.items():
                wrong[place] = f"{wrong[place]}; {name}: {reason}" if place in wrong else f"{name}: {reason}"
        chosen = _without(rows.cells.num_rows, wrong)
        if chosen is not None:
            columns = {name: values[chosen] for name, values in columns.items()}
        return self._answers(rows, columns, chosen, wrong)

    def _answers(self, rows: Rows, columns: dict, chosen: np.ndarray | None, wrong: dict[int, str]) -> Answers:
        count = rows.cells.num_rows if chosen is None else len(chosen)
        if not count:
            shares = np.empty((0, len(self.predictor.classes))) if self.predictor.classes else None
            return Answers(np.array([], dtype=np.int64), self._room(0), shares, None, _numbered(rows, wrong))
        values, probabilities = self._predict(columns)
        odd = rows_without_answer(values, probabilities)
        notes = self._watch.notes(columns, count)
        if len(odd):
            chosen = np.arange(count) if chosen is None else chosen
            wrong = wrong | {int(chosen[place]): NO_ANSWER for place in odd.tolist()}
            kept = np.delete(np.arange(count), odd)
            chosen, values, notes = chosen[kept], values[kept], [notes[place] for place in kept]
            probabilities = None if probabilities is None else probabilities[kept]
        return Answers(chosen, values, probabilities, notes if any(notes) else None, _numbered(rows, wrong))

    def _room(self, count: int) -> np.ndarray:
        """For predictions: labels or numbers."""
        return np.empty(count, dtype=object if self.predictor.classes else np.float64)

    def _predict(self, columns: Columns) -> tuple[np.ndarray, np.ndarray | None]:
        """Values and probabilities of all rows, asked in an order in which like rows are neighbours.

        They take the same ways through the trees, which are then in the processor's cache: a third of the time for a forest.
        """
        order = _like_together(columns) if self._has_trees else np.arange(len(next(iter(columns.values()))))
        classes = self.predictor.classes
        values = self._room(len(order))
        probabilities = np.empty((len(order), len(classes))) if classes else None
        for begin in range(0, len(order), AT_ONCE):
            some = order[begin:begin + AT_ONCE]
            with np.errstate(over="ignore", invalid="ignore"):
                prediction = self.predictor.predict({name: each[some] for name, each in columns.items()})
            values[some] = prediction.values
            if classes:
                probabilities[some] = prediction.probabilities
        return values, probabilities


def _like_together(columns: Columns) -> np.ndarray:
    """The order of the rows by their columns, those with the fewest different values first."""
    counts = {name: len(np.unique(values[:SAMPLE])) for name, values in columns.items()}
    keys = sorted((name for name, count in counts.items() if count > 1), key=counts.get)[:KEYS]
    return np.lexsort([columns[name] for name in reversed(keys)]) if keys else np.arange(len(next(iter(columns.values()))))


def _without(count: int, wrong: dict[int, str]) -> np.ndarray | None:
    return np.delete(np.arange(count), list(wrong)) if wrong else None


def _numbered(rows: Rows, wrong: dict[int, str]) -> dict[int, str]:
    """What is wrong by row of the part, malformed rows counted, in order."""
    if not rows.malformed:
        return dict(sorted(wrong.items()))
    places = np.delete(np.arange(rows.count), list(rows.malformed)).tolist()
    return dict(sorted({**rows.malformed, **{places[place]: reason for place, reason in wrong.items()}}.items()))
