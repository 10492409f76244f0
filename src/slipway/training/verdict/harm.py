"""Does a challenger do harm that the mean over all rows hides: in a level, on production's newest rows, on the anchor set?

On each of these parts both models have a mean loss per row. One-sided tests ask whether the challenger's exceeds that of the
champion by more than a tolerance: Student's t of the paired differences, with rows that belong together summed up first (the
ratio estimator of cluster sampling; Cochran, "Sampling Techniques", 1977). Holm's correction (Scandinavian Journal of
Statistics 6, 1979) bounds the chance that any of them refuses a challenger which is within the tolerance everywhere. A test
that does not refuse proves nothing: there may be too few rows.

By luck a part may lack the champion's rare large losses, and with them their spread. So each test has one row more: of all
held-out rows the one that speaks most for the challenger. Gaffke's bound on a mean ("Three test statistics for a nonparametric
one-sided hypothesis on the mean of a nonnegative variable", 2005) has the largest possible value for the same reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from slipway.model.meeting import Harm
from slipway.model.metrics import Scored
from slipway.model.row_losses import deciding, losses_of
from slipway.report.numbers import aligned, counted, number
from slipway.training.measures.units import FEWEST_UNITS, Units

ALPHA = 0.05  # of refusing a challenger that is within the tolerance on all parts
TOLERANCE = 0.05  # of the champion's mean loss on the part
SPOKEN = 5  # sentences
WORDS = {"absolute_error": "absolute error", "log_loss": "log loss", "error": "error rate", "cost": "cost"}


@dataclass(frozen=True)
class Part:
    """Rows that neither model has learned from.

    Parameters
    ----------
    name : str
    challenger, champion : Scored
    units : Units
        Which of these rows belong together.
    """

    name: str
    challenger: Scored
    champion: Scored
    units: Units

    @property
    def testable(self) -> bool:
        return self.units.effective >= FEWEST_UNITS


def harms(parts: Sequence[Part], whole: Part, metric: str, confidence: float) -> tuple[Harm, ...]:
    """The parts that can be tested, the worst first; of the others `untested` tells.

    Parameters
    ----------
    parts : sequence of Part
    whole : Part
        All held-out rows that the models met on.
    metric : str
        Of the problem; it decides what the loss is.
    confidence : float
        Of the intervals.
    """
    loss = deciding(metric)
    held_out = _Paired(whole, loss)
    tested = [_Paired(part, loss) for part in parts if part.testable]
    ranked = _holm([each.chance(held_out) for each in tested])
    return tuple(tested[place].harm(chance, confidence) for place, chance in ranked)


class _Paired:
    """The losses of both models on the rows of a part."""

    def __init__(self, part: Part, loss: str) -> None:
        self.part, self.loss = part, loss
        labels = loss != "absolute_error"
        self.new, self.old = losses_of(part.challenger, labels)[loss], losses_of(part.champion, labels)[loss]
        self.excess = self.new - (1 + TOLERANCE) * self.old
        self.freedom = part.units.effective - 1

    def chance(self, whole: "_Paired") -> float:
        """The p-value of a mean excess above zero."""
        units = Units(np.append(self.part.units.of, len(self.part.units.sizes)))
        mean, error = _mean(np.append(self.excess, whole.excess.min(initial=0) * self.scale(whole)), units)
        return float(stdtr(self.freedom, -mean / error)) if error else 1.0  # all alike, and the added row is never above zero

    def scale(self, whole: "_Paired") -> float:
        """How large losses are here. Errors of numbers go with the level of the numbers; a wrong label is one anywhere."""
        usual = (whole.new + whole.old).mean()
        return float(min(1.0, (self.new + self.old).mean() / usual)) if self.loss == "absolute_error" and usual else 1.0

    def harm(self, chance: float, confidence: float) -> Harm:
        """What is told of it; the p-value is corrected."""
        more, error = _mean(self.new - self.old, self.part.units)
        half = float(stdtrit(self.freedom, (1 + confidence) / 2)) * error
        return Harm(
            name=self.part.name,
            rows=len(self.new),
            challenger=float(self.new.mean()),
            champion=float(self.old.mean()),
            low=more - half,
            high=more + half,
            chance=chance,
            refused=chance <= ALPHA,
        )


def _mean(values: np.ndarray, units: Units) -> tuple[float, float]:
    """The mean of the rows and its standard error, where units are drawn, not rows."""
    mean, number = values.mean(), len(units.sizes)
    residuals = np.bincount(units.of, values) - mean * units.sizes
    return float(mean), float(np.sqrt(number / (number - 1) * (residuals**2).sum()) / len(values))


def _holm(chances: Sequence[float]) -> list[tuple[int, float]]:
    """The places of these p-values in order, the smallest first, each with the corrected one."""
    places = np.argsort(chances, kind="stable")
    corrected = np.sort(chances) * np.arange(len(chances), 0, -1)
    return list(zip(places.tolist(), np.minimum(np.maximum.accumulate(corrected), 1).tolist()))


def told(found: Sequence[Harm], loss: str) -> list[str]:
    """A sentence for each part that refuses the challenger; one for all when none does."""
    refused = [harm for harm in found if harm.refused]
    if not refused:
        return [f"no harm was shown on {counted(len(found), 'part')} of the rows, which does not prove that there is none"]
    more = len(refused) - SPOKEN
    others = [f"harm on {more} more parts"] if more > 0 else []
    return [_sentence(harm, WORDS[loss]) for harm in refused[:SPOKEN]] + others


def untested(parts: Sequence[Part]) -> list[str]:
    """A sentence for all parts that cannot be tested; none where each can."""
    names = [f"{part.name} ({len(part.challenger.y):,} rows)" for part in parts if not part.testable]
    if not names:
        return []
    more = [f"{len(names) - SPOKEN} more"] if len(names) > SPOKEN else []
    return [f"not tested, because their rows are of too few groups or moments: {', '.join(names[:SPOKEN] + more)}"]


def _sentence(harm: Harm, loss: str) -> str:
    more, low, high = aligned([harm.challenger - harm.champion, harm.low, harm.high])
    return (
        f"harm on {harm.name}: {loss} {number(harm.challenger)} against the champion's {number(harm.champion)} on "
        f"{harm.rows:,} rows, {more} more ({low} to {high}): beyond the tolerance of {TOLERANCE:.0%}, and not by chance"
    )
