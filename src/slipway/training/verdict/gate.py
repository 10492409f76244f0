"""The gate: is the challenger better than the champion on rows that neither has seen?

Both answer the same hold-out rows; these are drawn again with replacement a thousand times (paired bootstrap, Efron and
Tibshirani, "An Introduction to the Bootstrap", 1993), those that belong together at once (`measures/units.py`), and the
metric of both is taken on each draw. The challenger is promoted when its gain is at least the minimum gain, and so sure that a
model which is not better seldom shows it: how seldom it must be depends on the looks before (`verdict/looks.py`).
Without a champion it meets the baseline in the same way, and must also do better than with the targets in random order.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
from scipy.special import ndtr, stdtr

from slipway.model.meeting import Harm, Meeting
from slipway.model.metrics import METRICS, Scored, value
from slipway.report.numbers import number
from slipway.sections import Gate
from slipway.training.measures.goal import Goal
from slipway.training.measures.units import CELLS, DRAWS, FEWEST_UNITS, Units, single
from slipway.training.verdict.looks import Look

FEWEST_SHUFFLES = 199
FEWEST = 10
LISTED = 20  # parts; verdict.json is committed
ROUNDING = 1e-12  # relative: sums in another order differ by so much


@dataclass(frozen=True)
class Interval:
    """A metric's value on the hold-out and its percentile interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} ({self.low:.4g} to {self.high:.4g})"


@dataclass(frozen=True)
class Verdict:
    """What the gate decided.

    Parameters
    ----------
    outcome : str
        ``promoted`` or ``kept``.
    reasons : tuple of str
        With the numbers they rest on.
    meeting : Meeting or None
        These numbers; None when the challenger met nobody.
    look : Look or None
        What the meeting used of the hold-out, for the journal.
    doubted : bool
        Whether the first reason says that the numbers cannot be trusted.
    """

    outcome: str
    reasons: tuple[str, ...]
    meeting: Meeting | None = None
    look: Look | None = None
    doubted: bool = False

    @property
    def promoted(self) -> bool:
        return self.outcome == "promoted"

    def because(self, reason: str) -> "Verdict":
        """The same verdict with one more reason in front."""
        return replace(self, reasons=(reason, *self.reasons))

    def refused(self, reason: str) -> "Verdict":
        """The champion is kept whatever the figures say, which this reason, the first, casts doubt on."""
        return replace(self, outcome="kept", reasons=(reason, *self.reasons), doubted=True)

    def weighed(self, loss: str, parts: Sequence[Harm], says: Sequence[str]) -> "Verdict":
        """The same with what parts of the rows say, the worst first; kept when one of them refuses the challenger."""
        assert self.meeting is not None
        met = msgspec.structs.replace(self.meeting, loss=loss, parts=len(parts), harms=tuple(parts[:LISTED]))
        outcome = "kept" if any(part.refused for part in parts) else self.outcome
        return replace(self, outcome=outcome, reasons=(*self.reasons, *says), meeting=met)

    def advising(self, advice: str) -> "Verdict":
        """The same verdict with what to do at its end."""
        return replace(self, reasons=(*self.reasons, advice))

    def to_json(self) -> dict[str, Any]:
        """``outcome``, ``reasons`` and, if there was a meeting, its ``figures``; ``doubted`` where it is so."""
        figures = {"figures": msgspec.to_builtins(self.meeting)} if self.meeting else {}
        return {"outcome": self.outcome, "reasons": list(self.reasons)} | figures | ({"doubted": True} if self.doubted else {})


def interval(metric: str, scored: Scored, confidence: float, seed: int, units: Units) -> Interval:
    """The metric with a two-sided bootstrap interval."""
    draws = np.concatenate([METRICS[metric].compute(scored, each) for each in units.draws(seed)])
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(draws, [tail, 1 - tail])
    return Interval(value(metric, scored), float(low), float(high))


def judge(
    goal: Goal,
    challenger: Scored,
    champion: Scored | None,
    baseline: Scored,
    gate: Gate,
    look: Look,
    units: Units | None = None,
) -> Verdict:
    """Decide on rows that neither model has seen.

    Parameters
    ----------
    goal : Goal
    challenger, champion, baseline : Scored
        On the same rows; `champion` is None when there is none to compare with, and the baseline takes its place.
    gate : Gate
    look : Look
        What this training is allowed.
    units : Units, optional
        Which of these rows belong together; by default each stands alone.
    """
    units = units or single(len(challenger.y))
    if len(challenger.y) < FEWEST:
        return Verdict("kept", (f"only {len(challenger.y)} rows are held out: too few to judge by",))
    if units.effective < FEWEST_UNITS:
        return Verdict("kept", (f"the {len(challenger.y):,} held-out rows are of too few groups or moments to judge by",))
    if np.isnan(value(goal.metric, challenger)):
        return Verdict("kept", (f"{goal.metric} cannot be measured on {len(challenger.y)} rows that are all of one class",))
    met = _meeting(goal, challenger, champion, baseline, gate, look, units)
    reasons = (_told(met), *_disagreement(met))
    refusal = _refusal(met, value(goal.metric, baseline), gate, look)
    if refusal:
        return Verdict("kept", (*reasons, refusal), met, look)
    return Verdict("promoted", (*reasons, f"{_chances(met)}; {_claim(look)}"), met, look)


