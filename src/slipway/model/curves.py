"""How the answer to one row moves when one field moves and all others stay.

Source: Goldstein, Kapelner, Bleich and Pitkin, "Peeking Inside the Black Box: Visualizing Statistical Learning With
Plots of Individual Conditional Expectation", Journal of Computational and Graphical Statistics 24 (2015).
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from slipway.model.predictor import Predictor
from slipway.table.cell import request_value
from slipway.table.rules import Rule, Rules
from slipway.table.schema import Columns, Field

POINTS = 25  # of a field
FIELDS = 32  # of a call: with POINTS it bounds the rows that one call answers


@dataclass(frozen=True)
class Curve:
    """The answers to one row with other values in one field.

    Parameters
    ----------
    field : Field
    values : tuple of float, int or str
        As requests carry them: numbers and dates ascending over training's range, as far as it is answered, and the
        row's own value; or the levels.
    positions : tuple of float
        The same as typed columns have them.
    answers : tuple of float
        The number predicted, or the probability of the explained label.
    here : int or None
        The place of the row's own value; None where it is missing or a level that training never saw.
    """

    field: Field
    values: tuple[float | int | str, ...]
    positions: tuple[float, ...]
    answers: tuple[float, ...]
    here: int | None


@dataclass(frozen=True)
class Curves:
    """The curves of one row.

    Parameters
    ----------
    label : str
        Whose probability the answers are; empty where they are numbers.
    fields : tuple of Curve
    """

    label: str
    fields: tuple[Curve, ...]


def curves(predictor: Predictor, rules: Rules, row: Columns, names: Collection[str]) -> Curves:
    """The curves of the named fields at one row, answered in one batch.

    A field with fewer than two values, or with more than 25 levels, has none.

    Parameters
    ----------
    predictor : Predictor
    rules : Rules
        They bound the numbers that are tried.
    row : Columns
        One row.
    names : collection of str
        At most 32 of them are answered.
    """
    label, answer = predictor.explained(row)
    grids = [(rule.field, _grid(rule, row[rule.field.name][0])) for rule in rules if rule.field.name in names]
    chosen = [(field, grid) for field, grid in grids if len(grid) > 1][:FIELDS]
    if not chosen:
        return Curves(label, ())
    with np.errstate(over="ignore", invalid="ignore"):
        answers = answer(_varied(row, chosen))
    parts = zip(chosen, np.split(answers, np.cumsum([len(grid) for _, grid in chosen])[:-1]))
    found = [_curve(field, grid, part, row[field.name][0]) for (field, grid), part in parts if np.isfinite(part).all()]
    return Curves(label, tuple(found))


def _grid(rule: Rule, own: float) -> np.ndarray:
    """The typed values to try; few or none where a curve says nothing."""
    field = rule.field
    if field.type == "category":
        return np.arange(len(field.levels) if len(field.levels) <= POINTS else 0)
    low, high = max(_or(field.minimum), rule.low), min(_or(field.maximum), rule.high)
    if not low < high:
        return np.empty(0)
    tried = np.linspace(low, high, POINTS - 1)
    if field.type == "integer" or field.type == "date" and float(low).is_integer() and float(high).is_integer():
        tried = np.round(tried)
    return np.unique(tried if np.isnan(own) else np.append(tried, own))


def _or(bound: float | None) -> float:
    return np.nan if bound is None else bound


def _varied(row: Columns, chosen: list[tuple[Field, np.ndarray]]) -> Columns:
    """The row once for each value of each field, the one field after the other."""
    count = sum(len(grid) for _, grid in chosen)
    columns = {name: np.repeat(values, count) for name, values in row.items()}
    begin = 0
    for field, grid in chosen:
        columns[field.name][begin : begin + len(grid)] = grid
        begin += len(grid)
    return columns


def _curve(field: Field, grid: np.ndarray, answers: np.ndarray, own: float) -> Curve:
    here = np.flatnonzero(grid == own).tolist()
    positions = grid.tolist()
    values = tuple(request_value(field, value) for value in positions)
    return Curve(field, values, tuple(positions), tuple(answers.tolist()), here[0] if here else None)
