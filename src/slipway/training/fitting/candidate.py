"""A kind of estimator that training compares: all there is to know about it."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from slipway.model.encoding import Encoding
from slipway.table.schema import Columns, Schema
from slipway.training.fitting.export import Graph

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Candidate:
    """A kind of estimator.

    Parameters
    ----------
    estimator : callable
        (task, settings, seed, encoding) → scikit-learn estimator, not fitted.
    preprocess : callable
        (schema, training columns, their target as numbers of shape (rows, k), settings) → Encoding.
    dtype : str
        What its matrix is rounded to, in training and in the graph.
    export : callable
        (fitted estimator, number of columns of its matrix) → Graph.
    tried, tried_on_classes : tuple of mapping
        The settings that are tried first, in this order, for numbers and for classes.
    drawn : callable, optional
        (random generator) → settings, for the trials after those; None when there are no more.
    trees : callable, optional
        (settings, rows learned from) → (how many trees, most leaves of each); None for a candidate without trees.
    by_class : bool
        Whether there are as many trees for each of several classes.
    staged : callable, optional
        (estimator, matrix and target learned from, matrix and target held out) → (iterations, answers to the rows held
        out) as one fit goes on, for settings without ``max_iter``; None when no number of iterations is to be chosen.
    refined : callable, optional
        (settings, iterations that were best with them) → those of a finalist, which takes longer to fit.
    share : float
        Part of `search.trials` that it gets: 1 when its settings matter most and it is fast on large tables.
    largest : mapping, optional
        Those of `tried` that make the largest model, for the learning curve; by default the first.
    on_many_rows : mapping
        Settings added when there are more than 10,000 rows.
    on_many_levels : mapping
        Settings added when the levels of all categories would make more than 100 columns.
    on_many_cells : mapping
        Settings added when rows × columns are more than 2 million.
    """

    estimator: Callable[[str, Settings, int, Encoding], Any]
    preprocess: Callable[[Schema, Columns, np.ndarray, Settings], Encoding]
    dtype: Literal["float32", "float64"]
    export: Callable[[Any, int], Graph]
    tried: tuple[Settings, ...]
    tried_on_classes: tuple[Settings, ...]
    drawn: Callable[[np.random.Generator], Settings] | None = None
    trees: Callable[[Settings, int], tuple[int, int]] | None = None
    staged: Callable[[Any, np.ndarray, np.ndarray, np.ndarray, np.ndarray], Iterator[tuple[int, np.ndarray]]] | None = None
    refined: Callable[[Settings, int], Settings] | None = None
    share: float = 0.25
    largest: Settings | None = None
    on_many_rows: Settings = field(default_factory=dict)
    on_many_levels: Settings = field(default_factory=dict)
    on_many_cells: Settings = field(default_factory=dict)
    by_class: bool = False

    def first(self, task: str) -> tuple[Settings, ...]:
        """The settings that are tried first."""
        return self.tried if task == "regression" else self.tried_on_classes

    def settings(self, task: str, trials: int, seed: int) -> list[Settings]:
        """What to try with its share of so many trials."""
        number = max(1, int(trials * self.share))
        random = np.random.default_rng(seed)
        settings = list(self.first(task)[:number])
        while self.drawn and len(settings) < number:
            settings.append(self.drawn(random))
        return settings
