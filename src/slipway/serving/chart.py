"""The geometry of the bars of an answer, in per cent of the width of the chart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from slipway.model.explanation import Contributions
from slipway.report.numbers import number, places, share, signed

MOST = 10
THIN = 0.6


@dataclass(frozen=True)
class Bar:
    """One bar.

    Parameters
    ----------
    label, given, amount : str
        Name, what the row holds there, and the number in words.
    x, width : float
        Left edge and length, 0 to 100.
    rises : bool
    """

    label: str
    given: str
    amount: str
    x: float
    width: float
    rises: bool


@dataclass(frozen=True)
class Chart:
    """Diverging bars around a common zero; of a number, or of a probability in percentage points."""

    of: str
    probability: bool
    base: str
    result: str
    zero: float
    bars: tuple[Bar, ...]


def contribution_chart(found: Contributions, row: Mapping[str, Any], probability: bool) -> Chart:
    """The ten largest contributions and the sum of the others."""
    moved = [(name, _given(row.get(name)), amount) for name, amount in found.fields]
    if len(moved) > MOST + 1:
        rest = [amount for _, _, amount in moved[MOST:]]
        moved[MOST:] = [(f"{len(rest)} other fields", "", sum(rest))]
    amounts = [amount for _, _, amount in moved]
    low = min(0.0, *amounts)
    span = max(0.0, *amounts) - low or 1.0
    zero = -low / span * 100
    decimals = 1 if probability else min(places([found.base, found.result]), 6)
    bars = tuple(
        Bar(name, given, signed(100 * amount if probability else amount, decimals), *_extent(amount, span, zero), amount > 0)
        for name, given, amount in moved
    )
    base, result = (share(end) if probability else number(end, decimals) for end in (found.base, found.result))
    return Chart(found.of, probability, base, result, round(zero, 2), bars)


def probability_bars(classes: Sequence[str], probabilities: Sequence[float]) -> list[Bar]:
    """The ten most probable labels, the most probable first."""
    ranked = sorted(zip(classes, probabilities), key=lambda pair: -pair[1])[:MOST]
    return [Bar(label, "", share(value), 0, round(100 * value, 2), True) for label, value in ranked]


def _extent(amount: float, span: float, zero: float) -> tuple[float, float]:
    """Left edge and width; what is not nothing stays visible."""
    width = max(abs(amount) / span * 100, THIN) if amount else 0.0
    return round(zero if amount > 0 else zero - width, 2), round(width, 2)


def _given(value: str | int | float | None) -> str:
    return "missing" if value is None else value if isinstance(value, str) else f"{value:,}"
