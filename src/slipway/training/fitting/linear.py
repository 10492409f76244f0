"""The linear candidate: ridge regression, and logistic regression for classes."""

from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression, Ridge

from slipway.model.contents import Link
from slipway.model.encoding import Encoding
from slipway.training.fitting.candidate import Candidate, Settings
from slipway.training.fitting.export import Graph, linear_graph
from slipway.training.fitting.preprocessing import LOG_TAILS, for_linear

TRIED: tuple[Settings, ...] = tuple(
    {"penalty": penalty} | scale for penalty in (1.0, 10.0, 100.0, 0.1) for scale in ({}, {LOG_TAILS: False})
)


def _estimator(task: str, settings: Settings, seed: int, encoding: Encoding) -> Any:
    """Ridge's penalty and LogisticRegression's inverse penalty go by one name: ``penalty``."""
    if task == "regression":
        return Ridge(alpha=settings["penalty"])
    return LogisticRegression(C=1 / settings["penalty"], max_iter=1000)


def _export(fitted: Any, features: int) -> Graph:
    weights, base = np.atleast_2d(fitted.coef_).T, np.atleast_1d(fitted.intercept_).tolist()
    link: Link = "identity" if isinstance(fitted, Ridge) else "sigmoid" if len(base) == 1 else "softmax"
    return Graph(linear_graph(weights), link, base)


LINEAR = Candidate(_estimator, for_linear, "float64", _export, TRIED, TRIED)
