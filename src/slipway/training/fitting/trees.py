"""Random forests and extremely randomised trees, grown by scikit-learn's own builder of trees.

Source: Breiman, "Random forests", Machine Learning 45 (2001); Geurts, Ernst and Wehenkel, "Extremely randomized trees",
Machine Learning 63 (2006).
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from sklearn.tree._criterion import MSE, Gini
from sklearn.tree._splitter import BestSplitter, RandomSplitter
from sklearn.tree._tree import DepthFirstTreeBuilder, Tree

DEEPEST = LARGEST_SEED = np.iinfo(np.int32).max


@dataclass
class Forest:
    """A forest, which `fit` grows.

    scikit-learn's make, clone and check an estimator for every tree: on a table of some hundred rows two thirds of a fit.
    Its builder alone, with the same seeds, grows the same trees to the last bit.

    Parameters
    ----------
    trees : int
    seed : int
    min_samples_leaf : int
    max_features : float or "sqrt"
        Part of the columns that each split chooses from.
    splits : {"best", "random"}
        Random forest, each tree from as many rows as there are, drawn with replacement; or extremely randomised trees.
    max_samples : int, optional
        How many rows are drawn for each tree, whatever the splits.
    """

    trees: int
    seed: int
    min_samples_leaf: int = 1
    max_features: float | Literal["sqrt"] = 1.0
    splits: Literal["best", "random"] = "best"
    max_samples: int | None = None
    grown: list[Any] = field(default_factory=list, init=False)

    def _grow(self, matrix: np.ndarray, targets: np.ndarray, classes: int) -> None:
        """Learn from a matrix of float32 and its targets: numbers if `classes` is 0, else codes."""
        missing = np.isnan(matrix).any(axis=0)
        seeds = np.random.RandomState(self.seed).randint(LARGEST_SEED, size=self.trees)
        y = np.ascontiguousarray(targets[:, None], dtype=np.float64)
        self.grown = [self._tree(matrix, y, classes, missing if missing.any() else None, int(seed)) for seed in seeds]

    def _tree(self, matrix: np.ndarray, y: np.ndarray, classes: int, missing: np.ndarray | None, seed: int) -> Any:
        (rows, columns), leaf = matrix.shape, self.min_samples_leaf
        weights = None
        if self.splits == "best" or self.max_samples:
            drawn = np.random.RandomState(seed).randint(0, rows, self.max_samples or rows)
            weights = np.bincount(drawn, minlength=rows).astype(np.float64)
        scores = np.array([max(classes, 1)], dtype=np.intp)
        criterion = Gini(1, scores) if classes else MSE(1, rows)
        kind = BestSplitter if self.splits == "best" else RandomSplitter
        splitter = kind(criterion, self._tried(columns), leaf, 0.0, np.random.RandomState(seed), None)
        tree = Tree(columns, scores, 1)
        DepthFirstTreeBuilder(splitter, 2 * leaf, leaf, 0.0, DEEPEST, 0.0).build(tree, matrix, y, weights, missing)
        return tree

    def _tried(self, columns: int) -> int:
        """How many columns each split chooses from."""
        return max(1, int(columns**0.5 if self.max_features == "sqrt" else self.max_features * columns))

    def _answers(self, matrix: np.ndarray) -> np.ndarray:
        total: np.ndarray = self.grown[0].predict(matrix)
        for tree in self.grown[1:]:
            total += tree.predict(matrix)
        return total / len(self.grown)


@dataclass
class ForestOfNumbers(Forest):
    """A forest for regression."""

    def fit(self, matrix: np.ndarray, y: np.ndarray) -> "ForestOfNumbers":
        self._grow(matrix, y, 0)
        return self

    def predict(self, matrix: np.ndarray) -> np.ndarray:
        return self._answers(matrix)[:, 0]


@dataclass
class ForestOfClasses(Forest):
    """A forest for classes; `classes_` are those that it learned from."""

    classes_: np.ndarray = field(default_factory=lambda: np.array([]), init=False)

    def fit(self, matrix: np.ndarray, y: np.ndarray) -> "ForestOfClasses":
        self.classes_, codes = np.unique(y, return_inverse=True)
        self._grow(matrix, codes, len(self.classes_))
        return self

    def predict_proba(self, matrix: np.ndarray) -> np.ndarray:
        return self._answers(matrix)
