"""The search: successive halving over the trials.

The first round makes every trial on one or two folds of a part of the rows; the better ones go on to more folds and more rows,
and the last few, each kind's best among them, are measured on all. The number of iterations of boosting is read from a
validation curve inside the folds. All of this is counted, never timed, so the same table gives the same winner.

Source of the halving: Jamieson and Talwalkar, "Non-stochastic best arm identification and hyperparameter
optimization", AISTATS 2016.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from slipway.training.comparison.blend import blended
from slipway.training.comparison.choice import chosen
from slipway.training.comparison.measured import Measured, measured, settled
from slipway.training.comparison.speed import Speed
from slipway.training.comparison.work import Job, Known, Stages, Work
from slipway.training.data.folds import Fold, folds
from slipway.training.data.labelled import Rows
from slipway.training.fitting.candidates import Blend, Trial, distinct
from slipway.training.fitting.fitted import Entry, baseline
from slipway.training.fitting.workers import Workers
from slipway.training.measures.goal import Goal

CELLS = 2_000_000  # that one fit of the first round learns from at most
MANY = 4_000  # rows
SMALL = 100_000  # cells; the folds of a larger table are not repeated
FEW = 5  # trials that are measured on everything
ENOUGH, PLENTY = 1_000, 6_000  # rows held out, at which fewer folds tell the better trials, and one does
NEAR = 1.1  # times the quickest, where nothing keeps the bound


Fits = Workers[Job, Stages]


@dataclass(frozen=True)
class Round:
    """What a round fits.

    Parameters
    ----------
    folds : int
        How many, from the first.
    part : int
        The most rows that a fit learns from.
    most : int
        How many trials take part.
    """

    folds: int
    part: int
    most: int


@dataclass(frozen=True)
class Step:
    """How far the search is.

    Parameters
    ----------
    round, rounds : int
    trials, folds : int
        Of this round.
    done, total : float
        Work of all rounds, about proportional to time.
    best : Entry or None
        Of the rounds before.
    """

    round: int
    rounds: int
    trials: int
    folds: int
    done: float
    total: float
    best: Entry | None


@dataclass(frozen=True)
class Found:
    """What the search ended with.

    Parameters
    ----------
    entries : list of Entry
        The leaderboard: the chosen one first, then the finalists and the baseline, then what left the search earlier.
    remarks : list of str
        What a reader of the results must know.
    """

    entries: list[Entry]
    remarks: list[str]


def search(
    rows: Rows,
    trials: Sequence[Trial],
    goal: Goal,
    jobs: int,
    progress: Callable[[Step], None] = lambda step: None,
    bound: float = np.inf,
) -> Found:
    """Find the trial, or the blend of trials, that does best on rows it has not learned from.

    Parameters
    ----------
    rows : Rows
        To learn from.
    trials : sequence of Trial
    goal : Goal
    jobs : int
        Worker processes.
    progress : callable
        Told after each fit.
    bound : float
        The most microseconds that one row may take, as estimated.

    Raises
    ------
    KeyboardInterrupt
        When Ctrl-C came before any trial was tried on all folds of the first round.
    """
    divided = folds(rows.y, len(rows.classes), rows.kin, rows.time, goal.seed)
    halving = Halving(rows, divided, goal, Speed(rows), bound, progress)
    with Workers(Work(rows, divided, goal.seed).stages, jobs) as workers:
        try:
            halving.run(trials, workers)
        except KeyboardInterrupt:
            return halving.found(whole=False)
    return halving.found(whole=True)


def rounds(rows: int, columns: int, folds: int, repeated: int, trials: int) -> list[Round]:
    """The rounds for so many rows, columns, folds (`repeated` of the first repeat) and trials.

    A few trials are compared once, on the first repeat; so are the last few on a table that is not small. Where a fold holds
    out many rows, the rounds before the last make one fold less, or one fold alone.
    """
    if trials <= FEW:
        return [Round(repeated, rows, trials)]
    part = max(1_000, min(MANY, CELLS // columns))
    last = folds if rows * columns <= SMALL else repeated
    held = rows / repeated
    first, second = (1, 1) if held >= PLENTY else (1, 2) if held >= ENOUGH else (2, 3)
    plan = [Round(min(first, folds), part, trials), Round(min(second, repeated), 4 * part, 2 * FEW), Round(last, rows, FEW)]
    return [each for each, later in zip(plan, plan[1:]) if trials > later.most] + plan[-1:]


class Halving:
    """The rounds, one after the other, and what came of each.

    Parameters
    ----------
    rows, folds, goal
    speed : Speed
    bound : float
    progress : callable
    """

    def __init__(
        self, rows: Rows, folds: Sequence[Fold], goal: Goal, speed: Speed, bound: float, progress: Callable[[Step], None]
    ) -> None:
        self._rows, self._folds, self._goal = rows, folds, goal
        self._learned = len(folds[0][0])
        self._speed, self._bound, self._progress = speed, bound, progress
        self._done: list[tuple[Trial, Measured]] = []  # what the last round was asked, and what came of it; the best first
        self._left: list[tuple[Measured, str]] = []
        self._remarks: list[str] = []
        self._known = Known()

    def run(self, trials: Sequence[Trial], workers: Fits) -> None:
        """Make the rounds."""
        going = self._quick_enough(trials)
        columns, repeated = len(self._rows.schema.names), _repeated(self._folds)
        plan = rounds(len(self._rows.y), columns, len(self._folds), repeated, len(going))
        for number, each in enumerate(plan):
            if number:
                going = self._survivors(each.most, f"left after round {number} of {len(plan)}")
            if number and number == len(plan) - 1:
                going = distinct(trial.refined(self._iterations(trial)) for trial in going)
            self._round(going, number, plan, workers)

    def _quick_enough(self, trials: Sequence[Trial]) -> list[Trial]:
        """Those within the bound; where there is none, the quickest."""
        if np.isinf(self._bound):
            return list(trials)
        times = [self._speed.microseconds(trial) for trial in trials]
        if min(times) > self._bound:
            self._bound = NEAR * min(times)
            self._remarks.append(
                f"no candidate keeps serving.max_row_microseconds: the quickest needs about {min(times):.0f} µs for a row"
            )
        return [trial for trial, time in zip(trials, times) if time <= self._bound]

    def _survivors(self, most: int, reason: str) -> list[Trial]:
        """The best of each kind, then the best of all."""
        firsts = {trial.candidate: place for place, (trial, _) in reversed(list(enumerate(self._done)))}.values()
        kept = sorted([*firsts, *(place for place in range(len(self._done)) if place not in firsts)][:most])
        self._left += [(result, reason) for place, (_, result) in enumerate(self._done) if place not in kept]
        return [self._done[place][0] for place in kept]

    def _iterations(self, trial: Trial) -> int:
        """How many were best in the round before; 0 where there is no such number."""
        result = next(result for asked, result in self._done if asked is trial)
        return 0 if isinstance(result.trial, Blend) else int(result.trial.settings.get("max_iter", 0))

    def _round(self, trials: Sequence[Trial], number: int, plan: Sequence[Round], workers: Fits) -> None:
        this = plan[number]
        jobs = [self._job(index, trial, fold, this) for index, trial in enumerate(trials) for fold in range(this.folds)]
        known, unknown = self._known.divide(jobs)
        before = sum(self._work(each) for each in plan[:number])
        total = before + sum(self._work(each) for each in plan[number:])
        best = self._done[0][1].entry(self._rows, self._folds) if self._done else None
        stages: dict[int, dict[int, Stages]] = {}
        results: dict[int, Measured] = {}
        try:
            for made, (job, answers) in enumerate(chain(known, workers.run(unknown)), start=1):
                if made > len(known) and number < len(plan) - 1:
                    self._known.keep(job, answers)
                stages.setdefault(job.number, {})[job.fold] = answers
                if len(stages[job.number]) == this.folds:  # settled at once: only the answers of one stage are kept
                    stage = stages.pop(job.number)
                    results[job.number] = settled(job.trial, stage, self._rows, self._folds, self._goal, self._keeps)
                done = before + self._work(this) * made / len(jobs)
                self._progress(Step(number + 1, len(plan), len(trials), this.folds, done, total, best))
        finally:
            if results:
                goal = self._goal if number == len(plan) - 1 else self._goal.guide
                order = sorted(results, key=lambda index: (-self._rank(results[index], goal), index))
                self._done = [(trials[index], results[index]) for index in order]

    def _job(self, index: int, trial: Trial, fold: int, this: Round) -> Job:
        return Job(index, trial, fold, min(this.part, len(self._folds[fold][0])))

    def _rank(self, result: Measured, goal: Goal) -> float:
        return measured(result.trial, result.answers, self._rows, self._folds, goal).mean

    def _work(self, each: Round) -> float:
        return each.most * each.folds * min(each.part, self._learned)

    def _keeps(self, trial: Trial | Blend) -> bool:
        return np.isinf(self._bound) or self._speed.microseconds(trial) <= self._bound

    def found(self, whole: bool) -> Found:
        """The leaderboard, the chosen one first; KeyboardInterrupt when there is none."""
        if not self._done:
            raise KeyboardInterrupt("no settings have been tried on all folds yet, so nothing is kept")
        rows, folds, goal = self._rows, self._folds, self._goal
        finalists = [result for _, result in self._done]
        blend = blended(finalists, rows, folds, goal) if whole and len(finalists) > 1 else None
        if blend and self._keeps(blend.trial):
            finalists = [*finalists, blend]
        best = chosen(finalists, self._learned)
        others = sorted((each for each in finalists if each is not best), key=lambda each: -each.mean)
        dummy = {fold: baseline(rows.take(folds[fold][0]), len(folds[fold][1])) for fold in best.answers}
        nothing = replace(measured(best.trial, dummy, rows, folds, goal).entry(rows, folds), trial=None)
        entries = [each.entry(rows, folds) for each in (best, *others)]
        left = [each.entry(rows, folds, reason) for each, reason in self._left]
        return Found(
            [*entries, nothing, *left], self._remarks + ([] if whole else ["the comparison was ended early by Ctrl-C"])
        )


def _repeated(folds: Sequence[Fold]) -> int:
    """How many folds there are before one holds out rows of an earlier one."""
    seen: set[int] = set()
    for number, (_, held) in enumerate(folds):
        if not seen.isdisjoint(held.tolist()):
            return number
        seen.update(held.tolist())
    return len(folds)
