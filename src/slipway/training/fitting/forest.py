"""The forest candidate: random forests."""

from typing import Any

import numpy as np

from slipway.model.encoding import Encoding
from slipway.training.fitting.candidate import Candidate, Settings
from slipway.training.fitting.export import Graph, Tree, tree_graph
from slipway.training.fitting.preprocessing import for_forest
from slipway.training.fitting.trees import Forest, ForestOfClasses, ForestOfNumbers

TREES = 100
TREE_ROWS = 10_000  # of many, each drawn anew: a forest of large trees would be slow to grow, to export and to ask
NUMBERS = (
    {"min_samples_leaf": 5, "max_features": 0.7},
    {"min_samples_leaf": 1, "max_features": 0.5},
    {"min_samples_leaf": 2, "max_features": 1.0, "splits": "random"},
    {"min_samples_leaf": 10, "max_features": 0.7},
    {"min_samples_leaf": 2, "max_features": 0.3},
    {"min_samples_leaf": 5, "max_features": 1.0, "splits": "random"},
)
CLASSES = (
    {"min_samples_leaf": 2, "max_features": "sqrt"},
    {"min_samples_leaf": 5, "max_features": 0.5},
    {"min_samples_leaf": 2, "max_features": "sqrt", "splits": "random"},
    {"min_samples_leaf": 1, "max_features": "sqrt"},
    {"min_samples_leaf": 2, "max_features": 0.5, "splits": "random"},
    {"min_samples_leaf": 10, "max_features": "sqrt"},
)


def _estimator(task: str, settings: Settings, seed: int, encoding: Encoding) -> Any:
    kind = ForestOfNumbers if task == "regression" else ForestOfClasses
    return kind(TREES, seed, **settings)


def _trees(settings: Settings, rows: int) -> tuple[int, int]:
    return TREES, max(2, int(0.63 * min(rows, settings.get("max_samples", rows))) // settings.get("min_samples_leaf", 1))


def _drawn(random: np.random.Generator) -> Settings:
    return {
        "min_samples_leaf": int(random.choice([1, 2, 3, 5, 8, 12, 20])),
        "max_features": float(random.choice([0.3, 0.5, 0.7, 1.0])),
    }


def _export(fitted: Any, features: int) -> Graph:
    grown = fitted.grown if isinstance(fitted, Forest) else [member.tree_ for member in fitted.estimators_]
    trees = [tree_of(tree, 1 / len(grown)) for tree in grown]
    return Graph(tree_graph(trees, features), "identity", [0.0] * trees[0].value.shape[1])


def tree_of(tree: Any, share: float) -> Tree:
    """A fitted tree of scikit-learn, its leaves multiplied by `share`."""
    value = tree.value[:, 0, :]
    if value.shape[1] == 2:
        value = value[:, 1:]  # binary: the positive class says it all
    return Tree(
        tree.feature,
        tree.children_left,
        tree.children_right,
        tree.threshold,
        tree.missing_go_to_left.astype(bool),
        tree.children_left < 0,
        value * share,
    )


FOREST = Candidate(
    _estimator,
    for_forest,
    "float32",
    _export,
    NUMBERS,
    CLASSES,
    _drawn,
    _trees,
    on_many_rows={"max_samples": TREE_ROWS},
    on_many_cells={"splits": "random"},  # the best split of each of many columns takes a minute to find
)
