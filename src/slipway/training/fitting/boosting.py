"""The boosting candidate: gradient boosting on histograms."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from slipway.model.contents import Link
from slipway.model.encoding import Encoding
from slipway.training.fitting.candidate import Candidate, Settings
from slipway.training.fitting.export import Graph, Tree, tree_graph
from slipway.training.fitting.preprocessing import NATIVE, for_trees

LARGEST = {"learning_rate": 0.1, "max_iter": 100, "max_leaf_nodes": 31, "min_samples_leaf": 20}
QUICK = 0.1  # the learning rate at which settings are compared first; the best of them then learn in smaller steps
SLOW = 0.05
LONGEST = 600
PATIENCE = 1.5  # iterations without a gain on the rows held out that end a fit, times the learning rate
STEPS = sorted({round(10 * 1.15**step) for step in range(30)} | {LONGEST})  # 10 to 600: where a staged fit is looked at
TRIED: tuple[Settings, ...] = tuple(
    {"learning_rate": QUICK, "max_leaf_nodes": leaves, "min_samples_leaf": rows, "max_features": share, NATIVE: native}
    for leaves, rows, share, native in (
        (8, 10, 1.0, False),
        (31, 20, 1.0, True),
        (4, 20, 1.0, False),
        (16, 20, 0.5, True),
        (6, 10, 0.5, True),
        (63, 20, 0.5, False),
    )
)


def _estimator(task: str, settings: Settings, seed: int, encoding: Encoding) -> Any:
    """With ``native_levels``, the columns of levels are split by sets of levels."""
    kind = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    own = {name: value for name, value in settings.items() if name != NATIVE}
    columns = [place for place, output in enumerate(encoding.outputs) if settings.get(NATIVE) and output.kind == "rank"]
    return kind(early_stopping=False, **{"max_iter": LONGEST} | own, random_state=seed, categorical_features=columns or None)


def _drawn(random: np.random.Generator) -> Settings:
    return {
        "learning_rate": QUICK,
        "max_leaf_nodes": int(random.choice([3, 4, 6, 8, 12, 16, 31, 63, 127])),
        "min_samples_leaf": int(random.choice([3, 5, 10, 20, 40, 80])),
        "max_features": float(random.choice([0.2, 0.4, 0.6, 0.8, 1.0])),
        "l2_regularization": float(random.choice([0.0, 1.0, 10.0])),
        NATIVE: bool(random.choice([False, True])),
    }


def _staged(
    estimator: Any, matrix: np.ndarray, y: np.ndarray, held: np.ndarray, truth: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    """One fit as long as the rows held out gain from it, looked at again and again: a validation curve for one fit's time."""
    known = np.isin(truth, y) if hasattr(estimator, "predict_proba") else np.ones(len(truth), dtype=bool)
    patience = round(PATIENCE / estimator.learning_rate)
    estimator.set_params(early_stopping=True, n_iter_no_change=patience, scoring="loss")
    estimator.fit(matrix, y, X_val=held[known], y_val=truth[known])
    stages = estimator.staged_predict_proba if hasattr(estimator, "predict_proba") else estimator.staged_predict
    for done, answers in enumerate(stages(held), start=1):
        if done in STEPS or done == estimator.n_iter_:
            yield done, answers


def _refined(settings: Settings, iterations: int) -> Settings:
    """Half the step needs twice the iterations: only where there is room for them."""
    room = "max_iter" not in settings and iterations * QUICK / SLOW <= LONGEST
    return dict(settings) | ({"learning_rate": SLOW} if room else {})


def _trees(settings: Settings, rows: int) -> tuple[int, int]:
    leaves = settings.get("max_leaf_nodes", 31)
    if "max_depth" in settings:
        leaves = min(leaves, 2 ** settings["max_depth"])
    return settings.get("max_iter", STEPS[0]), max(2, min(leaves, rows // settings.get("min_samples_leaf", 20)))


def exported(fitted: Any, features: int, double: bool = False) -> Graph:
    """Raw scores; `double` for trees that grew on a matrix in double precision."""
    rounds = fitted._predictors  # scikit-learn offers no public view of these trees
    base = np.ravel(fitted._baseline_prediction).tolist()
    split = _splits(fitted, features)
    trees = [_tree(split(one), score, len(base)) for trio in rounds for score, one in enumerate(trio)]
    regression = isinstance(fitted, HistGradientBoostingRegressor)
    link: Link = "identity" if regression else "sigmoid" if len(base) == 1 else "softmax"
    return Graph(tree_graph(trees, features, double), link, base)


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


BOOSTING = Candidate(
    _estimator,
    for_trees,
    "float32",
    exported,
    TRIED,
    TRIED,
    _drawn,
    _trees,
    _staged,
    _refined,
    share=1,
    on_many_levels={NATIVE: True},
    largest=LARGEST,
    by_class=True,
)
