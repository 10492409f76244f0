"""Whether the model has become worse than it was on the hold-out, from the losses of labelled rows.

Two lower bounds of the mean loss are held against a limit, at half of the level each. Over all rows since the release: the
one-sided asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas ("Time-uniform central limit
theory and asymptotic confidence sequences", Annals of Statistics 2024, arXiv 2103.06476), which holds at all looks together,
however long one looks. Over the last 28 days, because a slow decay hides in a long mean: a normal bound for one look, at a
level that a year of daily looks shares.

Labels may be late, and early ones are not like the others: give days of which nearly all labels have come.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import msgspec
import numpy as np
from scipy.special import ndtri

from slipway.model.reference import Loss

ALPHA = 0.05  # of a false alarm: half of it in all the time after a release, half of it in a year of the last days
LOOKS = 365
TOLERANCE = 0.05  # of the hold-out's mean
UNSURE = 1.645  # standard errors of the hold-out's mean: it was lucky with at least as much only once in 20 times
FEWEST = 100  # rows: both bounds are of large samples
DAYS = 3  # with fewer nobody knows how much a day's mean wobbles
RECENT = 28  # days


class Tally(msgspec.Struct, frozen=True):
    """The losses of one day's labelled rows: how many there are, their sum, and the sum of their squares."""

    day: date
    rows: int
    total: float
    squares: float


@dataclass(frozen=True)
class Bound:
    """The mean loss of some days.

    Parameters
    ----------
    rows : int
    mean : float or None
        None without rows.
    low : float or None
        Its lower bound; None with too few rows for one.
    """

    rows: int
    mean: float | None
    low: float | None


@dataclass(frozen=True)
class LiveLoss:
    """The loss in production against what is allowed.

    Parameters
    ----------
    usual, allowed : float
        The mean on the hold-out, and the limit.
    release, recent : Bound
        Of all days since the release, and of the last 28.
    """

    usual: float
    allowed: float
    release: Bound
    recent: Bound

    @property
    def low(self) -> float | None:
        """The higher of the two lower bounds."""
        return max((bound.low for bound in (self.release, self.recent) if bound.low is not None), default=None)

    @property
    def crossed(self) -> bool:
        """Whether the model has become worse, beyond chance and tolerance."""
        return self.low is not None and self.low > self.allowed


def tally(day: date, losses: np.ndarray) -> Tally:
    """The losses of a day's rows, summed up."""
    return Tally(day, len(losses), float(losses.sum()), float((losses**2).sum()))


def live_loss(days: Sequence[Tally], usual: Loss, rows: int) -> LiveLoss:
    """What the days since the release say of one loss.

    Parameters
    ----------
    days : sequence of Tally
        In their order; days without labelled rows may be absent.
    usual : Loss
        On the hold-out.
    rows : int
        Of the hold-out.
    """
    recent = [day for day in days if days[-1].day - day.day < timedelta(RECENT)]
    everything = _array(days)
    lasts = everything[len(days) - len(recent) :]
    allowed = float(limit(usual.mean, usual.deviation, rows))
    return LiveLoss(usual.mean, allowed, _bound(everything, sequence(everything, rows)), _bound(lasts, last(lasts)))


def _array(days: Sequence[Tally]) -> np.ndarray:
    return np.array([(day.rows, day.total, day.squares) for day in days]).reshape(-1, 3)


def interval(days: Sequence[Tally]) -> tuple[float, float]:
    """The mean loss of these days' rows, to be read beside that of the hold-out (`usual_interval`): it decides nothing."""
    rows, mean, deviation = map(float, _moments(_array(days)))
    return usual_interval(Loss(mean, deviation), int(rows))


def usual_interval(loss: Loss, rows: int) -> tuple[float, float]:
    """The ends of the normal 90 % interval of a mean loss of so many rows."""
    margin = UNSURE * loss.deviation / np.sqrt(rows)
    return float(loss.mean - margin), float(loss.mean + margin)


def limit(mean: np.ndarray | float, deviation: np.ndarray | float, rows: int) -> np.ndarray:
    """What is allowed, from a loss on the hold-out: its mean, with a tolerance, and as much as the mean may be too low."""
    return np.asarray(mean * (1 + TOLERANCE) + UNSURE * deviation / np.sqrt(rows))


def _bound(days: np.ndarray, low: np.ndarray) -> Bound:
    rows, total, _ = days.sum(axis=0).tolist()
    return Bound(int(rows), total / rows if rows else None, float(low) if np.isfinite(low) else None)


def sequence(days: np.ndarray, tuned: int) -> np.ndarray:
    """The lower confidence sequence of the mean of all rows, an array without the last two axes; −inf with too few rows.

    Parameters
    ----------
    days : ndarray of shape (..., days, 3)
        Rows, sum of losses and sum of squares of each day.
    tuned : int
        At how many rows the bound is tightest. It must not depend on the losses; the size of the hold-out suits, because the
        limit is no surer than that.
    """
    rows, mean, deviation = _moments(days)
    level = ALPHA / 2
    # the paper's ρ for a two-sided level, which is twice a one-sided one
    twice = -2 * np.log(2 * level)
    scaled = rows * (twice + np.log(twice) + 1) / tuned
    width = deviation * np.sqrt(2 * (scaled + 1) / (rows * scaled) * np.log1p(np.sqrt(scaled + 1) / (2 * level)))
    return _where_enough(days, mean - width)


def last(days: np.ndarray) -> np.ndarray:
    """The lower bound of the mean of some days, for one of a year's daily looks; −inf with too few rows."""
    rows, mean, deviation = _moments(days)
    return _where_enough(days, mean + ndtri(ALPHA / 2 / LOOKS) * deviation / np.sqrt(rows))


def _where_enough(days: np.ndarray, low: np.ndarray) -> np.ndarray:
    rows = days[..., 0]
    found: np.ndarray = np.where((rows.sum(axis=-1) >= FEWEST) & ((rows > 0).sum(axis=-1) >= DAYS), low, -np.inf)
    return found


def _moments(days: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows, at least 1, mean and standard deviation of a row's loss.

    Rows of a day may be alike. If means differ from one day to the next by more than their rows explain, the deviation is as
    large as explains it.
    """
    rows, total, squares = np.moveaxis(days.sum(axis=-2), -1, 0)
    rows = np.maximum(rows, 1)
    mean = total / rows
    variance = np.maximum(squares / rows - mean**2, 0)
    return rows, mean, np.sqrt(np.maximum(variance, _from_day_to_day(days)))


def _from_day_to_day(days: np.ndarray) -> np.ndarray:
    """The variance of a row's loss that would explain how the mean differs between each day and the next, weighed by rows."""
    rows = np.maximum(days[..., 0], 1)
    means = days[..., 1] / rows
    weights = rows[..., :-1] * rows[..., 1:] / (rows[..., :-1] + rows[..., 1:])
    squares = (np.diff(means) ** 2 * weights**2).sum(axis=-1)
    variance: np.ndarray = squares / np.maximum(weights.sum(axis=-1), 0.5)  # 0.5 is the weight of one row against one
    return variance
