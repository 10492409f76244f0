"""The gate: is the challenger better than the champion on rows that neither has seen?

Both answer the same hold-out rows; these are drawn again with replacement a thousand times (paired bootstrap, Efron and
Tibshirani, "An Introduction to the Bootstrap", 1993) and the metric of both is taken on each draw. The challenger is
promoted when its gain is at least the minimum gain and positive in the declared share of the draws.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from slipway.problem import Gate
from slipway.training.metrics import METRICS, Scored, value

DRAWS = 1_000
CELLS = 4_000_000
FEWEST = 10


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
    """

    outcome: str
    reasons: tuple[str, ...]

    @property
    def promoted(self) -> bool:
        return self.outcome == "promoted"

    def because(self, reason: str) -> "Verdict":
        """The same verdict with one more reason in front."""
        return Verdict(self.outcome, (reason, *self.reasons))

    def refused(self, reason: str) -> "Verdict":
        """The champion is kept whatever the figures say, for this reason, which comes first."""
        return replace(self, outcome="kept", reasons=(reason, *self.reasons))

    def to_json(self) -> dict[str, Any]:
        return {"outcome": self.outcome, "reasons": list(self.reasons)}


def interval(metric: str, scored: Scored, confidence: float, seed: int) -> Interval:
    """The metric with a two-sided bootstrap interval."""
    draws = np.concatenate([METRICS[metric].compute(scored, each) for each in _draws(len(scored.y), seed)])
    tail = (1 - confidence) / 2
    low, high = np.nanquantile(draws, [tail, 1 - tail])
    return Interval(value(metric, scored), float(low), float(high))


def judge(metric: str, challenger: Scored, champion: Scored | None, baseline: float, gate: Gate, seed: int) -> Verdict:
    """Decide on rows that neither model has seen.

    Parameters
    ----------
    metric : str
    challenger, champion : Scored
        On the same rows; `champion` is None when there is none to compare with.
    baseline : float
        The metric of a model that ignores all features.
    """
    sign = METRICS[metric].sign
    reached = value(metric, challenger)
    if len(challenger.y) < FEWEST:
        return Verdict("kept", (f"only {len(challenger.y)} rows are held out: too few to judge by",))
    if sign * (reached - baseline) <= 0:
        return Verdict(
            "kept", (f"{metric} {reached:.4g} is not better than {baseline:.4g} of a baseline that ignores all features",)
        )
    if gate.minimum is not None and sign * (reached - gate.minimum) < 0:
        return Verdict("kept", (f"{metric} {reached:.4g} misses the minimum of {gate.minimum:.4g}",))
    if champion is None:
        return Verdict("promoted", (f"{metric} {reached:.4g} on {len(challenger.y)} held-out rows (baseline {baseline:.4g})",))
    return _duel(metric, challenger, champion, gate, seed)


def _duel(metric: str, challenger: Scored, champion: Scored, gate: Gate, seed: int) -> Verdict:
    gains = drawn_gains(metric, challenger, champion, seed)
    new, old = value(metric, challenger), value(metric, champion)
    gain = METRICS[metric].sign * (new - old)
    better = float(np.mean(gains[~np.isnan(gains)] > 0))
    figures = (
        f"{metric} {new:.4g} against the champion's {old:.4g} on the same {len(challenger.y)} held-out rows: "
        f"gain {gain:.4g}, better in {better:.1%} of {len(gains):,} bootstrap draws"
    )
    if gain < gate.minimum_gain:
        return Verdict("kept", (figures, f"the gain is below gate.minimum_gain, {gate.minimum_gain:.4g}"))
    if better < gate.confidence:
        return Verdict("kept", (figures, f"below the required confidence of {100 * gate.confidence:g}%"))
    return Verdict("promoted", (figures,))


def drawn_gains(metric: str, one: Scored, other: Scored, seed: int) -> np.ndarray:
    """By how much `one` is better than `other`, on each bootstrap draw of the rows of both."""
    sign, compute = METRICS[metric].sign, METRICS[metric].compute
    return sign * np.concatenate([compute(one, weights) - compute(other, weights) for weights in _draws(len(one.y), seed)])


def _draws(rows: int, seed: int) -> Iterator[np.ndarray]:
    """Bootstrap weights, in blocks of (draws, rows) that stay small on large tables."""
    random = np.random.default_rng(seed)
    block = max(1, min(DRAWS, CELLS // rows))
    for start in range(0, DRAWS, block):
        size = min(block, DRAWS - start)
        drawn = random.integers(0, rows, (size, rows))
        flat = (drawn + np.arange(size)[:, None] * rows).ravel()
        yield np.bincount(flat, minlength=size * rows).reshape(size, rows).astype(np.float64)
