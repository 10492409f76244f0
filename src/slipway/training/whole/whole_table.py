"""All rows instead of the sample: whether a cluster's model is better, and the twin and the refit of one that is.

The candidate takes the settings of the sample's best boosting. Four fifths of the rows learned from tell how many rounds
and, against what the comparison said of the same rows of the sample, whether all of this was worth it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from slipway.model.metrics import METRICS
from slipway.problem import Problem
from slipway.training.comparison.speed import Speed
from slipway.training.data.dataset import Table
from slipway.training.data.labelled import Rows
from slipway.training.data.split import FEW, checks_of
from slipway.training.fitting.candidates import Trial
from slipway.training.fitting.fitted import Entry, Fitted, Ready, encoded
from slipway.training.fitting.xgboost_trees import USUAL, BoostedClasses, BoostedNumbers, aim_of
from slipway.training.whole.distributed import Grown, grown
from slipway.training.whole.encoded_rows import Part, RowEncoder
from slipway.training.whole.gain import Gain, gain_of

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

LEAVES = 31  # of a tree, at least: what the comparison found best for a sample may be few
NO_BETTER = "learned from all rows, and no better than the best of the sample"
UNTOLD = (
    "the cluster did not learn from all rows: of a fifth of the rows learned from, or of the others, there are too few to "
    "tell what that gains (few groups, few moments, or one class)"
)


@dataclass(frozen=True)
class Whole:
    """What came of learning from all rows.

    Parameters
    ----------
    said : list of str
        What a reader of the results must know.
    entry : Entry or None
        Its line of the leaderboard; None when the cluster learned nothing.
    models : Ready or None
        Twin and refit; None when the gain is not sure, or an answer would take too long.
    """

    said: list[str]
    entry: Entry | None = None
    models: Ready | None = None

    def placed(self, entries: Sequence[Entry]) -> list[Entry]:
        """The leaderboard with its line: the first, or among those that are not eligible."""
        own = [self.entry] if self.entry else []
        return [*own, *entries] if self.models else [*entries, *own]


def from_all_rows(problem: Problem, table: Table, entries: Sequence[Entry]) -> Whole:
    """Learn from all rows of the source, on its cluster, and compare with the best of the sample.

    Parameters
    ----------
    problem : Problem
    table : Table
        The sample.
    entries : sequence of Entry
        What the comparison found, the best first.

    Raises
    ------
    TableError
        When the cluster cannot be asked, or one of its workers fails.
    """
    assert table.checks is not None and entries[0].answers is not None
    checks = table.checks[table.used]
    if not _tells(table.learned.take(checks)) or not _tells(table.learned.take(~checks)):
        return Whole([UNTOLD])
    from slipway.sources.spark import SparkTable

    frame = SparkTable(problem).frame(_needed(problem, table))
    cluster = _Cluster(problem, table, _trial(entries), frame)
    first, made = cluster.fit(table.learned.take(~checks), Part(table.split, checks_of(table.split, table.rows.time)))
    answers = np.full(entries[0].answers.shape, np.nan)
    answers[checks] = first.scores(table.learned.take(checks).columns)
    gain = gain_of(table, entries[0].answers, answers, made.rows, problem.gate.confidence)
    reason = _too_slow(problem, table, first.trial) if gain.sure else NO_BETTER
    entry = _entry(table, entries[0], gain, first.trial, answers, reason)
    if not gain.sure:
        return Whole([str(gain)], entry)
    if reason:
        return Whole([f"{gain}, but {reason}: the model of the sample is kept"], entry)
    settled = replace(cluster, trial=first.trial)
    twin, of_twin = settled.fit(table.learned, Part(table.split))
    refit, of_refit = settled.fit(table.whole, Part(None))
    left_out = table.seen - of_refit.rows
    lost = [f"{left_out:,} of the {table.seen:,} rows were not learned from on the cluster"] if left_out > 0 else []
    return Whole([str(gain), *lost], entry, Ready(entry, twin, refit, of_twin.rows, of_refit.rows))


def _tells(rows: Rows) -> bool:
    """Whether there are enough rows to learn something from or to tell what was learned, and of more than one class."""
    return len(rows.y) >= FEW and (rows.task == "regression" or len(np.unique(rows.y)) > 1)


def _too_slow(problem: Problem, table: Table, trial: Trial) -> str:
    """Why its answers would take too long; empty when they do not."""
    estimated = Speed(table.learned).microseconds(trial)
    if estimated <= problem.serving.max_row_microseconds:
        return ""
    return f"a row would take about {estimated:,.0f} µs, more than serving.max_row_microseconds"


def _needed(problem: Problem, table: Table) -> set[str]:
    """The columns that a row is read and divided by."""
    away = table.anchor.named.named_by if table.anchor and table.anchor.named else ()
    return {*table.rows.schema.names, *table.split.needed, problem.target, *away}


def _trial(entries: Sequence[Entry]) -> Trial:
    """The settings of the sample's best boosting, with trees that are not small and as many rounds as turn out best."""
    known = [trial for entry in entries if entry.trial for trial in entry.trial.trials if trial.candidate == "boosting"]
    settings = {**USUAL, **(known[0].settings if known else {})}
    settings["max_leaf_nodes"] = max(LEAVES, settings["max_leaf_nodes"])
    del settings["max_iter"]
    return Trial("xgboost", settings, bool(known) and known[0].log_target)


def _entry(table: Table, best: Entry, gain: Gain, trial: Trial, answers: np.ndarray, reason: str) -> Entry:
    """Its metric is that of the sample's best and the gain over it: folds of the sample say nothing of all rows."""
    known = ~np.isnan(answers).reshape(len(answers), -1).any(axis=1)
    threshold = table.goal.threshold(table.rows.task, table.learned.y[known], answers[known])
    mean = best.mean + METRICS[gain.metric].sign * gain.estimate.value
    return Entry(trial, mean, gain.error, threshold, reason, None if reason else answers)


@dataclass(frozen=True)
class _Cluster:
    """Fits of one trial to the rows of a source, by what its sample says of them."""

    problem: Problem
    table: Table
    trial: Trial
    frame: "DataFrame"

    def fit(self, rows: Rows, part: Part) -> tuple[Fitted, Grown]:
        """Learn from a part of the source; the encoding and the scale are learned from these rows of the sample."""
        encoding, _, y = encoded(self.trial, rows)
        classes = len(rows.classes)
        aim, seed = aim_of(classes, y), self.table.goal.seed
        target = replace(self.table.target, rows=np.empty(0, dtype=bool), y=np.empty(0))  # it goes to every worker
        away = self.table.anchor.named if self.table.anchor else None
        encoder = RowEncoder(self.problem, target, encoding, aim, part, self.trial.log_target, away)
        made = grown(self.frame, encoder, self.trial.settings, seed)
        trial = replace(self.trial, settings={**self.trial.settings, "max_iter": made.rounds, "executors": made.executors})
        numbers = BoostedNumbers(trial.settings, seed, aim, made.booster)
        estimator = BoostedClasses(trial.settings, seed, aim, made.booster, np.arange(classes)) if classes else numbers
        return Fitted(trial, estimator, encoding, classes), made
