"""A figure of the report: a drawing, what it means in a sentence, and its numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from slipway.model.contents import Estimate
from slipway.report.bars import Bars
from slipway.report.numbers import aligned


@dataclass(frozen=True)
class Table:
    """Texts in rows; the first column names the row, `numbers` are the columns that stand right."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numbers: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Confusion:
    """Counts by actual and answered class; `heat` is 0 to 5 by cell."""

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    heat: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Figure:
    """One figure.

    Parameters
    ----------
    title, sentence : str
    drawing : Markup, Bars, Table or Confusion
        A plot as SVG, or what the page draws as a table.
    key : tuple of (str, str)
        What each shade of a plot with several lines means.
    numbers : Table or None
        The numbers of a plot, where they are few.
    """

    title: str
    sentence: str
    drawing: Markup | Bars | Table | Confusion
    key: tuple[tuple[str, str], ...] = ()
    numbers: Table | None = None

    @property
    def kind(self) -> str:
        return "plot" if isinstance(self.drawing, Markup) else type(self.drawing).__name__.lower()


def estimated(one: Estimate) -> str:
    """A value and its interval: 4,297 (3,912 to 4,701)."""
    value, low, high = aligned([one.value, one.low, one.high])
    return f"{value} ({low} to {high})"


def numbered(head: Sequence[str], rows: Sequence[Sequence[str]], first: int = 0) -> Table:
    """A table whose columns from `first` on are numbers."""
    return Table(tuple(head), tuple(map(tuple, rows)), frozenset(range(first, len(head))))
