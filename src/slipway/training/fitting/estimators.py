"""Fitted estimators of scikit-learn as graphs: those that a person brings, beside the candidates of our own."""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal

import numpy as np
from sklearn.base import is_classifier
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression
from sklearn.linear_model._base import LinearModel
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from slipway.errors import TableError
from slipway.model.contents import Link
from slipway.training.fitting.boosting import exported
from slipway.training.fitting.export import Graph, linear_graph, tree_graph
from slipway.training.fitting.forest import FOREST, tree_of
from slipway.training.fitting.linear import LINEAR

Export = Callable[[Any, int], Graph]
FORESTS = (RandomForestClassifier, RandomForestRegressor, ExtraTreesClassifier, ExtraTreesRegressor)
HISTOGRAMS = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
SEQUENCES = (GradientBoostingClassifier, GradientBoostingRegressor)
BY_CLASS = (*HISTOGRAMS, *SEQUENCES)  # they grow a tree for each of several classes
TREES = (DecisionTreeClassifier, DecisionTreeRegressor)
LOSSES = ("log_loss", "squared_error", "absolute_error", "quantile")  # of histogram boosting; the others have further links


def exported_as(estimator: Any) -> tuple[Literal["float32", "float64"], Export]:
    """What the matrix of an estimator is rounded to, and how it is exported when it is fitted.

    Raises
    ------
    TableError
        Naming the estimator when it cannot be exported.
    """
    if isinstance(estimator, LogisticRegression):
        return "float64", LINEAR.export
    if isinstance(estimator, LinearModel) and not is_classifier(estimator):
        return "float64", _linear
    if isinstance(estimator, FORESTS):
        return "float32", FOREST.export
    if isinstance(estimator, HISTOGRAMS) and estimator.loss in LOSSES:
        return "float64", partial(exported, double=True)  # the others of scikit-learn round to float32 themselves
    if isinstance(estimator, SEQUENCES):
        return "float32", _sequence
    if isinstance(estimator, TREES):
        return "float32", _tree
    loss = f"(loss={estimator.loss!r})" if isinstance(estimator, HISTOGRAMS) else ""
    raise TableError(
        f"the estimator {type(estimator).__name__}{loss} cannot be exported",
        "Use a linear model, a decision tree, a forest or gradient boosting of scikit-learn (docs/models.md)",
    )


def trees_of(estimator: Any, rows: int) -> tuple[int, int]:
    """How many trees an estimator grows from so many rows, and the most leaves of each, for the estimate of a row's time."""
    asked = estimator.get_params()
    if isinstance(estimator, HISTOGRAMS):
        number, leaves = asked["max_iter"], asked["max_leaf_nodes"]
    elif isinstance(estimator, (*FORESTS, *SEQUENCES, *TREES)):
        number, leaves = asked.get("n_estimators", 1), asked["max_leaf_nodes"]
    else:
        return 0, 1
    most = [rows, *(each for each in (leaves, asked["max_depth"] and 2 ** asked["max_depth"]) if each)]
    return number, max(2, min(most))


def _linear(fitted: Any, features: int) -> Graph:
    return Graph(linear_graph(np.reshape(fitted.coef_, (features, 1))), "identity", [float(np.ravel(fitted.intercept_)[0])])


def _tree(fitted: Any, features: int) -> Graph:
    tree = tree_of(fitted.tree_, 1.0)
    return Graph(tree_graph([tree], features), "identity", [0.0] * tree.value.shape[1])


def _sequence(fitted: Any, features: int) -> Graph:
    """Raw scores: those of the initial constant, and of each tree its share."""
    regression = isinstance(fitted, GradientBoostingRegressor)
    if not regression and fitted.loss != "log_loss":
        raise TableError(f"GradientBoostingClassifier(loss={fitted.loss!r}) cannot be exported", "Use the default loss")
    if fitted.init is not None:
        raise TableError("gradient boosting with an estimator as init cannot be exported", "Use init=None")
    base = np.ravel(fitted._raw_predict_init(np.zeros((1, features), dtype=np.float32))).astype(float).tolist()
    trees = []
    for stage in fitted.estimators_:
        for score, each in enumerate(stage):
            tree = tree_of(each.tree_, fitted.learning_rate)
            value = np.zeros((len(tree.value), len(base)))
            value[:, score] = tree.value[:, 0]
            trees.append(type(tree)(tree.feature, tree.left, tree.right, tree.threshold, tree.missing_left, tree.leaf, value))
    link: Link = "identity" if regression else "sigmoid" if len(base) == 1 else "softmax"
    return Graph(tree_graph(trees, features), link, base)
