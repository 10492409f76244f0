"""What to do: nothing, look at what moved, train again, or have a person repair what feeds the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from slipway.monitoring.bins import LABEL, SCORE
from slipway.monitoring.drift import Look, Move
from slipway.monitoring.loss import LiveLoss

Outcome = Literal["quiet", "drift", "worse", "broken"]
NAMES = {SCORE: "the answers", LABEL: "the answered labels"}
PIPE = {"refused", "missing"}  # what breaks in front of the model, and what no training cures
IMPORTANT = 0.05  # of the importance of all fields
NEW_LABELS = 0.2  # of the rows that the model learned from
LONGEST = timedelta(days=30)  # without a training
COOL_DOWN = timedelta(days=7)  # between two
SILENT = timedelta(days=2)  # without an answered row, where there were some


@dataclass(frozen=True)
class Evidence:
    """What a decision rests on.

    Parameters
    ----------
    today : date
    last : date or None
        The last day with answered rows.
    look : Look or None
        At the columns; None without rows.
    loss : LiveLoss or None
        None without labels.
    importance : mapping of str to float
        Field → its share of the importance of all.
    trained : date
        When the champion was decided.
    learned, labelled : int
        Rows that it learned from, and labelled rows since.
    """

    today: date
    last: date | None
    look: Look | None
    loss: LiveLoss | None
    importance: Mapping[str, float]
    trained: date
    learned: int
    labelled: int


@dataclass(frozen=True)
class Decision:
    """The outcome.

    Parameters
    ----------
    outcome : str
    reasons : tuple of str
        Why, in sentences.
    train : bool
        Whether the next model should be trained now.
    """

    outcome: Outcome
    reasons: tuple[str, ...]
    train: bool


def decide(of: Evidence) -> Decision:
    """The decision, by rules in the order of their weight.

    A broken pipe is told to a person and never trained on. A loss beyond its limit asks for training; drift does only where
    it is of an important field and there are new labels to learn from.
    """
    if of.last is None:
        return Decision("quiet", ("No row was answered on the last 28 whole days.",), False)
    if broken := _broken(of):
        return Decision("broken", tuple(broken), False)
    flagged = of.look.flagged if of.look else ()
    names = ", ".join(NAMES.get(move.column.key, move.column.name) for move in flagged)
    if of.loss and of.loss.crossed:
        return _unless_recent(of, "worse", "The loss is above its limit.")
    if flagged and _is_worth_it(of, flagged):
        return _unless_recent(of, "drift", f"Important columns moved ({names}), and there are new labels to learn from.")
    if flagged:
        why = f"Columns moved ({names}). They are of little importance, or there are too few new labels to learn from."
        return Decision("drift", (why,), False)
    if _grown(of):
        return _unless_recent(of, "quiet", f"There are {of.labelled:,} new labelled rows.")
    if of.labelled and of.today - of.trained >= LONGEST:
        return Decision("quiet", (f"The model is {(of.today - of.trained).days} days old.",), True)
    return Decision("quiet", ("Nothing moved beyond chance.",), False)


def _broken(of: Evidence) -> list[str]:
    found = []
    if of.last and of.today - of.last > SILENT:
        found.append(f"No row was answered, or logged, since {of.last}.")
    for move in of.look.flagged if of.look else ():
        parts = [change.part for change in move.changes if change.suspected and change.part in PIPE]
        if parts:
            found.append(f"`{move.column.name}` is {' and '.join(parts)} more often than in training: repair what sends it.")
    return found


def _is_worth_it(of: Evidence, flagged: Sequence[Move]) -> bool:
    return _grown(of) and any(of.importance.get(move.column.name, 0) >= IMPORTANT for move in flagged)


def _grown(of: Evidence) -> bool:
    return of.labelled > 0 and of.labelled >= NEW_LABELS * of.learned


def _unless_recent(of: Evidence, outcome: Outcome, why: str) -> Decision:
    """With a training, unless one is too recent to have more to learn from."""
    age = of.today - of.trained
    if age >= COOL_DOWN:
        return Decision(outcome, (why,), True)
    ends = of.trained + COOL_DOWN
    return Decision(outcome, (why, f"The model is from {of.trained}: the next is trained from {ends} on."), False)
