"""The fits that a round of the search asks worker processes for."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from slipway.training.data.folds import Fold
from slipway.training.data.labelled import Rows
from slipway.training.fitting.candidates import Trial
from slipway.training.fitting.fitted import stages


@dataclass(frozen=True)
class Job:
    """One fit of a trial.

    Parameters
    ----------
    number : int
        Of the trial in its round.
    trial : Trial
    fold : int
        Number of the fold whose rows are held out.
    part : int
        The most rows that it learns from.
    """

    number: int
    trial: Trial
    fold: int
    part: int


@dataclass(frozen=True)
class Work:
    """What all fits share."""

    rows: Rows
    folds: Sequence[Fold]
    seed: int

    def stages(self, job: Job) -> dict[int, np.ndarray]:
        """The answers of one fit to the rows held out, by the number of iterations."""
        learned, held = self.folds[job.fold]
        some = learned[part_of(self.rows, learned, job.part, self.seed)]
        return stages(job.trial, self.rows.take(some), self.rows.take(held), self.seed)


def part_of(rows: Rows, learned: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Which of the rows learned from are in a part of so many: drawn at random, the same share of each class."""
    if most >= len(learned):
        return np.arange(len(learned))
    order = np.random.default_rng(seed).permutation(len(learned))
    if rows.task == "regression":
        return np.sort(order[:most])
    codes = rows.y[learned][order]
    counts = {code: int(np.ceil(most * (codes == code).mean())) for code in np.unique(codes)}
    return np.sort(np.concatenate([order[codes == code][:count] for code, count in counts.items()]))
