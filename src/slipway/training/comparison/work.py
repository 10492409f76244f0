"""The fits that a round of the search asks worker processes for, and what earlier rounds know of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from slipway.training.data.folds import Fold
from slipway.training.data.labelled import Rows
from slipway.training.fitting.candidates import Trial
from slipway.training.fitting.fitted import stages

ROOM = 200_000_000  # bytes of answers that a search keeps

Stages = Mapping[int, np.ndarray]  # answers to the rows held out, by the number of iterations


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
        How many rows it learns from.
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

    def stages(self, job: Job) -> Stages:
        """The answers of one fit to the rows held out, by the number of iterations."""
        learned, held = self.folds[job.fold]
        some = learned[part_of(self.rows, learned, job.part, self.seed)]
        return stages(job.trial, self.rows.take(some), self.rows.take(held), self.seed)


class Known:
    """Answers of fits that a later round asks for again, as it does where all rows of a fold are few enough for every round.

    A fit is the same each time, so what there is no room for is made again.
    """

    def __init__(self) -> None:
        self._answers: list[tuple[Job, Stages]] = []

    def keep(self, job: Job, answers: Stages) -> None:
        """Remember what a fit answered, while there is room."""
        kept = sum(each.nbytes for _, known in self._answers for each in known.values())
        if kept + sum(each.nbytes for each in answers.values()) <= ROOM:
            self._answers.append((job, answers))

    def divide(self, jobs: Iterable[Job]) -> tuple[list[tuple[Job, Stages]], list[Job]]:
        """The jobs that are done, with their answers, and those that are not; what none of them asks for is forgotten."""
        known, unknown = [], []
        for job in jobs:
            found = next((answers for done, answers in self._answers if _same(done, job)), None)
            if found is None:
                unknown.append(job)
            else:
                known.append((job, found))
        self._answers = list(known)
        return known, unknown


def _same(one: Job, other: Job) -> bool:
    return (one.fold, one.part, one.trial) == (other.fold, other.part, other.trial)


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
