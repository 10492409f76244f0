"""Whether the order of a table's rows is time: then a random split flatters, as it holds out rows between known neighbours."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.model_selection import KFold

from slipway.report.numbers import number
from slipway.training.data.labelled import Rows
from slipway.training.fitting.preprocessing import for_trees
from slipway.training.inspection.leaks import SMALL

YEAR_NAME = re.compile(r"(^|.*[_\W\d])(year|yr)s?$", re.IGNORECASE)
TIME_NAME = re.compile(r"(^|.*[_\W\d])(year|yr|month|mnth|week|day|date|time|timestamp|period|quarter|hour)s?$", re.IGNORECASE)
FEWEST = 100  # rows, to measure on
DISTINCT = 3
SORTED = 0.99  # of the changes from row to row
REPEATED = 20  # pairs of equal numbers that chance would have made
FEW = 31  # values: days of a month, hours and months are no time of their own, as they come again
SAMPLE, MOST, CELLS = 3_000, 10_000, 300_000  # rows; between them, as many as there is room for: few rows have no neighbours
BLOCKS = 10
SURE = 4.0  # standard errors
MOSTLY = 0.9  # of the blocks
WORSE, MUCH_WORSE = 1.25, 1.5  # in squared error; of 100 small tables in random order 1 was above them
TREES = {**SMALL, "n_estimators": 20}


@dataclass(frozen=True)
class Order:
    """The column by which a table's rows are ordered in time.

    Parameters
    ----------
    column : str
    repeats : int
        About how many rows have the same value.
    random, latest : float
        The error of a small model on the latest fifth of the rows, learned from random rows and from the earlier ones: RMSE
        of a number; of classes the Brier score.
    measure : str
    flatters : bool
        Whether the second is larger beyond doubt.
    """

    column: str
    repeats: int
    random: float
    latest: float
    measure: str
    flatters: bool

    @property
    def says(self) -> str:
        if not self.flatters:
            return "the rows are in its order; set it if later rows are to be predicted"
        why = ", and a random split flatters"
        if self.repeats > 1:
            why = f", about {self.repeats:,} for each value; a random split learns from others of the same value, and flatters"
        return (
            f"the rows are in its order{why}: {self.measure} of the latest fifth is "
            f"{number(self.random)} for a model of random rows, {number(self.latest)} for one of the earlier rows"
        )


def counts(values: np.ndarray) -> str:
    """Whether the numbers of a column count its rows or name them, in words; empty when not.

    Different in every row, though there are so few whole numbers between the least and the greatest that chance would have
    made at least 20 pairs of equal ones: these were given out, not measured.
    """
    steps, rows = np.diff(values), len(values)
    if rows > 2 and (steps == 1).all():
        return "counts the rows"
    if rows < 2 or (values != np.round(values)).any() or len(np.unique(values)) < rows:
        return ""
    if rows * (rows - 1) / 2 < REPEATED * (values.max() - values.min() + 1):
        return ""
    return "counts the rows, with gaps" if (steps > 0).all() else "a different whole number in every row, like a row number"


def order_of(rows: Rows, columns: Mapping[str, np.ndarray], dates: Collection[str]) -> Order | None:
    """The column in whose order the rows are, if it is a date, a count of the rows, or named like a time.

    Parameters
    ----------
    rows : Rows
        In the order of the table.
    columns : mapping
        Columns of dates or numbers of the same rows, also such as are not learned from.
    dates : collection of str
        Those that are dates.
    """
    if len(rows.y) < FEWEST or _by_target(rows):
        return None
    named = [name for name, values in columns.items() if name not in dates and _is_time(name, values)]
    others = [name for name in rows.columns if name not in {*dates, *named} and not TIME_NAME.fullmatch(name)]
    if any(_is_sorted(rows.columns[name]) for name in others):
        named = [name for name in named if not counts(columns[name])]  # the rows are counted, but sorted by something else
    for name in [*(name for name in columns if name in dates), *named]:
        if _is_sorted(columns[name]):
            earliest = columns[name][0] <= columns[name][-1]
            order = np.arange(len(rows.y)) if earliest else np.arange(len(rows.y))[::-1]
            repeats = round(len(order) / max(1, len(np.unique(columns[name]))))
            found = _measured(rows.take(order), name, repeats)
            if found and (found.flatters or name in dates):
                return found
    return None


def _by_target(rows: Rows) -> bool:
    """Whether the table is sorted by what is predicted."""
    changes = int((np.diff(rows.y) != 0).sum())
    return changes < 2 * len(rows.classes) if rows.classes else _is_sorted(rows.y)


def _is_time(name: str, values: np.ndarray) -> bool:
    """Whether a column of numbers may be a time.

    Not by its values alone if they repeat: those of 50 patients with 24 visits each are like those of 50 days.
    """
    if counts(values) or YEAR_NAME.fullmatch(name):
        return True
    return TIME_NAME.fullmatch(name) is not None and len(np.unique(values[~np.isnan(values)])) > FEW


def _is_sorted(values: np.ndarray) -> bool:
    """Whether nearly all its changes, and not only one or two, go in one direction."""
    steps = np.diff(values[~np.isnan(values)])
    moves = steps[steps != 0]
    if len(moves) < DISTINCT - 1 or len(steps) < SORTED * (len(values) - 1):
        return False
    return max(float((moves > 0).mean()), float((moves < 0).mean())) >= SORTED


def _measured(rows: Rows, name: str, repeats: int) -> Order | None:
    """What a model of random rows and one of the earlier rows say of the latest fifth."""
    most = max(SAMPLE, min(MOST, CELLS // len(rows.columns)))
    rows = rows.take(np.unique(np.linspace(0, len(rows.y) - 1, most).astype(np.int64)))
    number = len(rows.y)
    latest = np.arange(number - number // 5, number)
    forward = _losses(rows, np.arange(number - number // 5), latest)
    random = np.empty(len(latest))
    for learned, held in KFold(5, shuffle=True, random_state=0).split(rows.y):
        those = np.isin(latest, held)
        found = _losses(rows, learned, latest[those])
        if found is None or forward is None:
            return None
        random[those] = found
    if forward is None:
        return None
    worse = np.array([each.mean() for each in np.array_split(forward - random, BLOCKS)])
    steady = worse.mean() > SURE * worse.std(ddof=1) / np.sqrt(BLOCKS)  # not so where the error grows from block to block
    least = WORSE if steady else MUCH_WORSE
    flatters = bool((worse > 0).mean() >= MOSTLY and forward.mean() > least * random.mean())
    if rows.classes:
        return Order(name, repeats, float(random.mean()), float(forward.mean()), "Brier score", flatters)
    return Order(name, repeats, float(np.sqrt(random.mean())), float(np.sqrt(forward.mean())), "RMSE", flatters)


def _losses(rows: Rows, learned: np.ndarray, held: np.ndarray) -> np.ndarray | None:
    """Squared errors of the rows held; None when those learned from are all of one class."""
    encoding = for_trees(rows.schema, rows.columns)
    matrix = encoding.encode(rows.columns)
    if not rows.classes:
        numbers = ExtraTreesRegressor(**TREES).fit(matrix[learned], rows.y[learned]).predict(matrix[held])
        return np.asarray((numbers - rows.y[held]) ** 2)
    if len(np.unique(rows.y[learned])) < 2:
        return None
    model = ExtraTreesClassifier(**TREES).fit(matrix[learned], rows.y[learned])
    answers = np.zeros((len(held), len(rows.classes)))
    answers[:, model.classes_.astype(np.int64)] = model.predict_proba(matrix[held])
    return np.asarray(((answers - np.eye(len(rows.classes))[rows.y[held].astype(np.int64)]) ** 2).sum(axis=1))
