"""The curves under the fields of the form: what a small drawing, a caption and a screen reader show of each."""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from slipway.model.curves import Curve, Curves
from slipway.report.numbers import number, share
from slipway.table.faults import visible

WIDTH, HEIGHT = 100.0, 30.0
EDGE = 3.0  # free above the highest and below the lowest answer, so that a line is not cut


@dataclass(frozen=True)
class Trace:
    """One field's curve in a drawing of 100 × 30.

    Parameters
    ----------
    line : str
        Points of a polyline; empty for a category.
    steps : str
        Path of a dash for each level; empty for a number or a date.
    here : str
        Path of the row's own dot or dash; empty where it has none.
    caption : str
        The lowest and the highest answer.
    says : str
        The same for who cannot see it.
    points : str
        JSON: the value of each point as a control holds it, and its answer for reading.
    """

    line: str
    steps: str
    here: str
    caption: str
    says: str
    points: str


def traces(found: Curves, target: str) -> dict[str, Trace]:
    """The drawing of each curve by its field's name; all share a scale, so that a strong field looks strong."""
    answers = [value for curve in found.fields for value in curve.answers]
    of = f"probability of {found.label}" if found.label else target
    return {curve.field.name: _trace(curve, min(answers), max(answers), of, bool(found.label)) for curve in found.fields}


def _trace(curve: Curve, low: float, high: float, of: str, probability: bool) -> Trace:
    shown = [share(value) if probability else number(value) for value in curve.answers]
    heights = [_height(value, low, high) for value in curve.answers]
    typed = [_typed(value) for value in curve.values]
    last = len(typed) - 1
    if category := curve.field.type == "category":
        told = list(range(len(typed)))
        marks = _dashes(heights)
    else:
        told = sorted({0, last} | ({curve.here} if curve.here else set()))
        xs = _across(curve.positions)
        marks = [f"M{x},{y}h.01" for x, y in zip(xs, heights)]  # a dot, by its round end
    return Trace(
        line="" if category else " ".join(f"{x},{y}" for x, y in zip(xs, heights)),
        steps="".join(marks) if category else "",
        here="" if curve.here is None else marks[curve.here],
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


def _dashes(heights: Sequence[float]) -> list[str]:
    """One for each level, side by side."""
    step = WIDTH / len(heights)
    return [f"M{round((place + 0.15) * step, 2)},{y}h{round(0.7 * step, 2)}" for place, y in enumerate(heights)]


def _typed(value: float | int | str) -> str:
    return value if isinstance(value, str) else repr(value) if isinstance(value, int) else f"{value:.6g}"
