"""The candidate that learns from all rows of a cluster: gradient boosting by XGBoost, with the settings of boosting.

XGBoost compares ``x < threshold`` in float32. The largest float32 below a threshold says the same with ``x <= threshold``,
which is what a graph asks. A threshold that is infinite has all numbers on its left, and an infinite one is at the end of
float32 for XGBoost: in a graph it goes left, too.

Source: Chen and Guestrin, "XGBoost: a scalable tree boosting system", KDD (2016).
"""

import json
from dataclasses import dataclass, field
from importlib.metadata import packages_distributions
from typing import TYPE_CHECKING, Any

import numpy as np

from slipway.errors import TableError
from slipway.model.contents import Link
from slipway.model.encoding import Encoding
from slipway.training.fitting.candidate import Candidate, Settings
from slipway.training.fitting.export import Graph, Tree, tree_graph
from slipway.training.fitting.preprocessing import for_trees

if TYPE_CHECKING:
    from xgboost import Booster, DMatrix

LONGEST = 600
USUAL = {"learning_rate": 0.1, "max_iter": 100, "max_leaf_nodes": 31, "min_samples_leaf": 20}
AT_ONCE = 10_000  # rows whose leaves are in memory, one per tree


@dataclass(frozen=True)
class Aim:
    """What the trees add up to, and where they begin.

    Parameters
    ----------
    classes : int
        0 for numbers.
    begin : float
        The mean of the numbers, or the share of the second of two classes.
    scale : float
        Of the numbers, so that float32 holds them.
    """

    classes: int
    begin: float = 0.0
    scale: float = 1.0

    @property
    def scores(self) -> int:
        return self.classes if self.classes > 2 else 1

    @property
    def base(self) -> list[float]:
        """Added to what the trees say, one per score."""
        if self.classes == 2:
            return [float(np.log(self.begin) - np.log1p(-self.begin))]
        return [self.begin] * self.scores

    def targets(self, y: np.ndarray) -> np.ndarray:
        """The target as XGBoost learns it."""
        return ((y - self.begin) / self.scale if not self.classes else y).astype(np.float32)

    def parameters(self, settings: Settings, seed: int) -> dict[str, Any]:
        """The settings of boosting as those of XGBoost; `min_samples_leaf` in units of the second derivative."""
        share = self.begin if self.classes == 2 else 1 / max(self.classes, 2)
        weight = 1.0 if not self.classes else share * (1 - share) * (1 if self.classes == 2 else 2)
        objective = {0: "reg:squarederror", 2: "binary:logistic"}.get(self.classes, "multi:softprob")
        return {
            "objective": objective,
            "base_score": self.begin if self.classes == 2 else 0.0,
            "tree_method": "hist",
            "grow_policy": "lossguide",
            "max_depth": 0,
            "max_leaves": settings["max_leaf_nodes"],
            "learning_rate": settings["learning_rate"],
            "min_child_weight": weight * settings["min_samples_leaf"],
            "colsample_bynode": settings.get("max_features", 1.0),
            "reg_lambda": settings.get("l2_regularization", 0.0),
            "seed": seed,
            "nthread": 1,
        } | ({"num_class": self.classes} if self.classes > 2 else {})


def aim_of(classes: int, y: np.ndarray) -> Aim:
    """The aim of rows with these targets: numbers when `classes` is 0, else codes."""
    if not classes:
        return Aim(0, float(y.mean()), float(y.std()) or 1.0)
    return Aim(classes, float(y.mean())) if classes == 2 else Aim(classes)


def narrowed(matrix: np.ndarray) -> np.ndarray:
    """In float32, with what lies beyond its range, which XGBoost refuses, at its ends."""
    least, most = np.finfo(np.float32).min, np.finfo(np.float32).max
    within: np.ndarray = np.clip(matrix, least, most).astype(np.float32)
    return within


