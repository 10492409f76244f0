"""One sentence for each flagged column: what grew, by how much, since when, and what it means for the model.

All names in it are those of training: nothing that a client sent is repeated.
"""

import numpy as np

from slipway.monitoring.bins import LABEL, SCORE, Column, Part
from slipway.monitoring.drift import Move
from slipway.report.numbers import brief, number, share

LOSS = {None: "the loss is not known yet", True: "the loss is worse", False: "the loss is within its limit"}
ANSWERS = {SCORE: "The answers", LABEL: "The answered labels"}


def sentence(move: Move, importance: float | None, answers: bool, worse: bool | None) -> str:
    """A flagged column in words: first what was refused, missing, out of range or unseen, then the shape.

    Parameters
    ----------
    move : Move
    importance : float or None
        The field's share of the importance of all fields; None for answers, or where it is not known.
    answers : bool
        Whether the answers are flagged, too.
    worse : bool or None
        Whether the loss has crossed its limit; None until enough labels arrived.
    """
    column = move.column
    of_answers = column.key in ANSWERS
    told = [*changes(move), f"since {move.since}"]
    if importance is not None:
        told.append(f"{share(importance)} of the importance")
    if not of_answers:
        told.append("the answers moved, too" if answers else "the answers did not move")
    told.append(LOSS[worse])
    name = ANSWERS[column.key] if of_answers else f"`{brief(column.name)}`"
    return f"{name}: {'; '.join(told)}."


def changes(move: Move) -> list[str]:
    """Each suspected part of a column: its share now, its share in the reference, and the effect in standard deviations."""
    suspected = (change for change in move.changes if change.suspected)
    return [f"{_change(change.part, move.column, move.counts)} ({change.effect:.2f} sd)" for change in suspected]


def _change(part: Part, column: Column, counts: np.ndarray) -> str:
    if part == "shape":
        apart = len(column.apart)
        return _of_levels(column, counts[apart:]) if column.levels else _of_numbers(column, counts[apart:])
    place = column.apart.index(part)
    now, then = counts[place] / counts.sum(), column.counts[place] / column.rows
    return f"{share(now)} {_meaning(part, column)}, {_reference(column, then)}"


def _meaning(part: Part, column: Column) -> str:
    if part in ("below", "above"):
        return f"{part} {number(column.edges[0 if part == 'below' else -1])}"
    return "of unseen levels" if part == "unseen" else part


def _reference(column: Column, then: float) -> str:
    return f"{share(then) if then else 'none'} {'on the hold-out' if column.key in ANSWERS else 'in training'}"


def _of_numbers(column: Column, counts: np.ndarray) -> str:
    """The run of bins that grew most, and the medians."""
    now, then = counts / counts.sum(), column.ordinary / column.ordinary.sum()
    first, last = grown(now - then)
    run = slice(first, last + 1)
    low, high = number(column.edges[first]), number(column.edges[last + 1])
    if first == 0:
        where = f"below {high}"
    elif last == len(counts) - 1:
        where = f"at {low} or more"
    else:
        where = f"from {low} to {high}"
    medians = f"median {number(_median(column, column.ordinary))} → {number(_median(column, counts))}"
    return f"{share(now[run].sum())} {where}, {_reference(column, then[run].sum())}, {medians}"


def grown(growth: np.ndarray) -> tuple[int, int]:
    """The first and the last of the adjacent bins that together grew most, at least one and not all, of two or more."""
    size = len(growth)
    sums = np.concatenate([[0.0], growth.cumsum()])
    runs = [(first, last) for first in range(size) for last in range(first, size) if last - first < size - 1]
    return max(runs, key=lambda run: sums[run[1] + 1] - sums[run[0]])


def _median(column: Column, counts: np.ndarray) -> float:
    """As if the rows of a bin were spread evenly in it."""
    return float(np.interp(counts.sum() / 2, np.concatenate([[0], counts.cumsum()]), column.edges))


def _of_levels(column: Column, counts: np.ndarray) -> str:
    """The level that grew most, and the most frequent one if it is another than it was."""
    now, then = counts / counts.sum(), column.ordinary / column.ordinary.sum()
    most = int((now - then).argmax())
    told = f"{share(now[most])} {brief(column.levels[most])}, {_reference(column, then[most])}"
    top, was = column.levels[now.argmax()], column.levels[then.argmax()]
    return told if top == was else f"{told}, most frequent {brief(was)} → {brief(top)}"
