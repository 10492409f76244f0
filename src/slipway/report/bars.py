"""Bars beside their names, in per cent of the width of their column, with the interval of each."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

THIN = 0.6


@dataclass(frozen=True)
class Measure:
    """What one bar is to show.

    Parameters
    ----------
    label, note, amount : str
        Name, what is said beside it, and the number in words.
    value, low, high : float
        The same, and its interval; without one, both are the value.
    marked : bool
        Whether it stands out.
    """

    label: str
    note: str
    amount: str
    value: float
    low: float
    high: float
    marked: bool = True


@dataclass(frozen=True)
class Bar:
    """A measure with its place: all but the measure in per cent of the width."""

    of: Measure
    x: float
    width: float
    low: float
    high: float


@dataclass(frozen=True)
class Bars:
    """Bars from a common zero.

    Parameters
    ----------
    head : tuple of str
        Of the columns of names and of amounts.
    rule : float or None
        Where a line crosses all bars, in per cent.
    """

    head: tuple[str, str]
    bars: tuple[Bar, ...]
    zero: float
    rule: float | None = None


def bars_of(head: tuple[str, str], measures: Sequence[Measure], rule: float | None = None) -> Bars:
    """Place measures; `rule` is a value to compare all with."""
    ends = [end for one in measures for end in (one.value, one.low, one.high) if math.isfinite(end)]
    ends += [0.0] if rule is None else [0.0, rule]
    low, high = min(ends), max(ends)
    span = (high - low) or 1.0

    def place(value: float) -> float:
        return round((min(max(value, low), high) - low) / span * 100, 2) if math.isfinite(value) else 0.0

    zero = place(0.0)
    return Bars(head, tuple(_bar(one, zero, place) for one in measures), zero, None if rule is None else place(rule))


def _bar(one: Measure, zero: float, place: Callable[[float], float]) -> Bar:
    end = place(one.value)
    width = max(abs(end - zero), THIN) if one.value else 0.0
    return Bar(one, round(min(zero, end), 2), round(width, 2), place(one.low), place(one.high))
