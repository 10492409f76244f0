"""The warm start: what won before is tried again, also where the search would not come upon it.

A bundle's digest is that of its data, slipway.yaml, the lock, and the settings that it names as its start. So they are named
only where they made a difference to the trials, and a repeated training starts from the same: from the champion's settings
or, when the search comes upon these anyway, from what the champion itself had started from.
"""

from collections.abc import Sequence

import numpy as np

from slipway.model.contents import Model, Start
from slipway.problem import Problem
from slipway.training.fitting.candidates import CANDIDATES, LOG_TARGET, Trial


def with_start(
    trials: Sequence[Trial], champion: Model | None, problem: Problem, task: str, log_target: bool
) -> tuple[list[Trial], tuple[Start, ...]]:
    """The trials, those that the champion adds to them, and the names of these.

    Parameters
    ----------
    trials : sequence of Trial
        What is tried without a champion.
    champion : Model or None
    problem : Problem
    task : str
    log_target : bool
        Whether the logarithm of the target may be learned.
    """
    if champion is None or (champion.task, champion.target) != (task, problem.target):
        return list(trials), ()
    known = [*trials, *(trial.refined(0) for trial in trials)]  # what a search begins with, and what it makes of its finalists
    won = tuple(Start(member.candidate, member.settings) for member in champion.members)
    for starts in (won, champion.start):
        found = [_trial(each, task, log_target) for each in starts if each.candidate in problem.candidates]
        added = [trial for trial in found if trial is not None and trial not in known]
        if added:
            return [*trials, *added], tuple(Start(trial.candidate, trial.described()) for trial in added)
    return list(trials), ()


def _trial(start: Start, task: str, log_target: bool) -> Trial | None:
    """The trial of these settings; None where this version or this table has no use for them.

    Where the search chooses the number of iterations, it does so anew: there may be more rows by now.
    """
    candidate = CANDIDATES[start.candidate]
    chosen = {"target"} | ({"max_iter"} if candidate.staged else set())
    settings = {name: value for name, value in start.settings.items() if name not in chosen}
    logarithm = start.settings.get("target") == LOG_TARGET
    drawn = candidate.drawn(np.random.default_rng(0)) if candidate.drawn else {}
    told = set().union(candidate.on_many_rows, drawn, *candidate.first(task))
    if not settings.keys() <= told or logarithm and not log_target:
        return None
    return Trial(start.candidate, settings, logarithm)
