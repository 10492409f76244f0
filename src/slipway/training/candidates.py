"""The candidates by name, and the trials that training makes with them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from slipway.training.boosting import BOOSTING
from slipway.training.candidate import Candidate, Settings
from slipway.training.forest import FOREST
from slipway.training.linear import LINEAR

SKEWED = 1.0
MANY = 100_000
LOG_TARGET = "log(1 + y)"

CANDIDATES: dict[str, Candidate] = {
    "linear": LINEAR,
    "forest": FOREST,
    "boosting": BOOSTING,
}


@dataclass(frozen=True)
class Trial:
    """One estimator with one choice of settings.

    Parameters
    ----------
    candidate : str
        A key of `CANDIDATES`.
    settings : mapping
        The candidate's.
    log_target : bool
        Whether it learns log(1 + y) of a regression target.
    """

    candidate: str
    settings: Settings
    log_target: bool = False

    def described(self) -> dict[str, Any]:
        return dict(self.settings) | ({"target": LOG_TARGET} if self.log_target else {})


def trials(candidates: Sequence[str], number: int, task: str, seed: int, log_target: bool, rows: int = 0) -> list[Trial]:
    """What to compare: of each candidate its share of `number` settings, half of these also with a log target if asked."""
    found = []
    for name in candidates:
        candidate = CANDIDATES[name]
        settings = candidate.settings(task, number, seed)
        if rows > MANY:
            settings = [{**each, **candidate.on_many_rows} for each in settings]
        found += [Trial(name, each) for each in settings]
        if log_target:
            found += [Trial(name, each, True) for each in settings[: max(1, len(settings) // 2)]]
    return found


def learner(candidates: Sequence[str], task: str, log_target: bool) -> Trial:
    """What a learning curve is measured with: the candidate with the largest share of the trials, fast on many rows."""
    name = max(candidates, key=lambda each: CANDIDATES[each].share)
    candidate = CANDIDATES[name]
    return Trial(name, candidate.largest or candidate.first(task)[0], log_target)


def skewed(y: np.ndarray) -> bool:
    """Whether a regression target is non-negative with a long upper tail, so that its logarithm is worth a try."""
    if y.min() < 0 or y.std() == 0:
        return False
    return float((((y - y.mean()) / y.std()) ** 3).mean()) > SKEWED
