"""How many rows of a large table are worth learning from: a learning curve tells.

One estimator is fitted to twice as many rows again and again; the last training rows by hash, which none of these fits
has seen, measure what each doubling gains. A gain that is not above its own error (the standard deviation over bootstrap
draws of these rows) ends the curve, and the rows reached by then are learned from.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from slipway.model.metrics import METRICS, Scored, value
from slipway.report.numbers import number
from slipway.training.data.dataset import Table
from slipway.training.data.labelled import Rows
from slipway.training.data.sample import WHOLE
from slipway.training.fitting.candidates import Trial, learner
from slipway.training.fitting.fitted import fit
from slipway.training.measures.goal import Goal
from slipway.training.measures.resampling import significant
from slipway.training.measures.units import single
from slipway.training.verdict.gate import drawn_gains

START = WHOLE // 2
CHECKED = 20_000


@dataclass(frozen=True)
class Doubling:
    """What twice as many rows gained.

    Parameters
    ----------
    rows : int
        After the doubling.
    gain, error : float
        In units of the metric; above zero is better.
    """

    rows: int
    gain: float
    error: float

    def __str__(self) -> str:
        gain, error = (number(significant(one, 2)) for one in (self.gain, self.error))
        return f"doubling from {self.rows // 2:,} gained {gain} ± {error}"

    @property
    def useful(self) -> bool:
        return self.gain > self.error


@dataclass(frozen=True)
class Worth:
    """How many rows are worth learning from.

    Parameters
    ----------
    table : Table
        With as many training rows as are useful.
    said : list of str
        What a reader of the results must know of that.
    more : bool
        Whether the source has more rows than the sample, and nothing says that they are of no use.
    """

    table: Table
    said: list[str]
    more: bool = False


def worth_learning(table: Table, candidates: Sequence[str], log_target: bool) -> Worth:
    """As many training rows as are useful; of a table of up to 100,000 rows all that the sample has."""
    more = len(table.target.rows) < table.seen
    if len(table.held) <= WHOLE and table.seen <= WHOLE:
        return Worth(table, [], more)
    steps = doublings(table.learned, table.goal, learner(candidates, table.rows.task, log_target))
    if steps and not steps[-1].useful:
        chosen = np.nonzero(table.used)[0][: steps[-1].rows]
        used = np.zeros_like(table.used)
        used[chosen] = True
        return Worth(replace(table, used=used), [_said(len(chosen), table, steps)])
    said = _said(int(table.used.sum()), table, steps)
    if more:
        twice = 2 * len(table.target.rows) * len(table.frame.columns)
        said += f", and sample.cells holds no more; {twice:,} would be twice as many, and twice the memory"
    return Worth(table, [said], more)


def _said(rows: int, table: Table, steps: Sequence[Doubling]) -> str:
    return f"learned from {rows:,} of {table.seen:,} rows" + (f": {steps[-1]} of {table.goal.metric}" if steps else "")


def doublings(rows: Rows, goal: Goal, trial: Trial) -> list[Doubling]:
    """The learning curve on rows in the order of their hashes, up to the first doubling that gains nothing."""
    checked = rows.take(np.arange(len(rows.y) - CHECKED, len(rows.y))) if len(rows.y) > 2 * START + CHECKED else None
    found, size, before = [], 2 * START, None
    while checked is not None and size + CHECKED <= len(rows.y):
        before = before or _scored(rows, size // 2, checked, goal, trial)
        after = _scored(rows, size, checked, goal, trial)
        gain = METRICS[goal.metric].sign * (value(goal.metric, after) - value(goal.metric, before))
        found.append(
            Doubling(size, gain, float(np.nanstd(drawn_gains(goal.metric, after, before, goal.seed, single(CHECKED)))))
        )
        if not found[-1].useful:
            break
        size, before = 2 * size, after
    return found


def _scored(rows: Rows, size: int, checked: Rows, goal: Goal, trial: Trial) -> Scored:
    scores = fit(trial, rows.take(np.arange(size)), goal.seed).scores(checked.columns)
    return goal.scored(checked.y, scores, goal.threshold(rows.task, checked.y, scores))
