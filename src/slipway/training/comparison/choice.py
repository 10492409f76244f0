"""Which of the finalists becomes the challenger: the simplest whose lag behind the best is within its own error."""

from collections.abc import Sequence

import numpy as np

from slipway.training.comparison.measured import Measured
from slipway.training.fitting.candidates import Blend, Trial

SMALL = 4_000  # leaves; a person with patience could print them


def complexity(trial: Trial | Blend, rows: int) -> int:
    """Rank among the kinds: 0 linear, 1 a small ensemble of trees, 2 a large one, 3 a blend; `rows` are learned from."""
    if isinstance(trial, Blend):
        return 3
    count, leaves = trial.trees(rows)
    return 0 if not count else 1 if count * leaves <= SMALL else 2


def lag(one: Measured, best: Measured) -> tuple[float, float]:
    """By how much one is behind the best, and the standard error of that, from the differences fold by fold.

    The differences vary less than the values: a fold that is hard for one is hard for the other.
    """
    differences = best.values - one.values
    differences = differences[~np.isnan(differences)]
    if len(differences) < 2:
        return float(differences.mean()) if len(differences) else 0.0, 0.0
    return float(differences.mean()), float(differences.std(ddof=1) / np.sqrt(len(differences)))


def chosen(finalists: Sequence[Measured], rows: int) -> Measured:
    """The simplest within one standard error of the best; of equally simple ones the best."""
    best = max(finalists, key=lambda each: each.mean)
    near = []
    for each in finalists:
        behind, error = lag(each, best)
        if each is best or behind <= error:
            near.append(each)
    return min(near, key=lambda each: (complexity(each.trial, rows), -each.mean))
