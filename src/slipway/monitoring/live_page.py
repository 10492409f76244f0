"""live.html: what production says, on one page: is it alive, is it worse, what moved, what was decided."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup

from slipway.monitoring.decision import NAMES, importance_of
from slipway.monitoring.drift import Move
from slipway.monitoring.watched import Watched
from slipway.report import numbers
from slipway.report.frame import framed, templates_of
from slipway.table.faults import visible

STYLES = Path(__file__).parent / "templates" / "live.css"
WIDTH, HEIGHT = 120, 30
HEADLINES = {
    "quiet": "Nothing to do",
    "drift": "Columns moved",
    "worse": "The model has become worse",
    "broken": "What feeds the model is broken",
}
SUSPECTED, TRAIN = "Columns may have moved", "Time to train the next model"  # quiet, and yet something to know
DECISIONS = 20  # of the journal
DRAWN = 30  # levels: more bars than that are thinner than a line

_templates = templates_of("slipway.monitoring")
_templates.filters |= {"number": numbers.number, "share": numbers.share, "brief": numbers.brief, "visible": visible}
_templates.filters |= {"counted": numbers.counted, "last": numbers.last}


@dataclass(frozen=True)
class Line:
    """A column of the page's table.

    Parameters
    ----------
    name : str
    effect, floor : float
        In standard deviations; of the part that moved most.
    importance : float or None
    mark : str
        ``flagged``, ``suspected`` or empty.
    now, then : str
        Paths of a drawing of 120 × 30: bars of the window, steps of the reference.
    says : str
        The same for who cannot see it.
    """

    name: str
    effect: float
    floor: float
    importance: float | None
    mark: str
    now: str
    then: str
    says: str


def page(of: Watched, decisions: Sequence[Mapping[str, Any]] = ()) -> bytes:
    """The page, a file that needs nothing else.

    Parameters
    ----------
    of : Watched
    decisions : sequence of mapping
        Lines of the journal on earlier looks, the oldest first.
    """
    moves = sorted(of.look.moves, key=lambda move: (not move.flagged, not move.suspected, -move.effect)) if of.look else []
    rendered = _templates.get_template("live.html").render(
        of=of,
        headline=headline(of),
        lines=[_line(move, importance_of(move, of.importance)) for move in moves],
        traffic=_bars(np.array([day.rows for day in of.days])),
        decisions=list(reversed(decisions))[:DECISIONS],
        width=WIDTH,
        height=HEIGHT,
    )
    return framed(f"{visible(of.problem)}: production", Markup(rendered), STYLES.read_text(encoding="utf-8").strip())


def headline(of: Watched) -> str:
    """What was found, in a few words."""
    if of.decision.outcome == "quiet" and of.look and of.look.unconfirmed:
        return SUSPECTED
    if of.decision.outcome == "quiet" and of.decision.train:
        return TRAIN
    return HEADLINES[of.decision.outcome]


def _line(move: Move, importance: float | None) -> Line:
    column = move.column
    most = max(move.changes, key=lambda change: change.effect)
    now, then = _shares(move.counts[len(column.apart) :]), _shares(column.ordinary)
    name = numbers.brief(NAMES.get(column.key, column.name))
    elsewhere = numbers.share(float(np.abs(now - then).sum() / 2))
    if column.levels:
        now, then = _frequent(now, then)
    top = max(now.max(), then.max()) or 1.0
    mark = "flagged" if move.flagged else "suspected" if move.suspected else ""
    says = f"{name}: {elsewhere} of the rows are in other bins than in training"
    return Line(visible(name), most.effect, most.floor, importance, mark, _bars(now, top), _steps(then, top), visible(says))


def _shares(counts: np.ndarray) -> np.ndarray:
    found: np.ndarray = counts / max(counts.sum(), 1)
    return found


def _frequent(now: np.ndarray, then: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The most frequent levels in their order, and the rest in one."""
    rare = np.sort(np.argsort(-np.maximum(now, then), kind="stable")[DRAWN - 1 :])
    if len(rare) < 2:
        return now, then
    return np.append(np.delete(now, rare), now[rare].sum()), np.append(np.delete(then, rare), then[rare].sum())


def _bars(values: np.ndarray, top: float | None = None) -> str:
    """Bars side by side."""
    if not len(values):
        return ""
    top = top or float(values.max()) or 1.0
    step = WIDTH / len(values)
    heights = [HEIGHT * (1 - float(value) / top) for value in values]
    return "".join(f"M{place * step:.1f},{HEIGHT}V{y:.1f}h{step * 0.9:.1f}V{HEIGHT}" for place, y in enumerate(heights))


def _steps(values: np.ndarray, top: float) -> str:
    """One line over all of them."""
    step = WIDTH / len(values)
    heights = [HEIGHT * (1 - float(value) / top) for value in values]
    return f"M0,{heights[0]:.1f}" + "".join(f"V{y:.1f}h{step:.1f}" for y in heights)
