"""The boosting candidate: gradient boosting on histograms."""

from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from slipway.model.contents import Link
from slipway.training.candidate import Candidate, Settings
from slipway.training.export import Graph, Tree, tree_graph
from slipway.training.preprocessing import for_trees

LARGEST = {"learning_rate": 0.1, "max_iter": 100, "max_leaf_nodes": 31, "min_samples_leaf": 20}
TRIED = (
    {"learning_rate": 0.05, "max_iter": 120, "max_depth": 3, "min_samples_leaf": 10},
    LARGEST,
    {"learning_rate": 0.03, "max_iter": 150, "max_leaf_nodes": 6, "min_samples_leaf": 20},
    {"learning_rate": 0.05, "max_iter": 80, "max_leaf_nodes": 8, "min_samples_leaf": 20},
)


def _estimator(task: str, settings: Settings, seed: int) -> Any:
    kind = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    return kind(early_stopping=False, **settings, random_state=seed)


def _drawn(random: np.random.Generator) -> Settings:
    rate = float(np.round(np.exp(random.uniform(np.log(0.02), np.log(0.2))), 4))
    return {
        "learning_rate": rate,
        "max_iter": int(np.clip(round(12 / rate), 60, 500)),
        "max_leaf_nodes": int(random.choice([4, 6, 8, 15, 31, 63])),
        "min_samples_leaf": int(random.choice([5, 10, 20, 40])),
        "l2_regularization": float(random.choice([0.0, 1.0, 10.0])),
    }


def _export(fitted: Any, features: int) -> Graph:
    rounds = fitted._predictors  # scikit-learn offers no public view of these trees
    base = np.ravel(fitted._baseline_prediction).tolist()
    trees = [_tree(one.nodes, score, len(base)) for trio in rounds for score, one in enumerate(trio)]
    regression = isinstance(fitted, HistGradientBoostingRegressor)
    link: Link = "identity" if regression else "sigmoid" if len(base) == 1 else "softmax"
    return Graph(tree_graph(trees, features), link, base)


def _tree(nodes: np.ndarray, score: int, scores: int) -> Tree:
    value = np.zeros((len(nodes), scores))
    value[:, score] = nodes["value"]
    return Tree(
        nodes["feature_idx"],
        nodes["left"],
        nodes["right"],
        nodes["num_threshold"],
        nodes["missing_go_to_left"].astype(bool),
        nodes["is_leaf"].astype(bool),
        value,
    )


BOOSTING = Candidate(_estimator, for_trees, "float32", _export, TRIED, TRIED, _drawn, share=1, largest=LARGEST)
