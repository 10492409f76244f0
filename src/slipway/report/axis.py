"""An axis of a plot: where a value stands, and which values are written beside it without touching."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal
from unicodedata import east_asian_width

FONT = 12  # units of the plot; slipway.css has the same
GAP = 8  # least space between two labels
STEPS = (1, 2, 2.5, 5, 10)
SUFFIXES = ((1e9, "B"), (1e6, "M"))
LEAST = 1e-9  # of the values themselves: what differs by less is the same to a reader
EPOCH = date(1970, 1, 1)
MONTHS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200)
DAYS = (1, 2, 7, 14)

Kind = Literal["number", "whole", "share", "date"]
Tick = tuple[float, str]


@dataclass(frozen=True)
class Axis:
    """What one direction of a plot shows.

    Parameters
    ----------
    title : str
    low, high : float
        The ends; dates are days since 1970-01-01.
    kind : str
    """

    title: str
    low: float
    high: float
    kind: Kind = "number"

    @property
    def span(self) -> float:
        return (self.high - self.low) or 1.0


def spanning(title: str, values: list[float], kind: Kind = "number", zero: bool = False) -> Axis:
    """An axis that holds all of these, from zero on if asked; never of no length."""
    known = [value for value in values if math.isfinite(value)] or [0.0]
    low, high = min(known), max(known)
    if zero:
        low, high = min(low, 0.0), max(high, 0.0)
    if high - low <= LEAST * max(abs(low), abs(high), 1e-280):
        pad = max(1.0, LEAST * max(abs(low), abs(high)))
        low, high = low - (0.0 if zero and not low else pad), high + pad
    return Axis(title, low, high, kind)


def text_width(text: str) -> float:
    """A generous estimate of the width of a label, in units of the plot; fonts differ."""
    return sum(FONT if east_asian_width(sign) in "WF" else 0.62 * FONT for sign in text)


def shortened(text: str, room: float) -> str:
    """The start of a text that fits, with an ellipsis when it is cut."""
    if text_width(text) <= room:
        return text
    length = next(length for length in range(len(text), -1, -1) if text_width(text[:length] + "…") <= room or not length)
    return text[:length] + "…"


def ticks(axis: Axis, room: float, size: Callable[[str], float]) -> list[Tick]:
    """The most ticks at round values whose labels stand apart.

    Parameters
    ----------
    room : float
        Length of the axis in units of the plot.
    size : callable
        How much of this length a label takes.
    """
    found: list[Tick] = []
    for candidate in _choices(axis):
        places = [(value - axis.low) / axis.span * room for value, _ in candidate]
        sizes = [size(label) for _, label in candidate]
        apart = all(places[at + 1] - places[at] >= (sizes[at] + sizes[at + 1]) / 2 + GAP for at in range(len(candidate) - 1))
        if apart and len(found) < len(candidate) <= 7:
            found = candidate
    return found


def _choices(axis: Axis) -> Iterator[list[Tick]]:
    if axis.kind == "date":
        yield from _dates(axis)
        return
    magnitude = 10.0 ** math.floor(math.log10(axis.span))
    for step in (part * scale for scale in (magnitude / 10, magnitude) for part in STEPS):
        if axis.kind == "whole" and step % 1:
            continue
        first, last = math.ceil(axis.low / step - 1e-9), math.floor(axis.high / step + 1e-9)
        values = [number * step for number in range(first, last + 1)]
        yield list(zip(values, _labels(values, step, axis.kind)))


def _labels(values: list[float], step: float, kind: Kind) -> list[str]:
    """Labels with as many decimals as the step needs, so that no two are the same."""
    scale, suffix = (0.01, "\N{NO-BREAK SPACE}%") if kind == "share" else (1.0, "")
    largest = max(map(abs, values), default=0.0)
    if kind in ("number", "whole"):
        scale, suffix = next(((size, sign) for size, sign in SUFFIXES if largest >= size), (1.0, ""))
    if largest >= 1e15 or step < 1e-6:
        return [f"{value:.3g}".replace("-", "−") for value in values]
    step = float(f"{step / scale:.6g}")
    decimals = next((count for count in range(12) if round(step, count) == step), 12)
    return [
        f"{value / scale + 0.0:,.{decimals}f}".replace("-", "−") + (suffix if value or kind == "share" else "")
        for value in values
    ]


def _dates(axis: Axis) -> Iterator[list[Tick]]:
    """Every so many days, the first of every so many months."""
    for days in DAYS:
        if axis.span / days <= 12:
            first = math.ceil(axis.low / days) * days
            yield [(float(day), _day(day)) for day in range(first, math.floor(axis.high) + 1, days)]
    start, end = _month(axis.low), _month(axis.high)
    for months in MONTHS:
        if (end - start) / months <= 12:
            moments = list(range(-(-start // months) * months, end + 1, months))
            dated = [(float((date(number // 12, number % 12 + 1, 1) - EPOCH).days), number) for number in moments]
            label = "%Y" if months % 12 == 0 else "%Y-%m"
            yield [(day, date(at // 12, at % 12 + 1, 1).strftime(label)) for day, at in dated if axis.low <= day <= axis.high]


def _day(days: float) -> str:
    return (EPOCH + timedelta(days=days)).isoformat()


def _month(days: float) -> int:
    day = EPOCH + timedelta(days=math.floor(days))
    return day.year * 12 + day.month - 1
