"""The boosting candidate: gradient boosting on histograms."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from slipway.model.contents import Link
from slipway.model.encoding import Encoding
from slipway.training.candidate import Candidate, Settings
from slipway.training.export import Graph, Tree, tree_graph
from slipway.training.preprocessing import NATIVE, for_trees

LARGEST = {"learning_rate": 0.1, "max_iter": 100, "max_leaf_nodes": 31, "min_samples_leaf": 20}
TRIED = (
    {"learning_rate": 0.05, "max_iter": 120, "max_depth": 3, "min_samples_leaf": 10},
    LARGEST,
    {"learning_rate": 0.03, "max_iter": 150, "max_leaf_nodes": 6, "min_samples_leaf": 20},
    {"learning_rate": 0.05, "max_iter": 80, "max_leaf_nodes": 8, "min_samples_leaf": 20},
)


def _estimator(task: str, settings: Settings, seed: int, encoding: Encoding) -> Any:
    """With ``native_levels``, the columns of levels are split by sets of levels."""
    kind = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    own = {name: value for name, value in settings.items() if name != NATIVE}
    columns = [place for place, output in enumerate(encoding.outputs) if settings.get(NATIVE) and output.kind == "rank"]
    return kind(early_stopping=False, **own, random_state=seed, categorical_features=columns or None)


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
    split = _splits(fitted, features)
    trees = [_tree(split(one), score, len(base)) for trio in rounds for score, one in enumerate(trio)]
    regression = isinstance(fitted, HistGradientBoostingRegressor)
    link: Link = "identity" if regression else "sigmoid" if len(base) == 1 else "softmax"
    return Graph(tree_graph(trees, features), link, base)


def _splits(fitted: Any, features: int) -> Callable[[Any], np.ndarray]:
    """From one of its trees to nodes that split by thresholds alone, on columns of the matrix."""
    if fitted.is_categorical_ is None:
        return lambda tree: tree.nodes
    native = np.flatnonzero(fitted.is_categorical_)
    columns = np.append(native, np.delete(np.arange(features), native))  # scikit-learn moves columns of levels to the front
    levels = fitted._preprocessor.named_transformers_["encoder"].categories_

    def nodes_of(tree: Any) -> np.ndarray:
        nodes = tree.nodes.copy()
        added: list[Any] = []
        for place in np.flatnonzero(nodes["is_categorical"] & ~nodes["is_leaf"]):
            known = levels[nodes[place]["feature_idx"]]
            known = known[~np.isnan(known)]
            words = tree.raw_left_cat_bitsets[nodes[place]["bitset_idx"]]
            left = np.unpackbits(words.view(np.uint8), bitorder="little")[: len(known)].astype(bool)
            nodes[place], *more = _chain(nodes[place], known, left, len(nodes) + len(added))
            added += more
        nodes = np.append(nodes, np.array(added, dtype=nodes.dtype))
        nodes["feature_idx"] = columns[np.where(nodes["is_leaf"], 0, nodes["feature_idx"])]
        return nodes

    return nodes_of


def _chain(node: Any, levels: np.ndarray, left: np.ndarray, following: int) -> list[Any]:
    """A split by a set of levels as a chain of splits by thresholds, one wherever neighbours go different ways.

    Several of them lead to the same child: ONNX Runtime allows it, and a chain is as exact as a set.

    Parameters
    ----------
    node : record
    levels : ndarray of shape (k,)
        The values of the column, ascending.
    left : ndarray of bool, shape (k,)
        Which of them go left.
    following : int
        The number that the chain's second node gets.
    """
    ends = np.flatnonzero(left[1:] != left[:-1])
    ends = ends if len(ends) else np.array([len(levels) - 1])  # all levels go one way, missing cells the other
    chain = []
    for number, end in enumerate(ends):
        link = node.copy()
        here, there = ("left", "right") if left[end] else ("right", "left")
        link["num_threshold"], link["left"] = levels[end], node[here]
        link["right"] = node[there] if number == len(ends) - 1 else following + number
        link["missing_go_to_left"] = bool(node["missing_go_to_left"]) == left[end]
        chain.append(link)
    return chain


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
