"""Which of the finalists becomes the challenger: the simplest whose lag behind the best is within its own error.

A blend only has to do better than that one: it depends less on what chance favoured in the folds.
"""

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
    """Of those within one standard error of the best the simplest, or a blend that does better than that one."""
    best = max(finalists, key=lambda each: each.mean)
    near = [each for each in finalists if each is best or _within_error(each, best)]
    simplest = min(near, key=lambda each: (complexity(each.trial, rows), -each.mean))
    return max([simplest, *(each for each in near if isinstance(each.trial, Blend))], key=lambda each: each.mean)


def _within_error(one: Measured, best: Measured) -> bool:
    behind, error = lag(one, best)
    return behind <= error
