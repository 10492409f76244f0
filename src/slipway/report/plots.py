"""Plots as SVG text: lines, bands, dots, columns and rules between two axes, in the colours of slipway's look.

A plot is drawn on 340 units of width with a font of 12, so that it can be read on a phone as well as on paper. Everything
is coloured by class: ``look.css`` has the colours, and a strict content policy has nothing to refuse.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, Protocol

from markupsafe import Markup

from slipway.report.axis import FONT, Axis, shortened, text_width, ticks
from slipway.table.faults import visible

WIDTH, HEIGHT = 340, 230
TOP, BOTTOM, RIGHT = 26, 38, 14
DOT = 2.2

Shade = Literal["main", "quiet", "other"]
Points = Sequence[tuple[float, float]]


@dataclass(frozen=True)
class Frame:
    """The area between the axes, in units of the plot."""

    x: Axis
    y: Axis
    left: float
    right: float = WIDTH - RIGHT
    top: float = TOP
    bottom: float = HEIGHT - BOTTOM

    def across(self, value: float) -> float:
        """Where a value of the x axis stands; one beyond its ends at the end."""
        part = (min(max(value, self.x.low), self.x.high) - self.x.low) / self.x.span
        return round(self.left + part * (self.right - self.left), 1)

    def up(self, value: float) -> float:
        """Where a value of the y axis stands; one beyond its ends at the end."""
        part = (min(max(value, self.y.low), self.y.high) - self.y.low) / self.y.span
        return round(self.bottom - part * (self.bottom - self.top), 1)

    def path(self, points: Points) -> str:
        return " ".join(f"{'L' if at else 'M'}{self.across(x):g} {self.up(y):g}" for at, (x, y) in enumerate(points))


class Layer(Protocol):
    """Something drawn between the axes."""

    def draw(self, frame: Frame) -> Markup: ...


@dataclass(frozen=True)
class Line:
    """A line through points, with a dot at each if asked."""

    points: Points
    shade: Shade = "main"
    dots: bool = False

    def draw(self, frame: Frame) -> Markup:
        path = Markup('<path class="line {}" d="{}"/>').format(self.shade, frame.path(self.points))
        return path + Dots(self.points, self.shade, 3).draw(frame) if self.dots else path


@dataclass(frozen=True)
class Dots:
    points: Points
    shade: Shade = "main"
    radius: float = DOT

    def draw(self, frame: Frame) -> Markup:
        circle = Markup('<circle class="dot {}" cx="{:g}" cy="{:g}" r="{:g}"/>')
        return Markup("").join(circle.format(self.shade, frame.across(x), frame.up(y), self.radius) for x, y in self.points)


@dataclass(frozen=True)
class Band:
    """The area between a low and a high line: (x, low, high)."""

    points: Sequence[tuple[float, float, float]]

    def draw(self, frame: Frame) -> Markup:
        around = [(x, high) for x, _, high in self.points] + [(x, low) for x, low, _ in reversed(self.points)]
        return Markup('<path class="band" d="{}Z"/>').format(frame.path(around))


@dataclass(frozen=True)
class Whiskers:
    """An interval at each x: (x, low, high)."""

    points: Sequence[tuple[float, float, float]]

    def draw(self, frame: Frame) -> Markup:
        line = Markup('<path class="whisker" d="M{:g} {:g}V{:g}"/>')
        return Markup("").join(line.format(frame.across(x), frame.up(low), frame.up(high)) for x, low, high in self.points)


@dataclass(frozen=True)
class Columns:
    """A histogram: n + 1 edges, n heights."""

    edges: Sequence[float]
    heights: Sequence[float]
    shade: Shade = "main"

    def draw(self, frame: Frame) -> Markup:
        column = Markup('<rect class="column {}" x="{:g}" y="{:g}" width="{:g}" height="{:g}"/>')
        drawn = []
        for (left, right), height in zip(pairwise(map(frame.across, self.edges)), self.heights):
            top = frame.up(height)
            drawn.append(
                column.format(self.shade, left, top, max(round(right - left - 0.6, 1), 0.6), round(frame.bottom - top, 1))
            )
        return Markup("").join(drawn)


@dataclass(frozen=True)
class Rule:
    """A dashed line across the plot at one x, or at one y."""

    x: float | None = None
    y: float | None = None

    def draw(self, frame: Frame) -> Markup:
        if self.x is not None:
            return Markup('<path class="rule" d="M{:g} {:g}V{:g}"/>').format(frame.across(self.x), frame.top, frame.bottom)
        return Markup('<path class="rule" d="M{:g} {:g}H{:g}"/>').format(frame.left, frame.up(self.y or 0.0), frame.right)


def plot(title: str, description: str, x: Axis, y: Axis, layers: Sequence[Layer]) -> Markup:
    """The plot as an SVG element.

    Parameters
    ----------
    title, description : str
        What those hear who cannot see it.
    x, y : Axis
    layers : sequence
        The first is drawn first.
    """
    levels = ticks(y, HEIGHT - TOP - BOTTOM, lambda label: FONT)
    frame = Frame(x, y, left=max(map(text_width, (label for _, label in levels)), default=0.0) + 10)
    head = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img"><title>{}</title><desc>{}</desc>').format(
        WIDTH, HEIGHT, visible(title), visible(description)
    )
    return Markup("").join([head, _grid(frame), *(layer.draw(frame) for layer in layers), _titles(frame), Markup("</svg>")])


def _grid(frame: Frame) -> Markup:
    """Ticks with their labels; the outermost labels stay within the plot."""
    drawn = []
    for value, label in ticks(frame.y, frame.bottom - frame.top, lambda label: FONT):
        place = frame.up(value)
        drawn.append(Markup('<path class="grid" d="M{:g} {:g}H{:g}"/>').format(frame.left, place, frame.right))
        drawn.append(_text(frame.left - 6, place + 4, "end", label))
    for value, label in ticks(frame.x, frame.right - frame.left, text_width):
        place, half = frame.across(value), text_width(label) / 2
        drawn.append(Markup('<path class="grid" d="M{:g} {:g}v4"/>').format(place, frame.bottom))
        drawn.append(_text(min(max(place, half), WIDTH - half), frame.bottom + 17, "middle", label))
    drawn.append(Markup('<path class="base" d="M{:g} {:g}H{:g}"/>').format(frame.left, frame.bottom, frame.right))
    return Markup("").join(drawn)


def _titles(frame: Frame) -> Markup:
    """The title of y above the plot, that of x below it: no text is turned."""
    return _text(0, FONT, "start", frame.y.title, "axis") + _text(frame.right, HEIGHT - 4, "end", frame.x.title, "axis")


def _text(x: float, y: float, anchor: str, text: str, kind: str = "tick") -> Markup:
    text = visible(text)
    shown = shortened(text, x if anchor == "end" else WIDTH)
    full = Markup("<title>{}</title>").format(text) if shown != text else Markup("")
    place = Markup('<text class="{} {}" x="{:g}" y="{:g}">').format(kind, anchor, round(x, 1), round(y, 1))
    return place + full + shown + Markup("</text>")
