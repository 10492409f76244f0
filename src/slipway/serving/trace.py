"""The curves under the fields of the form: what a small drawing, a caption and a screen reader show of each."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from slipway.model.contents import Answer
from slipway.model.curves import Curve, Curves
from slipway.serving.chart import number, share
from slipway.table.faults import visible

WIDTH, HEIGHT = 100.0, 30.0
EDGE = 3.0  # free above the highest and below the lowest answer, so that a line is not cut


@dataclass(frozen=True)
class Column:
    """The bar of one level, in the units of the drawing."""

    x: float
    y: float
    width: float
    height: float
    here: bool


@dataclass(frozen=True)
class Trace:
    """One field's curve in a drawing of 100 × 30.

    Parameters
    ----------
    line : str
        Points of a polyline; empty for a category.
    columns : tuple of Column
        A bar for each level; empty for a number or a date.
    here : tuple of float or None
        Where the row stands on the line.
    caption : str
        The lowest and the highest answer.
    says : str
        The same for who cannot see it.
    points : str
        JSON: the value of each point as a control holds it, and its answer for reading.
    """

    line: str
    columns: tuple[Column, ...]
    here: tuple[float, float] | None
    caption: str
    says: str
    points: str


def traces(found: Curves, golden: Sequence[Answer], target: str) -> dict[str, Trace]:
    """The drawing of each curve by its field's name.

    All share a scale, from the lowest to the highest answer of golden rows and curves, so that a strong field looks strong.
    """
    usual = [answer["probabilities"][found.label] if found.label else answer["prediction"] for answer in golden]
    answers = [float(value) for value in usual] + [value for curve in found.fields for value in curve.answers]
    low, high = min(answers), max(answers)
    of = f"probability of {found.label}" if found.label else target
    return {curve.field.name: _trace(curve, low, high, of, bool(found.label)) for curve in found.fields}


def _trace(curve: Curve, low: float, high: float, of: str, probability: bool) -> Trace:
    shown = [share(value) if probability else number(value) for value in curve.answers]
    heights = [_height(value, low, high) for value in curve.answers]
    typed = [_typed(value) for value in curve.values]
    category = curve.field.type == "category"
    xs = [] if category else _across(curve.positions)
    told = range(len(typed)) if category else sorted({0, len(typed) - 1} | ({curve.here} if curve.here else set()))
    return Trace(
        line=" ".join(f"{x},{y}" for x, y in zip(xs, heights)),
        columns=_columns(heights, curve.here) if category else (),
        here=None if category or curve.here is None else (xs[curve.here], heights[curve.here]),
        caption=visible(_caption(curve, shown, typed if category else None)),
        says=visible(f"{of} by {curve.field.name}. {'; '.join(f'{typed[place]}: {shown[place]}' for place in told)}"),
        points=json.dumps(list(zip(typed, shown)), ensure_ascii=False),
    )


def _caption(curve: Curve, shown: Sequence[str], levels: Sequence[str] | None) -> str:
    least, most = curve.answers.index(min(curve.answers)), curve.answers.index(max(curve.answers))
    if shown[least] == shown[most]:
        return f"{shown[least]} for every {'level' if levels else 'value'}"
    if levels is None:
        return f"{shown[least]} to {shown[most]}"
    return f"{levels[least]} {shown[least]} to {levels[most]} {shown[most]}"


def _height(answer: float, low: float, high: float) -> float:
    """Distance from the top."""
    span = high - low
    part = (answer - low) / span if span > 0 else 0.5
    return round(HEIGHT - EDGE - part * (HEIGHT - 2 * EDGE), 2)


def _across(positions: Sequence[float]) -> list[float]:
    """Distances from the left."""
    low, span = positions[0], positions[-1] - positions[0]
    return [round(WIDTH * (value - low) / span, 2) for value in positions]


def _columns(heights: Sequence[float], here: int | None) -> tuple[Column, ...]:
    step = WIDTH / len(heights)
    gap = step / 5
    return tuple(
        Column(round(place * step + gap / 2, 2), y, round(step - gap, 2), round(HEIGHT - y, 2), place == here)
        for place, y in enumerate(heights)
    )


def _typed(value: float | int | str) -> str:
    return value if isinstance(value, str) else repr(value) if isinstance(value, int) else f"{value:.6g}"
