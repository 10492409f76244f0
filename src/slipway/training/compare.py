"""Cross-validation of every trial, in worker processes with one thread each, and the leaderboard.

One thread per fit makes the sums, and with them the bundle's digest, independent of the number of cores; all cores
are used by fitting several trials at once.
"""

import multiprocessing
import signal
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import ConvergenceWarning

from slipway.kinds import Task
from slipway.model.encoding import Encoding
from slipway.table.schema import Columns, Schema
from slipway.threads import one_thread
from slipway.training.candidates import CANDIDATES, Trial
from slipway.training.folds import Fold, folds
from slipway.training.metrics import METRICS, Scored, best_threshold, value
from slipway.training.target_means import learned_matrix

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Rows:
    """Training rows with a known target.

    Parameters
    ----------
    schema : Schema
    columns : Columns
    y : ndarray
        Numbers, or codes of classes.
    task : str
    classes : tuple of str
    kin : ndarray of int or None
        Rows with the same number belong together: no fold parts them. None when each stands alone.
    time : ndarray or None
        When each row was, where the problem says so; NaN where the row does not.
    """

    schema: Schema
    columns: Columns
    y: np.ndarray
    task: Task
    classes: tuple[str, ...]
    kin: np.ndarray | None = None
    time: np.ndarray | None = None

    def take(self, rows: np.ndarray) -> "Rows":
        columns = {name: column[rows] for name, column in self.columns.items()}
        kin = None if self.kin is None else self.kin[rows]
        time = None if self.time is None else self.time[rows]
        return Rows(self.schema, columns, self.y[rows], self.task, self.classes, kin, time)


@dataclass(frozen=True)
class Goal:
    """What a comparison optimises.

    Parameters
    ----------
    metric : str
    costs : tuple of float or None
        Declared costs of a false positive and a false negative; they choose the threshold.
    seed : int
    """

    metric: str
    costs: tuple[float, float] | None
    seed: int

    def scored(self, y: np.ndarray, scores: np.ndarray, threshold: float | None) -> Scored:
        return Scored(y, scores, threshold, self.costs or (1.0, 1.0))

    def threshold(self, task: str, y: np.ndarray, scores: np.ndarray) -> float | None:
        """The threshold for out-of-fold probabilities: least declared cost, else one half."""
        if task != "binary":
            return None
        return best_threshold(y, scores, self.costs) if self.costs else 0.5


@dataclass(frozen=True)
class Entry:
    """One line of the leaderboard.

    Parameters
    ----------
    trial : Trial or None
        None is the baseline that ignores all features.
    mean, error : float
        Mean of the metric over folds and its standard error.
    threshold : float or None
        Chosen on the out-of-fold probabilities of a binary problem.
    """

    trial: Trial | None
    mean: float
    error: float
    threshold: float | None = None


@dataclass(frozen=True)
class Fitted:
    """An estimator with its encoding; answers like the predictor, but through scikit-learn."""

    trial: Trial
    estimator: Any
    encoding: Encoding
    classes: int

    def matrix(self, columns: Columns) -> np.ndarray:
        return self.encoding.encode(columns).astype(CANDIDATES[self.trial.candidate].dtype)

    def scores(self, columns: Columns) -> np.ndarray:
        if not hasattr(self.estimator, "predict_proba"):
            raw: np.ndarray = self.estimator.predict(self.matrix(columns)).astype(np.float64)
            return np.expm1(raw) if self.trial.log_target else raw
        answers = self.estimator.predict_proba(self.matrix(columns))
        probabilities = np.zeros((len(answers), self.classes))
        probabilities[:, self.estimator.classes_] = answers  # a fold may lack a rare class
        return probabilities[:, 1] if self.classes == 2 else probabilities


def begun(trial: Trial, rows: Rows, seed: int) -> tuple[Fitted, np.ndarray, np.ndarray]:
    """The encoding learned from these rows, an estimator that is yet to be fitted, and the matrix and target for it."""
    candidate = CANDIDATES[trial.candidate]
    y = np.log1p(rows.y) if trial.log_target else rows.y
    aims = np.eye(len(rows.classes))[rows.y] if rows.task == "multiclass" else y[:, None].astype(np.float64)
    encoding = candidate.preprocess(rows.schema, rows.columns, aims, trial.settings)
    fitted = Fitted(trial, candidate.estimator(rows.task, trial.settings, seed, encoding), encoding, len(rows.classes))
    return fitted, learned_matrix(encoding, rows.columns, aims, rows.kin, seed).astype(candidate.dtype), y


