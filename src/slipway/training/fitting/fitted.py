"""What a comparison is made of: one fit, what ignores all features, and a line of the leaderboard."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import ConvergenceWarning

from slipway.errors import TableError
from slipway.model.encoding import Encoding
from slipway.model.metrics import Scored
from slipway.table.schema import Columns
from slipway.training.data.labelled import Rows
from slipway.training.fitting.candidates import CANDIDATES, Blend, Trial
from slipway.training.fitting.target_means import learned_matrix
from slipway.training.measures.goal import Goal


@dataclass(frozen=True)
class Entry:
    """One line of the leaderboard.

    Parameters
    ----------
    trial : Trial or Blend or None
        None is the baseline that ignores all features.
    mean, error : float
        Mean of the metric over folds and its standard error.
    threshold : float or None
        Chosen on the out-of-fold probabilities of a binary problem.
    reason : str
        Why it is not eligible.
    answers : ndarray or None
        Of an eligible one: what it said of each training row, in their order, when it had not learned from it; NaN for a
        row that no fold held out.
    """

    trial: Trial | Blend | None
    mean: float
    error: float
    threshold: float | None = None
    reason: str = ""
    answers: np.ndarray | None = None


@dataclass(frozen=True)
class Fitted:
    """An estimator with its encoding; answers like the predictor, but through scikit-learn."""

    trial: Trial
    estimator: Any
    encoding: Encoding
    classes: int

    def matrix(self, columns: Columns) -> np.ndarray:
        with np.errstate(over="ignore"):  # beyond float32 is infinite, there as in a graph
            return self.encoding.encode(columns).astype(CANDIDATES[self.trial.candidate].dtype)

    @property
    def members(self) -> tuple[tuple["Fitted", float], ...]:
        return ((self, 1.0),)

    def scores(self, columns: Columns) -> np.ndarray:
        numbers = not hasattr(self.estimator, "predict_proba")
        ask = self.estimator.predict if numbers else self.estimator.predict_proba
        return self.scored(ask(self.matrix(columns)))

    def scored(self, answers: np.ndarray) -> np.ndarray:
        """The estimator's answers as the predictor gives them."""
        if not hasattr(self.estimator, "predict_proba"):
            raw: np.ndarray = answers.astype(np.float64)
            return np.expm1(raw) if self.trial.log_target else raw
        probabilities = np.zeros((len(answers), self.classes))
        probabilities[:, self.estimator.classes_] = answers  # a fold may lack a rare class
        return probabilities[:, 1] if self.classes == 2 else probabilities


@dataclass(frozen=True)
class Ready:
    """An entry that was fitted elsewhere, by a cluster.

    Parameters
    ----------
    entry : Entry
    twin, refit : Fitted
        Without the rows held out, and with them.
    of_twin, of_refit : int
        How many rows each learned from.
    """

    entry: Entry
    twin: Fitted
    refit: Fitted
    of_twin: int
    of_refit: int


@dataclass(frozen=True)
class Blended:
    """Several fitted estimators; answers the weighted sum."""

    trial: Blend
    members: tuple[tuple[Fitted, float], ...]

    def scores(self, columns: Columns) -> np.ndarray:
        total: np.ndarray = np.sum([weight * member.scores(columns) for member, weight in self.members], axis=0)
        return total


def fit(trial: Trial | Blend, rows: Rows, seed: int) -> Fitted | Blended:
    """Learn the encoding and the estimator from these rows, of a blend those of all its members."""
    return joined(trial, [fit_one(each, rows, seed) for each in trial.trials])


def joined(trial: Trial | Blend, members: Sequence[Fitted]) -> Fitted | Blended:
    """What answers for a trial, from the fits of its `trials`."""
    return Blended(trial, tuple(zip(members, trial.weights))) if isinstance(trial, Blend) else members[0]


def encoded(trial: Trial, rows: Rows) -> tuple[Encoding, np.ndarray, np.ndarray]:
    """The encoding learned from these rows, what it may learn of (0 and 1 for each of several classes), and the target."""
    y = np.log1p(rows.y) if trial.log_target else rows.y
    aims = np.eye(len(rows.classes))[rows.y] if rows.task == "multiclass" else y[:, None].astype(np.float64)
    return CANDIDATES[trial.candidate].preprocess(rows.schema, rows.columns, aims, trial.settings), aims, y


def begun(trial: Trial, rows: Rows, seed: int) -> tuple[Fitted, np.ndarray, np.ndarray]:
    """An estimator that is yet to be fitted, and the matrix and target for it."""
    candidate = CANDIDATES[trial.candidate]
    encoding, aims, y = encoded(trial, rows)
    fitted = Fitted(trial, candidate.estimator(rows.task, trial.settings, seed, encoding), encoding, len(rows.classes))
    return fitted, learned_matrix(encoding, rows.columns, aims, rows.kin, seed).astype(candidate.dtype), y


def fit_one(trial: Trial, rows: Rows, seed: int) -> Fitted:
    """Learn the encoding and the estimator from these rows."""
    fitted, matrix, y = begun(trial, rows, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the comparison judges what came out
        try:
            fitted.estimator.fit(matrix, y)
        except ValueError as error:  # of an estimator that a person brings
            told = f"the candidate {trial.candidate} cannot be fitted: {str(error).splitlines()[0]}"
            raise TableError(told, "A step before the estimator may be missing") from error
    return fitted


def stages(trial: Trial, learned: Rows, held: Rows, seed: int) -> dict[int, np.ndarray]:
    """What a trial says of the rows held out, by the number of iterations; 0 where there is none to be chosen."""
    if not trial.staged:
        return {0: fit(trial, learned, seed).scores(held.columns)}
    start, matrix, y = begun(trial, learned, seed)
    truth = np.log1p(held.y) if trial.log_target else held.y
    staged = CANDIDATES[trial.candidate].staged
    assert staged is not None
    answers = staged(start.estimator, matrix, y, start.matrix(held.columns), truth)
    return {iterations: start.scored(answer) for iterations, answer in answers}


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
