"""The losses of two models on the same labelled rows of production: the paired difference, on rows that neither has learned.

What serves has learned all rows of its training, also those held out. It is compared only on rows that both are known not to
have learned; if these are too few, their twins are, on the rows that both held out.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow
from scipy.special import stdtrit

from slipway.errors import BundleError
from slipway.model.metrics import Scored
from slipway.model.predictor import Predictor
from slipway.model.row_losses import deciding, losses_of
from slipway.model.scoring import Answers
from slipway.monitoring.contender import Contender
from slipway.monitoring.learned import Learned
from slipway.monitoring.logged_rows import LoggedRows
from slipway.monitoring.tallies import truth_of
from slipway.table.schema import Columns

FEWEST = 30  # rows, and a third as many units: below, the interval means nothing
REFITS, TWINS = "what they serve", "their twins"


@dataclass(frozen=True)
class Difference:
    """The mean loss of two models on the same rows.

    Parameters
    ----------
    loss : str
        As in live.json.
    rows, units : int
        Units are rows with the same ids or of the same group, which say the same thing many times.
    before, after : float
        Of the champion and of the challenger.
    low, high : float
        The interval of `after` − `before`.
    """

    loss: str
    rows: int
    units: int
    before: float
    after: float
    low: float
    high: float


@dataclass(frozen=True)
class Rematch:
    """What labelled rows say.

    Parameters
    ----------
    labelled : int
        Rows that both answered, and whose label both know.
    who : str
        ``what they serve`` or ``their twins``.
    losses : tuple of Difference
        The one that decides first, then the cost, if there are costs.
    why : str
        Why there are none.
    """

    labelled: int
    who: str = ""
    losses: tuple[Difference, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Side:
    """A model that is compared, and its twin; None when that is not here."""

    contender: Contender
    twin: Predictor | None


def twin_of(contender: Contender) -> tuple[Predictor | None, str]:
    """The model that judged a bundle, or why there is none."""
    try:
        found = contender.bundle.twin()
        return (contender.predictor if found is contender.bundle else Predictor(found)), ""
    except BundleError as error:
        return None, str(error)


@dataclass
class Losses:
    """The losses of labelled rows so far: of what serves on rows new to both, and of the twins on rows that both held out.

    Parameters
    ----------
    sides : tuple of Side
        The champion and the challenger.
    learned : sequence of Learned
        What the two learned from.
    labelled : int
    enough : set of str
        Who has rows enough to be compared.
    units, found : mapping
        Who is compared → piece by piece the unit of each row, and the losses: an array of shape (names, 2, rows).
    """

    sides: tuple[Side, Side]
    learned: Sequence[Learned]
    labelled: int = 0
    enough: set[str] = field(default_factory=set)
    units: dict[str, list[np.ndarray]] = field(default_factory=lambda: {REFITS: [], TWINS: []})
    found: dict[str, list[np.ndarray]] = field(default_factory=lambda: {REFITS: [], TWINS: []})

    @property
    def names(self) -> tuple[str, ...]:
        """The loss that decides, and the cost if costs are declared and both answer the same labels."""
        one, other = (side.contender.predictor.model for side in self.sides)
        costs = other.costs is not None and one.classes == other.classes
        name = deciding(other.metric)
        name = "error" if name == "cost" and not costs else name
        return (name, "cost") if costs and name != "cost" else (name,)

    def add(self, rows: LoggedRows, labels: pyarrow.ChunkedArray, units: np.ndarray, answers: Sequence[Answers]) -> None:
        """Add labelled rows that both answered.

        Parameters
        ----------
        rows : LoggedRows
        labels : ChunkedArray of str
        units : ndarray of uint64
            Rows with the same number say the same thing.
        answers : sequence of Answers
            Of the champion and of the challenger, to these rows.
        """
        truths = [truth_of(labels, side.contender.predictor.classes) for side in self.sides]
        known = np.isfinite(truths[0]) & np.isfinite(truths[1])
        self.labelled += int(known.sum())
        new = known & np.all([each.is_new(rows) for each in self.learned], axis=0)
        self._keep(REFITS, new, units, truths, [scores_of(each) for each in answers])
        if REFITS in self.enough:
            return
        twins = [side.twin for side in self.sides if side.twin]
        held = known & np.all([each.held_out(rows) for each in self.learned], axis=0)
        if len(twins) == len(self.sides) and held.any():
            scores = [np.zeros_like(scores_of(each)) for each in answers]
            for twin, some, each in zip(twins, scores, answers):
                some[held] = twin.scores(_taken(each.columns, held))
            self._keep(TWINS, held, units, truths, scores)

    def _keep(
        self, who: str, chosen: np.ndarray, units: np.ndarray, truths: Sequence[np.ndarray], scores: Sequence[np.ndarray]
    ) -> None:
        models = [side.contender.predictor.model for side in self.sides]
        costs = models[1].costs or (1.0, 1.0)
        both = [
            losses_of(Scored(truth[chosen], some[chosen], model.threshold, costs), bool(model.classes))
            for truth, some, model in zip(truths, scores, models)
        ]
        found = np.array([[each[name] for each in both] for name in self.names])
        sound = np.isfinite(found).all(axis=(0, 1))
        self.units[who].append(units[chosen][sound])
        self.found[who].append(found[:, :, sound])
        if who not in self.enough:
            some = np.concatenate(self.units[who])
            if len(some) >= FEWEST and len(np.unique(some)) >= FEWEST // 3:
                self.enough.add(who)

    def result(self, confidence: float, why: str) -> Rematch:
        """What these rows say; `why` is what is said where there are too few."""
        for who in (REFITS, TWINS):
            if who in self.enough:
                units, named = np.concatenate(self.units[who]), zip(self.names, np.concatenate(self.found[who], axis=2))
                differences = tuple(difference(name, one, other, units, confidence) for name, (one, other) in named)
                return Rematch(self.labelled, who, differences)
        return Rematch(self.labelled, why=why or f"fewer than {FEWEST} of them are known to be new to both")


def difference(loss: str, before: np.ndarray, after: np.ndarray, units: np.ndarray, confidence: float) -> Difference:
    """The paired difference of two losses with its interval; rows of one unit count as much as they differ from each other.

    Source: the cluster-robust variance with its correction for few units, and the t distribution with one degree fewer than
    there are units (Cameron & Miller, "A practitioner's guide to cluster-robust inference", Journal of Human Resources 2015).

    Parameters
    ----------
    loss : str
    before, after : ndarray of shape (n,)
    units : ndarray of shape (n,)
    confidence : float
        Of the interval, 0 to 1.
    """
    gains = after - before
    of = np.unique(units, return_inverse=True)[1]
    sums = np.bincount(of, weights=gains - gains.mean())
    number = len(sums)
    error = np.sqrt(number / (number - 1) * (sums**2).sum()) / len(gains)
    half = float(stdtrit(number - 1, (1 + confidence) / 2) * error)
    mean = float(gains.mean())
    return Difference(loss, len(gains), number, float(before.mean()), float(after.mean()), mean - half, mean + half)


def scores_of(answers: Answers) -> np.ndarray:
    """Answers as the predictor gives them: numbers, P(positive), or the probability of each label."""
    shares = answers.probabilities
    if shares is None:
        numbers: np.ndarray = answers.values.astype(np.float64)
        return numbers
    return shares[:, 1] if shares.shape[1] == 2 else shares


def _taken(columns: Columns, chosen: np.ndarray) -> Columns:
    return {name: values[chosen] for name, values in columns.items()}
