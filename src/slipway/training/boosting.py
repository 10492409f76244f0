"""The boosting candidate: gradient boosting on histograms."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from slipway.model.contents import Link
from slipway.training.candidate import Candidate, Settings
from slipway.training.export import Graph, Tree, tree_graph
from slipway.training.preprocessing import for_trees

LARGEST = {"learning_rate": 0.1, "max_iter": 100, "max_leaf_nodes": 31, "min_samples_leaf": 20}
QUICK = 0.1  # the learning rate at which settings are compared first; the best of them then learn in smaller steps
SLOW = 0.05
LONGEST = 600
PATIENCE = 30  # iterations without a gain on the rows held out that end a fit
STEPS = sorted({round(10 * 1.15**step) for step in range(30)} | {LONGEST})  # 10 to 600: where a staged fit is looked at
TRIED: tuple[Settings, ...] = tuple(
    {"learning_rate": QUICK, "max_leaf_nodes": leaves, "min_samples_leaf": rows, "max_features": share}
    for leaves, rows, share in ((8, 10, 1.0), (31, 20, 1.0), (4, 20, 1.0), (16, 20, 0.5), (6, 10, 0.5), (63, 20, 0.5))
)


def _estimator(task: str, settings: Settings, seed: int) -> Any:
    kind = HistGradientBoostingRegressor if task == "regression" else HistGradientBoostingClassifier
    return kind(early_stopping=False, **{"max_iter": LONGEST} | dict(settings), random_state=seed)


def _drawn(random: np.random.Generator) -> Settings:
    return {
        "learning_rate": QUICK,
        "max_leaf_nodes": int(random.choice([3, 4, 6, 8, 12, 16, 31, 63, 127])),
        "min_samples_leaf": int(random.choice([3, 5, 10, 20, 40, 80])),
        "max_features": float(random.choice([0.2, 0.4, 0.6, 0.8, 1.0])),
        "l2_regularization": float(random.choice([0.0, 1.0, 10.0, 100.0])),
    }


def _staged(
    estimator: Any, matrix: np.ndarray, y: np.ndarray, held: np.ndarray, truth: np.ndarray
) -> Iterator[tuple[int, np.ndarray]]:
    """One fit as long as the rows held out gain from it, looked at again and again: a validation curve for one fit's time."""
    known = np.isin(truth, y) if hasattr(estimator, "predict_proba") else np.ones(len(truth), dtype=bool)
    estimator.set_params(early_stopping=True, n_iter_no_change=PATIENCE, scoring="loss")
    estimator.fit(matrix, y, X_val=held[known], y_val=truth[known])
    stages = estimator.staged_predict_proba if hasattr(estimator, "predict_proba") else estimator.staged_predict
    for done, answers in enumerate(stages(held), start=1):
        if done in STEPS or done == estimator.n_iter_:
            yield done, answers


def _refined(settings: Settings) -> Settings:
    return dict(settings) if "max_iter" in settings else dict(settings) | {"learning_rate": SLOW}


def _trees(settings: Settings, rows: int) -> tuple[int, int]:
    leaves = settings.get("max_leaf_nodes", 31)
    if "max_depth" in settings:
        leaves = min(leaves, 2 ** settings["max_depth"])
    return settings.get("max_iter", STEPS[0]), max(2, min(leaves, rows // settings.get("min_samples_leaf", 20)))


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


BOOSTING = Candidate(
    _estimator, for_trees, "float32", _export, TRIED, TRIED, _drawn, _trees, _staged, _refined, share=1, largest=LARGEST
)