def fit(trial: Trial, rows: Rows, seed: int) -> Fitted:
    """Learn the encoding and the estimator from these rows."""
    fitted, matrix, y = begun(trial, rows, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the comparison judges what came out
        fitted.estimator.fit(matrix, y)
    return fitted


def compare(rows: Rows, trials: Sequence[Trial], goal: Goal, jobs: int, progress: Progress) -> tuple[list[Entry], bool]:
    """Cross-validate all trials.

    Returns
    -------
    leaderboard : list of Entry
        The best first; the baseline is among them.
    whole : bool
        False when Ctrl-C ended the comparison early.

    Raises
    ------
    KeyboardInterrupt
        When Ctrl-C came before the first trial was done.
    """
    divided = folds(rows.y, len(rows.classes), rows.kin, rows.time, goal.seed)
    todo = [(trial, fold) for trial in range(len(trials)) for fold in range(len(divided))]
    answers: dict[int, dict[int, np.ndarray]] = {}
    whole = True
    try:
        for done, (trial, fold, scores) in enumerate(_run(todo, Work(rows, trials, divided, goal.seed), jobs), start=1):
            answers.setdefault(trial, {})[fold] = scores
            progress(done, len(todo), trials[trial].candidate)
    except KeyboardInterrupt:
        whole = False
    finished = {number: scores for number, scores in answers.items() if len(scores) == len(divided)}
    if not finished:
        raise KeyboardInterrupt
    entries = [_entry(trials[number], finished[number], rows, divided, goal) for number in sorted(finished)]
    entries.append(_entry(None, _baseline(rows, divided), rows, divided, goal))
    return sorted(entries, key=lambda entry: -METRICS[goal.metric].sign * entry.mean), whole


def _entry(trial: Trial | None, scores: dict[int, np.ndarray], rows: Rows, folds: list[Fold], goal: Goal) -> Entry:
    everything = np.concatenate([scores[fold] for fold in range(len(folds))])
    truth = np.concatenate([rows.y[held] for _, held in folds])
    threshold = goal.threshold(rows.task, truth, everything)
    values = [
        value(goal.metric, goal.scored(rows.y[held], scores[number], threshold)) for number, (_, held) in enumerate(folds)
    ]
    known = [each for each in values if not np.isnan(each)]  # some metrics say nothing of a fold that lacks a rare class
    return Entry(trial, float(np.mean(known)), float(np.std(known, ddof=1) / np.sqrt(len(known))), threshold)


def _baseline(rows: Rows, folds: list[Fold]) -> dict[int, np.ndarray]:
    return {number: baseline(rows.take(learned), len(held)) for number, (learned, held) in enumerate(folds)}


def baseline(rows: Rows, number: int) -> np.ndarray:
    """What scikit-learn's dummy answers `number` rows: the mean of the target, or the frequency of each class."""
    nothing = np.zeros((number, 1))
    if rows.task == "regression":
        means: np.ndarray = DummyRegressor().fit(np.zeros((len(rows.y), 1)), rows.y).predict(nothing)
        return means
    dummy = DummyClassifier(strategy="prior").fit(np.zeros((len(rows.y), 1)), rows.y)
    answers = np.zeros((number, len(rows.classes)))
    answers[:, dummy.classes_] = dummy.predict_proba(nothing)
    return answers[:, 1] if rows.task == "binary" else answers


def baseline_scored(rows: Rows, y: np.ndarray, goal: Goal) -> Scored:
    """The baseline of these training rows on rows with the targets `y`, with the threshold that costs it least."""
    own = goal.threshold(rows.task, rows.y, baseline(rows, len(rows.y)))
    return goal.scored(y, baseline(rows, len(y)), own)


@dataclass(frozen=True)
class Work:
    """What all fits share."""

    rows: Rows
    trials: Sequence[Trial]
    folds: list[Fold]
    seed: int


_shared: list[Work] = []  # one of them, while a comparison lasts


def _share(work: Work) -> None:
    _shared[:] = [work]


def _start_worker(work: Work) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    one_thread()  # for the life of this process
    _share(work)


def _fit_fold(job: tuple[int, int]) -> tuple[int, int, np.ndarray]:
    (work,), (trial, fold) = _shared, job
    learned, held = work.folds[fold]
    fitted = fit(work.trials[trial], work.rows.take(learned), work.seed)
    return trial, fold, fitted.scores(work.rows.take(held).columns)


def _run(todo: list[tuple[int, int]], work: Work, jobs: int) -> Iterator[tuple[int, int, np.ndarray]]:
    if jobs == 1:
        _share(work)
        yield from map(_fit_fold, todo)
        return
    pool = ProcessPoolExecutor(jobs, _context(), _start_worker, (work,))
    try:
        for future in as_completed([pool.submit(_fit_fold, job) for job in todo]):
            yield future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _context() -> BaseContext:
    """Fork from a server that has the libraries loaded; Windows has none and starts afresh."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    return context