@dataclass
class Boosted:
    """Trees of XGBoost that `fit` grows, or that a cluster has grown already.

    Parameters
    ----------
    settings : mapping
        Those of boosting.
    seed : int
    aim : Aim, optional
        By default that of the rows that `fit` is given.
    content : bytes
        The booster in its own format, UBJSON.
    """

    settings: Settings
    seed: int
    aim: Aim | None = None
    content: bytes = b""

    def grow(self, matrix: np.ndarray, y: np.ndarray, classes: int) -> None:
        xgboost = library()
        self.aim = aim_of(classes, y)
        rows = xgboost.QuantileDMatrix(narrowed(matrix), self.aim.targets(y), nthread=1)
        booster = xgboost.train(self.aim.parameters(self.settings, self.seed), rows, self.settings["max_iter"])
        self.content = bytes(booster.save_raw("ubj"))

    @property
    def booster(self) -> "Booster":
        made: Booster = library().Booster({"nthread": 1})
        made.load_model(bytearray(self.content))
        return made

    def trees(self) -> list[Tree]:
        """Its trees, with leaves in units of the target."""
        assert self.aim is not None
        booster = json.loads(self.booster.save_raw("json"))["learner"]["gradient_booster"]["model"]
        scores = booster["tree_info"]
        return [_tree(one, score, self.aim) for one, score in zip(booster["trees"], scores, strict=True)]

    def raw(self, matrix: np.ndarray) -> np.ndarray:
        """Scores of shape (rows, scores): the leaves that XGBoost itself finds, added in double precision."""
        assert self.aim is not None
        booster, trees, rows = self.booster, self.trees(), library().DMatrix
        values = np.zeros((len(trees), max(len(tree.leaf) for tree in trees), self.aim.scores))
        for place, tree in enumerate(trees):
            values[place, : len(tree.leaf)] = tree.value
        parts = []
        for begin in range(0, len(matrix), AT_ONCE):
            leaves = self._leaves(booster, rows(narrowed(matrix[begin : begin + AT_ONCE]), nthread=1), len(trees))
            parts.append(sum(values[place, leaves[:, place]] for place in range(len(trees))))
        return np.concatenate(parts) + self.aim.base

    def _leaves(self, booster: "Booster", rows: "DMatrix", trees: int) -> np.ndarray:
        """The number of the leaf that each row comes to, of shape (rows, trees)."""
        found: np.ndarray = booster.predict(rows, pred_leaf=True).astype(np.int64).reshape(-1, trees)
        return found


@dataclass
class BoostedNumbers(Boosted):
    """For regression."""

    def fit(self, matrix: np.ndarray, y: np.ndarray) -> "BoostedNumbers":
        self.grow(matrix, y, 0)
        return self

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        return self.raw(matrix)[:, 0]


@dataclass
class BoostedClasses(Boosted):
    """For classes; `classes_` are those that it learned from."""

    classes_: np.ndarray = field(default_factory=lambda: np.array([], dtype=np.int64))

    def fit(self, matrix: np.ndarray, y: np.ndarray) -> "BoostedClasses":
        self.classes_, codes = np.unique(y, return_inverse=True)
        self.grow(matrix, codes, len(self.classes_))
        return self

    def predict_proba(self, matrix: np.ndarray) -> np.ndarray:
        raw = self.raw(matrix)
        if raw.shape[1] == 1:
            raw = np.hstack([np.zeros_like(raw), raw])
        powers = np.exp(raw - raw.max(axis=1, keepdims=True))
        shares: np.ndarray = powers / powers.sum(axis=1, keepdims=True)
        return shares


def library() -> Any:
    """XGBoost; TableError when it is not installed."""
    try:
        import xgboost  # only who trains on a cluster needs it
    except ImportError as error:
        raise TableError("XGBoost is not installed", "pip install 'slipway-ml[spark]'") from error
    return xgboost


def distribution() -> str:
    """The name by which XGBoost is installed: xgboost-cpu, or xgboost, which has more."""
    library()
    return packages_distributions()["xgboost"][0]


def _tree(grown: dict[str, Any], score: int, aim: Aim) -> Tree:
    left = np.array(grown["left_children"])
    leaf = left < 0
    conditions = np.array(grown["split_conditions"], dtype=np.float32)  # of a leaf: its value
    value = np.zeros((len(left), aim.scores))
    value[leaf, score] = conditions[leaf].astype(np.float64) * aim.scale
    return Tree(
        np.array(grown["split_indices"]),
        left,
        np.array(grown["right_children"]),
        np.where(np.isinf(conditions), conditions, np.nextafter(conditions, np.float32(-np.inf))).astype(np.float64),
        np.array(grown["default_left"]).astype(bool),
        leaf,
        value,
    )


def _estimator(task: str, settings: Settings, seed: int, encoding: Encoding) -> Boosted:
    return BoostedNumbers(settings, seed) if task == "regression" else BoostedClasses(settings, seed)


def _export(fitted: Boosted, features: int) -> Graph:
    assert fitted.aim is not None
    link: Link = "identity" if not fitted.aim.classes else "sigmoid" if fitted.aim.scores == 1 else "softmax"
    return Graph(tree_graph(fitted.trees(), features), link, fitted.aim.base)


def _trees(settings: Settings, rows: int) -> tuple[int, int]:
    return settings["max_iter"], max(2, min(settings["max_leaf_nodes"], rows // settings["min_samples_leaf"]))


XGBOOST = Candidate(_estimator, for_trees, "float32", _export, (USUAL,), (USUAL,), trees=_trees, by_class=True)