def _meeting(
    goal: Goal, challenger: Scored, champion: Scored | None, baseline: Scored, gate: Gate, look: Look, units: Units
) -> Meeting:
    metric, rival = goal.metric, baseline if champion is None else champion
    gains = drawn_gains(metric, challenger, rival, goal.seed, units)
    new, old = value(metric, challenger), value(metric, rival)
    gain, tail = METRICS[metric].sign * (new - old), (1 - gate.confidence) / 2
    chance = _chance(gain, gains, units.effective)
    if champion is None and chance <= look.allowed:  # else it is kept anyway, and need not wait for a thousand shuffles
        chance = max(chance, shuffled_chance(metric, challenger, goal.seed, units))
    low, high = np.nanquantile(gains, [tail, 1 - tail])
    return Meeting(
        metric=metric,
        rival="baseline" if champion is None else "champion",
        rows=len(challenger.y),
        challenger=new,
        against=old,
        gain=gain,
        low=float(low),
        high=float(high),
        confidence=gate.confidence,
        chance=chance,
        allowed=look.allowed,
        yearly=look.yearly,
        look=look.number,
        worse=_worse(metric, challenger, baseline),
    )


def _chance(gain: float, gains: np.ndarray, units: float) -> float:
    """How likely such a gain is without being better: by the share of bootstrap draws, and by Student's t with their spread.

    The larger of both: draws alone are too sure on few units, and cannot tell a chance of 1 in 10,000.
    """
    known = gains[~np.isnan(gains)]
    if gain <= 0 or not len(known):
        return 1.0
    share, spread = float(np.mean(known <= 0)), float(known.std()) * np.sqrt(units / (units - 1))
    return max(share, float(stdtr(units - 1, -gain / spread))) if spread else share


def shuffled_chance(metric: str, scored: Scored, seed: int, units: Units) -> float:
    """How likely targets in random order score as well (permutation test).

    Exact for a model whose answers have nothing to do with the target, whatever the metric and however few the rows
    (Phipson and Smyth, "Permutation p-values should never be zero", 2010), and nearly so where units differ in size.
    Beyond what the draws of single rows can show: the normal tail.
    """
    random, sign = np.random.default_rng(seed), METRICS[metric].sign
    times = max(FEWEST_SHUFFLES, min(DRAWS, CELLS // len(scored.y)) - 1)
    drawn = sign * np.array([value(metric, replace(scored, y=units.shuffled(scored.y, random))) for _ in range(times)])
    reached = sign * value(metric, scored)
    as_good = int((drawn >= reached - ROUNDING * abs(reached)).sum())
    share = (1 + as_good) / (1 + times)
    if as_good or not drawn.std():
        return share
    return min(share, float(ndtr((drawn.mean() - reached) / drawn.std())))


def _worse(metric: str, challenger: Scored, baseline: Scored) -> tuple[str, ...]:
    """The other metrics, if the challenger is worse than the baseline by all of them."""
    telling: tuple[str, ...] = ("accuracy", "log_loss", "brier")
    if challenger.scores.ndim == 2:
        telling = ("accuracy", "balanced_accuracy", "log_loss")
    elif challenger.threshold is None:
        telling = ("mae", "rmse")
    others = tuple(name for name in telling if name != metric)
    worse = all(METRICS[name].sign * (value(name, challenger) - value(name, baseline)) < 0 for name in others)
    return others if worse else ()


def _refusal(met: Meeting, baseline: float, gate: Gate, look: Look) -> str:
    """Why the challenger is not promoted; empty when it is."""
    sign = METRICS[met.metric].sign
    if sign * (met.challenger - baseline) <= 0:
        return f"not better than a baseline that ignores all features, {number(baseline)}"
    if gate.minimum is not None and sign * (met.challenger - gate.minimum) < 0:
        return f"misses gate.minimum, {number(gate.minimum)}"
    if met.rival == "champion" and met.gain < 0:
        return "worse than the champion"
    if met.rival == "champion" and met.gain < gate.minimum_gain:
        return f"the gain is below gate.minimum_gain, {number(gate.minimum_gain)}"
    return "" if met.chance <= met.allowed else f"not certain enough: {_chances(met)}; {_claim(look)}"


def _told(met: Meeting) -> str:
    rival = "the champion's" if met.rival == "champion" else "the baseline's"
    return (
        f"{met.metric} {number(met.challenger)} against {rival} {number(met.against)} on the same {met.rows:,} held-out rows: "
        f"gain {number(met.gain)} ({number(met.low)} to {number(met.high)})"
    )


def _chances(met: Meeting) -> str:
    return (
        f"the probability of a gain this large by chance is {percent(met.chance)}; this training allows {percent(met.allowed)}"
    )


def _claim(look: Look) -> str:
    earlier = f" ({look.kept or 'none'} of the earlier ones ended with kept)" if look.number > 1 else ""
    if look.yearly is None:
        return (
            f"comparison {look.number} this year{earlier}, counting only those known on this machine, because {look.unknown}: "
            "the yearly limit on false promotions is not guaranteed"
        )
    return f"comparison {look.number} this year{earlier}; false promotions are limited to {percent(look.yearly)} in a year"


def _disagreement(met: Meeting) -> Iterator[str]:
    if met.worse:
        *first, last = met.worse
        names = f"{', '.join(first)} and {last}" if first else last
        yield f"but worse than the baseline by {names}"


def percent(share: float) -> str:
    """Two significant digits, or that it is less than 0.01% or more than 99%."""
    if share < 1e-4:
        return "below 0.01%"
    return "above 99%" if 0.99 < share < 1 else "100%" if share == 1 else f"{100 * share:.2g}%"


def drawn_gains(metric: str, one: Scored, other: Scored, seed: int, units: Units) -> np.ndarray:
    """By how much `one` is better than `other`, on each bootstrap draw of the units of both."""
    sign, compute = METRICS[metric].sign, METRICS[metric].compute
    return sign * np.concatenate([compute(one, weights) - compute(other, weights) for weights in units.draws(seed)])
