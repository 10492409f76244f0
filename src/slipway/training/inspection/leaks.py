"""Columns that tell the target so well that they were probably written after it, judged together by small models.

Three things are looked for: one column that tells the target nearly exactly; one that explains far more than all others
together; and numbers whose sum, difference, product or ratio is the target.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from slipway.table.schema import Columns, Field, Schema
from slipway.training.data.labelled import Rows
from slipway.training.fitting.preprocessing import for_trees

EXACT = 0.99  # of the target, by one column: real features hardly do
NEARLY = 0.8
FAR_MORE = 3.0  # times as much is left unexplained by all other columns
FORMULA, FORMULA_EXACT = 0.99, 0.999
MOST_TERMS = 12
SAMPLE = 4_000
FOLDS = 3
LEAST = 30
BINS = 32
FLAT = {"max_depth": 10, "min_samples_leaf": 5, "random_state": 0}
SMALL = {"n_estimators": 40, "min_samples_leaf": 2, "max_features": 0.5, "random_state": 0}


@dataclass(frozen=True)
class Suspect:
    """Columns that seem to have been written after the target.

    Parameters
    ----------
    columns : tuple of str
    strength : float
        Share of the target that they explain on rows that were not learned from, 0 to 1: R² of a number; of two classes
        twice the area under the ROC curve less 1; of more, the share of right labels above what the commonest gives.
    how : str
        In words.
    exact : bool
        Whether they tell the target better than real features do.
    """

    columns: tuple[str, ...]
    strength: float
    how: str
    exact: bool

    @property
    def says(self) -> str:
        return f"{self.how} ({self.strength:.3f} of 1)"

    def __str__(self) -> str:
        return f"{' and '.join(self.columns)} {self.says}: known only afterwards? Then put it in drop"


def suspects(rows: Rows) -> list[Suspect]:
    """The columns to warn of, the most telling first."""
    rows = rows.take(np.random.default_rng(0).permutation(len(rows.y))[:SAMPLE])
    classes = len(rows.classes)
    enough = np.bincount(rows.y.astype(int), minlength=classes).min() >= FOLDS if classes else rows.y.std() > 0
    if len(rows.y) < LEAST or not enough:
        return []
    table = _Sample(rows.schema, rows.columns, rows.y, classes)
    alone = {field.name: table.alone(field) for field in rows.schema if table.in_bins(field) >= NEARLY}
    found = [
        Suspect((name,), strength, "seems to tell the target by itself", True)
        for name, strength in alone.items()
        if strength >= EXACT
    ]
    exact = {each.columns[0] for each in found}
    more = [_far_more(table, alone), None if classes else _formula(table, exact)] if not exact else []
    return sorted([*found, *filter(None, more)], key=lambda each: -each.strength)


def _far_more(table: "_Sample", alone: Mapping[str, float]) -> Suspect | None:
    """The strongest column, if it explains far more than all others together; no weaker one can."""
    name = max(alone, key=lambda each: alone[each], default="")
    others = [field for field in table.schema if field.name != name]
    if not name or not others or alone[name] < NEARLY:
        return None
    rest = table.together(others)
    if 1 - rest < FAR_MORE * (1 - alone[name]):
        return None
    how = f"nearly tells the target by itself, of which all other columns explain {rest:.3f}"
    return Suspect((name,), alone[name], how, False)


@dataclass(frozen=True)
class _Sample:
    schema: Schema
    columns: Columns
    y: np.ndarray
    classes: int

    def in_bins(self, field: Field) -> float:
        """About how much one column explains: by the mean of the target in each bin of it, without a model."""
        column = self.columns[field.name]
        if field.type == "category":
            bins = column
        else:
            known = column[~np.isnan(column)]
            edges = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1])) if len(known) else known
            bins = np.where(np.isnan(column), -1, np.searchsorted(edges, column))
        codes = np.unique(bins, return_inverse=True)[1]
        if self.classes == 0:
            return self._explained((np.bincount(codes, self.y) / np.bincount(codes))[codes])
        counts = np.stack([np.bincount(codes, self.y == code) for code in range(self.classes)])
        return _area(*counts) if self.classes == 2 else self._gained(float(counts.max(axis=0).sum()))

    def alone(self, field: Field) -> float:
        """How much a small tree that sees only this column explains."""
        tree = DecisionTreeClassifier(**FLAT) if self.classes else DecisionTreeRegressor(**FLAT)
        return self._crossed(tree, [field])

    def together(self, fields: Sequence[Field]) -> float:
        """How much a small model of these columns explains."""
        return self._crossed((ExtraTreesClassifier if self.classes else ExtraTreesRegressor)(**SMALL), fields)

    def _crossed(self, estimator: object, fields: Sequence[Field]) -> float:
        schema = Schema(tuple(fields))
        matrix = for_trees(schema, self.columns).encode(self.columns)
        method = "predict_proba" if self.classes else "predict"
        return self._explained(cross_val_predict(estimator, matrix, self.y, cv=FOLDS, method=method))

    def _explained(self, answers: np.ndarray) -> float:
        if self.classes == 0:
            return max(0.0, 1 - float(((answers - self.y) ** 2).mean() / self.y.var()))
        if self.classes == 2:
            return max(0.0, 2 * float(roc_auc_score(self.y, answers[:, 1])) - 1)
        return self._gained(float((answers.argmax(axis=1) == self.y).sum()))

    def _gained(self, right: float) -> float:
        commonest = float(np.bincount(self.y.astype(int)).max())
        return max(0.0, (right - commonest) / (len(self.y) - commonest))


def _area(negative: np.ndarray, positive: np.ndarray) -> float:
    """Twice the area under the ROC curve less 1, of bins with so many rows of two classes."""
    order = np.argsort(positive / (negative + positive))
    negative, positive = negative[order], positive[order]
    below = np.cumsum(negative) - negative / 2
    return 2 * float((positive * below).sum() / (positive.sum() * negative.sum())) - 1


def _formula(table: _Sample, away: set[str]) -> Suspect | None:
    """Whether the target is a weighted sum of number columns; else, whether its logarithm is one of theirs."""
    names = [field.name for field in table.schema if field.is_number and field.name not in away]
    numbers = {name: table.columns[name] for name in names if not np.isnan(table.columns[name]).all()}
    terms = _terms(numbers, table.y)
    how = "as a sum or difference"
    if terms is None and (table.y > 0).all():
        logs = {name: np.log(column) for name, column in numbers.items() if np.nanmin(column) > 0}
        terms, how = _terms(logs, np.log(table.y)), "as a product or ratio"
    if terms is None or len(terms[0]) < 2:
        return None
    chosen, strength = terms
    return Suspect(chosen, strength, f"tell the target together, {how}", strength >= FORMULA_EXACT)


def _terms(columns: Columns, y: np.ndarray) -> tuple[tuple[str, ...], float] | None:
    """The columns whose weighted sum is `y`, by orthogonal matching pursuit, and how much it explains; None when none is.

    Half of the rows choose and weigh the columns, the other half judges them.
    """
    names, chosen = list(columns), list[int]()
    if len(names) < 2 or y.std() == 0:
        return None
    matrix = np.column_stack([np.where(np.isnan(each), np.nanmedian(each), each) for each in columns.values()])
    matrix = (matrix - matrix.mean(axis=0)) / np.maximum(matrix.std(axis=0), 1e-12)
    known = np.arange(len(y)) % 2 == 0
    whole = _linear(matrix, y, known)[0]
    if whole < FORMULA:
        return None
    enough = min(FORMULA_EXACT, whole - (1 - whole) / 20)
    strength, residual = 0.0, y - y[known].mean()
    while strength < enough and len(chosen) < min(MOST_TERMS, len(names)):
        towards = np.abs(matrix[known].T @ residual[known])
        towards[chosen] = -1
        chosen.append(int(towards.argmax()))
        strength, residual = _linear(matrix[:, chosen], y, known)
    return (tuple(names[each] for each in sorted(chosen)), strength) if strength >= FORMULA else None


def _linear(matrix: np.ndarray, y: np.ndarray, known: np.ndarray) -> tuple[float, np.ndarray]:
    """R² of least squares on the rows that are not `known` to it, and the residuals of all."""
    full = np.column_stack([np.ones(len(y)), matrix])
    residual = y - full @ np.linalg.lstsq(full[known], y[known], rcond=None)[0]
    return 1 - float((residual[~known] ** 2).mean() / y[~known].var()), residual
