"""The candidates by name, and the trials that training makes with them."""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from slipway.problem import Problem
from slipway.training.fitting.boosting import BOOSTING
from slipway.training.fitting.candidate import Candidate, Settings
from slipway.training.fitting.forest import FOREST
from slipway.training.fitting.linear import LINEAR
from slipway.training.fitting.pipelines import loaded
from slipway.training.fitting.xgboost_trees import XGBOOST

SKEWED = 1.0
MANY = 10_000  # rows
WIDE = 100  # columns of levels
LARGE = 2_000_000  # cells

Each = TypeVar("Each")
LOG_TARGET = "log(1 + y)"


class Registry(dict[str, Candidate]):
    """The candidates by name; one that a person brings is loaded when it is asked for, in worker processes too."""

    def __missing__(self, name: str) -> Candidate:
        return self.setdefault(name, loaded(name))


CANDIDATES = Registry({"linear": LINEAR, "forest": FOREST, "boosting": BOOSTING, "xgboost": XGBOOST})


def find(problem: Problem) -> None:
    """Load the candidates that a person brings; modules beside slipway.yaml come first, then those in src/ there.

    Raises
    ------
    ProblemError
        When one cannot be imported, or is no pipeline.
    TableError
        When its estimator cannot be exported.
    """
    own = [name for name in problem.candidates if ":" in name]
    if own:
        places = [str(place) for place in problem.places]
        sys.path[:] = [*places, *(place for place in sys.path if place not in places)]
    for name in own:
        _forget(name.partition(":")[0].partition(".")[0], problem.places)
        CANDIDATES[name] = loaded(name)


def _forget(package: str, places: Sequence[Path]) -> None:
    """Have a module of a person's own imported anew: a notebook may have changed it, another problem have its own."""
    if package != "slipway" and PathFinder.find_spec(package, [str(place) for place in places]):
        for name in [name for name in sys.modules if name.partition(".")[0] == package]:
            del sys.modules[name]


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

    @property
    def trials(self) -> tuple["Trial", ...]:
        """Itself, as a blend has its members."""
        return (self,)

    def described(self) -> dict[str, Any]:
        return dict(self.settings) | ({"target": LOG_TARGET} if self.log_target else {})

    @property
    def staged(self) -> bool:
        """Whether the number of iterations is yet to be chosen."""
        return CANDIDATES[self.candidate].staged is not None and "max_iter" not in self.settings

    def settled(self, iterations: int) -> "Trial":
        """The same with a chosen number of iterations."""
        return replace(self, settings={**self.settings, "max_iter": iterations})

    def refined(self, iterations: int) -> "Trial":
        """The same as a finalist, by the number of iterations that was best so far."""
        refine = CANDIDATES[self.candidate].refined
        return replace(self, settings=refine(self.settings, iterations)) if refine else self

    def trees(self, rows: int) -> tuple[int, int]:
        """How many trees, and the most leaves of each."""
        count = CANDIDATES[self.candidate].trees
        return count(self.settings, rows) if count else (0, 1)


@dataclass(frozen=True)
class Blend:
    """Several trials whose answers are added up.

    Parameters
    ----------
    trials : tuple of Trial
    weights : tuple of float
        One per trial; they add up to 1.
    """

    trials: tuple[Trial, ...]
    weights: tuple[float, ...]
    candidate: str = "blend"

    def described(self) -> dict[str, Any]:
        return {"of": " + ".join(f"{weight:g} {self._called(trial)}" for trial, weight in zip(self.trials, self.weights))}

    def _called(self, trial: Trial) -> str:
        """The candidate, and where it is in the blend twice, the settings that differ."""
        own, others = trial.described(), [each.described() for each in self.trials if each.candidate == trial.candidate]
        differ = [f"{key} {value}" for key, value in own.items() if any(each.get(key) != value for each in others)]
        return f"{trial.candidate} ({', '.join(differ)})" if differ else trial.candidate


def trials(
    candidates: Sequence[str],
    number: int,
    task: str,
    seed: int,
    log_target: bool,
    rows: int = 0,
    levels: int = 0,
    cells: int = 0,
) -> list[Trial]:
    """What to compare: of each candidate its share of `number` settings, a quarter of them with a log target too if asked.

    Where there are many `rows`, columns of `levels` or `cells`, each trial gets what keeps its fits quick.
    """
    found: list[Trial] = []
    for name in candidates:
        candidate = CANDIDATES[name]
        settings = candidate.settings(task, number, seed)
        if rows > MANY:
            settings = [{**each, **candidate.on_many_rows} for each in settings]
        if levels > WIDE:
            settings = [{**each, **candidate.on_many_levels} for each in settings]
        if cells > LARGE:
            settings = distinct({**each, **candidate.on_many_cells} for each in settings)
        found += [Trial(name, each) for each in settings]
        if log_target:
            found += [Trial(name, each, True) for each in settings[: max(1, len(settings) // 4)]]
    return found


def distinct(given: Iterable[Each]) -> list[Each]:
    """The same without what was there before, in their order; they need no hash."""
    found: list[Each] = []
    for each in given:
        if each not in found:
            found.append(each)
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
