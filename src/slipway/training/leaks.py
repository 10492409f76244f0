"""Whether one column by itself tells the target, which real features hardly do: a sign that it was written afterwards."""

import numpy as np
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from slipway.table.cells import Cells, typed
from slipway.table.inference import Target
from slipway.table.schema import Field, Schema
from slipway.training.preprocessing import for_trees

LEAK = 0.99
SUSPICIOUS = 0.95
SAMPLE = 4_000
FOLDS = 3
LEAST = 30
FLAT = {"max_depth": 10, "min_samples_leaf": 5, "random_state": 0}


def tells(cells: Cells, field: Field, target: Target) -> float:
    """How well a small tree that sees only this column predicts rows it has not seen, 0 to 1.

    R² of a number; the area under the ROC curve of two classes; of more, the share of right labels above what always
    naming the commonest gives. Which cells are missing counts as well.
    """
    column = typed(cells, field)[target.rows]
    rows = np.random.default_rng(0).permutation(len(column))[:SAMPLE]
    column, y = column[rows], target.y[rows]
    if len(y) < LEAST:
        return 0.0
    schema = Schema((field,))
    matrix = for_trees(schema, {field.name: column}).encode({field.name: column})
    if not target.classes:
        predicted = cross_val_predict(DecisionTreeRegressor(**FLAT), matrix, y, cv=FOLDS)
        spread = y.var()
        return max(0.0, 1 - float(((predicted - y) ** 2).mean() / spread)) if spread > 0 else 0.0
    if np.bincount(y.astype(int), minlength=len(target.classes)).min() < FOLDS:
        return 0.0
    answers = cross_val_predict(DecisionTreeClassifier(**FLAT), matrix, y, cv=FOLDS, method="predict_proba")
    if len(target.classes) == 2:
        return float(roc_auc_score(y, answers[:, 1]))
    commonest = float(np.bincount(y.astype(int)).max()) / len(y)
    right = float((answers.argmax(axis=1) == y).mean())
    return max(0.0, (right - commonest) / (1 - commonest))
