"""What each field contributed to one answer: Shapley values by sampled permutations.

Starting from a background row, the fields are replaced one after another, in random order, by those of the row in
question; a field's contribution is the mean change of the answer at its replacement. Every order is also walked
backwards, which halves the variance. The contributions add up to the answer exactly.

Source: Štrumbelj and Kononenko, "Explaining prediction models and individual predictions with feature
contributions", Knowledge and Information Systems 41 (2014).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from slipway.table.schema import Columns


@dataclass(frozen=True)
class Contributions:
    """How the answer to one row came about.

    Parameters
    ----------
    of : str
        What is explained: the target's name, or "probability of LABEL".
    base : float
        The mean answer to the background rows.
    result : float
        The answer to the row; base plus all amounts.
    fields : tuple of (str, float)
        Name and amount, the largest first.
    """

    of: str
    base: float
    result: float
    fields: tuple[tuple[str, float], ...]


def contributions(
    answer: Callable[[Columns], np.ndarray], row: Columns, background: Columns, of: str, seed: int = 0
) -> Contributions:
    """Explain `answer` at one row.

    Parameters
    ----------
    answer : callable
        Columns of n rows → n numbers.
    row : Columns
        One row.
    background : Columns
        m rows that say what is usual; each starts two walks.
    """
    names = list(row)
    size = len(background[names[0]])
    orders = np.empty((2 * size, len(names)), dtype=np.int64)
    orders[:size] = np.random.default_rng(seed).permuted(np.tile(np.arange(len(names)), (size, 1)), axis=1)
    orders[size:] = orders[:size, ::-1]
    answers = answer(_walks(names, orders, row, background)).reshape(len(orders), len(names) + 1)
    amounts = np.zeros(len(names))
    np.add.at(amounts, orders, np.diff(answers, axis=1))
    amounts /= len(orders)
    ranked = sorted(zip(names, amounts.tolist()), key=lambda pair: -abs(pair[1]))
    return Contributions(of, float(answers[:, 0].mean()), float(answers[0, -1]), tuple(ranked))


def _walks(names: list[str], orders: np.ndarray, row: Columns, background: Columns) -> Columns:
    """All rows of all walks: in step s of a walk its first s fields are the row's, the others the background's."""
    steps = np.arange(len(names) + 1)
    positions = orders.argsort(axis=1)
    starts = np.tile(np.arange(len(orders) // 2), 2)
    walks = {}
    for index, name in enumerate(names):
        replaced = positions[:, index, None] < steps
        walks[name] = np.where(replaced, row[name][0], background[name][starts][:, None]).ravel()
    return walks
