"""Probabilities made true by what the chosen settings said of rows that they had not learned from."""

from math import sqrt

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from slipway.model.contents import Calibration, Estimate
from slipway.model.evaluation import Recalibration
from slipway.model.metrics import TINY
from slipway.model.predictor import calibrated
from slipway.training.data.labelled import Rows
from slipway.training.fitting.fitted import Entry
from slipway.training.measures.goal import Goal
from slipway.training.measures.resampling import deviations

FOLDS = 10
FEWEST = 100
SURE = 0.9  # two-sided: a gain by chance passes in 5 % of trainings


def recalibrated(entry: Entry, learned: Rows, goal: Goal) -> tuple[Calibration | None, Recalibration | None]:
    """The calibration of an entry of a binary problem, and what that was decided by; None where nothing was tried."""
    if learned.task != "binary" or entry.answers is None:
        return None, None
    return decided(learned.y, entry.answers, goal.seed)


def calibrated_threshold(entry: Entry, learned: Rows, goal: Goal, calibration: Calibration | None) -> float | None:
    """The threshold of an entry on the scale of its calibrated probabilities."""
    if calibration is None or entry.answers is None:
        return entry.threshold
    known = ~np.isnan(entry.answers)
    return goal.threshold(learned.task, learned.y[known], calibrated(entry.answers[known], calibration))


def decided(y: np.ndarray, answers: np.ndarray, seed: int) -> tuple[Calibration | None, Recalibration | None]:
    """The calibration, if it lowers the log loss by more than chance explains.

    Slope and shift of the logit are fitted to nine tenths of the rows and measured on the tenth, each tenth in turn.

    Parameters
    ----------
    y : ndarray of shape (n,)
        1 is positive.
    answers : ndarray of shape (n,)
        Out-of-fold probabilities; NaN where there is none.

    Returns
    -------
    calibration : Calibration or None
        Fitted to all rows; None when it does not help, or there are too few rows to tell.
    recalibration : Recalibration or None
        What it was decided by; None when it was not tried.
    """
    known = ~np.isnan(answers)
    y, answers = y[known].astype(np.int64), answers[known]
    if np.bincount(y, minlength=2).min() < FEWEST // 2:
        return None, None
    after = np.empty(len(y))
    for learned, held in StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(answers, y):
        after[held] = calibrated(answers[held], _fitted(y[learned], answers[learned]))
    gains = _losses(y, answers) - _losses(y, after)
    gain = float(gains.mean())
    error = deviations(SURE) * float(gains.std(ddof=1)) / sqrt(len(gains))
    chosen = _fitted(y, answers) if gain > error else None
    return chosen, Recalibration(
        method="logit" if chosen else "",
        before=float(_losses(y, answers).mean()),
        after=float(_losses(y, after).mean()),
        gain=Estimate(gain, gain - error, gain + error),
    )


def _fitted(y: np.ndarray, answers: np.ndarray) -> Calibration | None:
    """Slope and shift of the greatest likelihood; rows of which the model is entirely sure cannot move."""
    inner = (answers > 0) & (answers < 1)
    y, inside = y[inner], answers[inner]
    if len(np.unique(y)) < 2 or len(np.unique(inside)) < 2:
        return None
    logits = np.log(inside) - np.log1p(-inside)
    fitted = LogisticRegression(C=np.inf).fit(logits[:, None], y)
    slope, shift = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    return Calibration(slope, shift) if slope > 0 else None


def _losses(y: np.ndarray, answers: np.ndarray) -> np.ndarray:
    return np.asarray(-np.log(np.clip(np.where(y == 1, answers, 1 - answers), TINY, 1)))
