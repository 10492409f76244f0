"""The estimators that training compares, each with the settings it tries and the preprocessing that suits it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge

from slipway.training.preprocessing import for_linear, for_trees

SKEWED = 1.0
MANY = 100_000
TREE_ROWS = 20_000  # of many, each drawn anew: a forest of large trees would be slow to grow, to export and to ask


@dataclass(frozen=True)
class Trial:
    """One estimator with one choice of settings.

    Parameters
    ----------
    candidate : str
        ``linear``, ``forest`` or ``boosting``.
    settings : mapping
        The estimator's parameters.
    log_target : bool
        Whether it learns log(1 + y) of a regression target.
    """

    candidate: str
    settings: Mapping
    log_target: bool = False

    def described(self) -> dict:
        return dict(self.settings) | ({"target": "log(1 + y)"} if self.log_target else {})


@dataclass(frozen=True)
class Candidate:
    """A kind of estimator.

    Parameters
    ----------
    regressor, classifier : scikit-learn class
    preprocess : callable
        (schema, training columns) → Encoding.
    dtype : str
        What its matrix is rounded to.
    fixed : mapping
        Parameters that are not searched.
    tried, tried_on_classes : tuple of mapping
        The settings that are tried first, in this order, for numbers and for classes.
    drawn : callable
        (random generator) → settings, for the trials after those; None when there are no more.
    seeded : tuple of str
        Which tasks' estimators take a random state.
    """

    regressor: type
    classifier: type
    preprocess: Callable
    dtype: str
    fixed: Mapping
    tried: tuple[Mapping, ...]
    tried_on_classes: tuple[Mapping, ...]
    drawn: Callable | None
    seeded: bool

    def estimator(self, task: str, settings: Mapping, seed: int):
        kind = self.regressor if task == "regression" else self.classifier
        state = {"random_state": seed} if self.seeded else {}
        return kind(**self.fixed, **self._translated(task, settings), **state)

    def _translated(self, task: str, settings: Mapping) -> dict:
        """Ridge's penalty and LogisticRegression's inverse penalty go by one name in `tried`: ``penalty``."""
        if "penalty" not in settings:
            return dict(settings)
        penalty = settings["penalty"]
        return {"alpha": penalty} if task == "regression" else {"C": 1 / penalty, "max_iter": 1000}


def _drawn_boosting(random: np.random.Generator) -> dict:
    rate = float(np.round(np.exp(random.uniform(np.log(0.02), np.log(0.2))), 4))
    return {
        "learning_rate": rate,
        "max_iter": int(np.clip(round(12 / rate), 60, 500)),
        "max_leaf_nodes": int(random.choice([4, 6, 8, 15, 31, 63])),
        "min_samples_leaf": int(random.choice([5, 10, 20, 40])),
        "l2_regularization": float(random.choice([0.0, 1.0, 10.0])),
    }


def _drawn_forest(random: np.random.Generator) -> dict:
    return {
        "min_samples_leaf": int(random.choice([1, 2, 3, 5, 8, 12, 20])),
        "max_features": float(random.choice([0.3, 0.5, 0.7, 1.0])),
    }


PENALTIES = ({"penalty": 1.0}, {"penalty": 10.0}, {"penalty": 0.1}, {"penalty": 100.0})
BOOSTS = (
    {"learning_rate": 0.05, "max_iter": 120, "max_depth": 3, "min_samples_leaf": 10},
    {"learning_rate": 0.1, "max_iter": 100, "max_leaf_nodes": 31, "min_samples_leaf": 20},
    {"learning_rate": 0.03, "max_iter": 150, "max_leaf_nodes": 6, "min_samples_leaf": 20},
    {"learning_rate": 0.05, "max_iter": 80, "max_leaf_nodes": 8, "min_samples_leaf": 20},
)
CANDIDATES = {
    "linear": Candidate(
        Ridge, LogisticRegression, for_linear, "float64", {}, PENALTIES, PENALTIES, None, False,
    ),
    "forest": Candidate(
        RandomForestRegressor, RandomForestClassifier, for_trees, "float32", {"n_estimators": 100},
        (
            {"min_samples_leaf": 5, "max_features": 0.7},
            {"min_samples_leaf": 10, "max_features": 0.7},
            {"min_samples_leaf": 1, "max_features": 0.5},
        ),
        (
            {"min_samples_leaf": 1, "max_features": "sqrt"},
            {"min_samples_leaf": 2, "max_features": "sqrt"},
            {"min_samples_leaf": 1, "max_features": 0.5},
        ),
        _drawn_forest, True,
    ),
    "boosting": Candidate(
        HistGradientBoostingRegressor, HistGradientBoostingClassifier, for_trees, "float32",
        {"early_stopping": False},
        BOOSTS, BOOSTS, _drawn_boosting, True,
    ),
}


def trials(
    candidates: tuple[str, ...], number: int, task: str, seed: int, log_target: bool, rows: int = 0
) -> list[Trial]:
    """What to compare: up to `number` settings of boosting, half as many of the others, each also with a log target if asked.

    The settings of boosting matter most, and it is the fastest on large tables; of more than 100,000 rows each tree of a
    forest sees 20,000.
    """
    found = []
    for name in candidates:
        share = number if name == "boosting" else max(1, number // 2)
        settings = _settings(CANDIDATES[name], task, share, seed)
        if name == "forest" and rows > MANY:
            settings = [{**each, "max_samples": TREE_ROWS} for each in settings]
        found += [Trial(name, each) for each in settings]
        if log_target:
            found += [Trial(name, each, True) for each in settings[: max(1, len(settings) // 2)]]
    return found


def _settings(candidate: Candidate, task: str, number: int, seed: int) -> list[Mapping]:
    random = np.random.default_rng(seed)
    first = candidate.tried if task == "regression" else candidate.tried_on_classes
    settings = list(first[:number])
    while candidate.drawn and len(settings) < number:
        settings.append(candidate.drawn(random))
    return settings


def skewed(y: np.ndarray) -> bool:
    """Whether a regression target is non-negative with a long upper tail, so that its logarithm is worth a try."""
    if y.min() < 0 or y.std() == 0:
        return False
    return float((((y - y.mean()) / y.std()) ** 3).mean()) > SKEWED
