"""What to do: nothing, look at what moved, train again, or have a person repair what feeds the model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from slipway.monitoring.bins import LABEL, SCORE, Part
from slipway.monitoring.drift import Look, Move
from slipway.monitoring.loss import LiveLoss
from slipway.monitoring.plain_rule import Judged
from slipway.report.numbers import aligned, brief

Outcome = Literal["quiet", "drift", "worse", "broken"]
NAMES = {SCORE: "the answers", LABEL: "the answered labels"}
PIPE = {"refused", "missing"}  # what breaks in front of the model, and what no training cures
IMPORTANT = 0.05  # of the importance of all fields
NEW_LABELS = 0.2  # of the rows that the model learned from
LONGEST = timedelta(days=30)  # without a training
COOL_DOWN = timedelta(days=7)  # between two
NAMED = 8  # columns in one reason
UNSURE = "Not calibrated yet: how much columns differ from day to day by themselves is known after 21 days."
DAY = timedelta(days=1)
SILENT = timedelta(days=2)  # without an answered row, where there were some and none of the last pauses was as long


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
    trained, tried : date
        When the champion was decided, and when a challenger was last judged, be it kept.
    known : bool
        Whether an earlier look saw answered rows of this champion.
    learned, labelled : int
        Rows that it learned from, and labelled rows since.
    plain : Judged or None
        What became of `retrain_when`; None without one.
    doubts : tuple of str
        What speaks against learning from new labels (`slipway.monitoring.guards`).
    pause : timedelta
        The longest from one day with answered rows to the next: one day where there are some on every day.
    """

    today: date
    last: date | None
    look: Look | None
    loss: LiveLoss | None
    importance: Mapping[str, float]
    trained: date
    tried: date
    known: bool
    learned: int
    labelled: int
    plain: Judged | None = None
    doubts: tuple[str, ...] = ()
    pause: timedelta = DAY


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

    A broken pipe is told to a person and never trained on, and so are doubtful labels. A loss beyond its limit asks for
    training, and so does the plain rule of slipway.yaml; drift does only where it is of an important field and there are new
    labels to learn from. Many new labels do by themselves, and so does age. What is suspected is always told, after
    the rest, and flags of the first weeks are told to be unsure.
    """
    decision = _decided(of)
    if of.look and of.look.flagged and not of.look.calibrated:
        return replace(decision, reasons=(*decision.reasons, UNSURE))
    return decision


def _decided(of: Evidence) -> Decision:
    suspicion = _suspicion(of.look)
    if broken := _broken(of):
        return Decision("broken", _told(*broken, suspicion), False)
    if of.last is None:
        return Decision(
            "quiet", ("The champion answered no row on the last 28 whole days (UTC); those of today count tomorrow.",), False
        )
    flagged = of.look.flagged if of.look else ()
    worse = _worse(of)
    outcome: Outcome = "worse" if worse else "drift" if flagged else "quiet"
    told = {"worse": worse, "drift": f"Columns moved: {_named(flagged)}."}.get(outcome, "")
    wanted = _wanted(of, outcome, flagged)
    if not wanted:
        few = "They are of little importance, or there are too few new labels to learn from." if told else ""
        return Decision(outcome, _told(told, few, suspicion) or ("Nothing moved beyond chance.",), False)
    train = of.today - of.tried >= COOL_DOWN
    later = "" if train else f"The last training was on {of.tried}: none before {of.tried + COOL_DOWN}."
    return Decision(outcome, _told(told, wanted, later, suspicion), train)  # what asks for a training comes first


def _told(*reasons: str) -> tuple[str, ...]:
    """Those that say something, each once."""
    return tuple(dict.fromkeys(filter(None, reasons)))


def _broken(of: Evidence) -> list[str]:
    found = []
    heard = max(of.last, of.trained) if of.last else of.trained
    if (of.last or of.known) and of.today - heard > max(SILENT, of.pause + DAY):
        found.append(f"No row was answered, or logged, since {of.last}." if of.last else "No row was answered for 28 days.")
    for move in of.look.flagged if of.look else ():
        parts = [
            change.part for change in move.changes if change.suspected and change.part in PIPE and _grew(move, change.part)
        ]
        if parts:
            name = brief(move.column.name)
            found.append(f"`{name}` is {' and '.join(parts)} more often than in training: repair what sends it.")
    more = len(found) - NAMED
    return [*found[:NAMED], *([f"So are {more} more columns."] if more > 0 else []), *of.doubts]


def _worse(of: Evidence) -> str:
    """Why the model is called worse; empty if nothing says so."""
    limit = _crossed(of.loss) if of.loss and of.loss.crossed else ""
    return " ".join(filter(None, [limit, str(of.plain) if of.plain and of.plain.holds else ""]))


def _crossed(loss: LiveLoss) -> str:
    low, allowed, usual = aligned([loss.low or 0.0, loss.allowed, loss.usual])
    return f"The loss is above its limit: at least {low} on labelled rows; {allowed} is allowed, {usual} usual."


def _suspicion(found: Look | None) -> str:
    """What a look suspects and does not confirm; empty if nothing."""
    if not found or not found.unconfirmed:
        return ""
    return f"Suspected, until rows of another day confirm it: {_named(found.unconfirmed)}."


def _named(moves: Sequence[Move]) -> str:
    """The columns that moved most, and how many more there are."""
    most = sorted(moves, key=lambda move: -move.effect)[:NAMED]
    names = ", ".join(NAMES.get(move.column.key, brief(move.column.name)) for move in most)
    return f"{names} and {len(moves) - NAMED} more" if len(moves) > NAMED else names


def _grew(move: Move, part: Part) -> bool:
    """Whether a part has a larger share than in the reference; that a field is missing less often breaks nothing."""
    place = move.column.apart.index(part)
    return bool(move.counts[place] / move.counts.sum() > move.column.counts[place] / move.column.rows)


def _wanted(of: Evidence, outcome: Outcome, flagged: Sequence[Move]) -> str:
    """Why the next model should be trained; empty if nothing asks for it."""
    if outcome == "worse":
        return _worse(of)
    if flagged and _is_worth_it(of, flagged):
        return "They are important, and there are new labels to learn from."
    if _grown(of):
        return f"There are {of.labelled:,} new labelled rows."
    if of.labelled and of.today - of.trained >= LONGEST:
        return f"The model is {(of.today - of.trained).days} days old."
    return ""


def _is_worth_it(of: Evidence, flagged: Sequence[Move]) -> bool:
    return _grown(of) and any((importance_of(move, of.importance) or 0) >= IMPORTANT for move in flagged)


def _grown(of: Evidence) -> bool:
    return of.labelled > 0 and of.labelled >= NEW_LABELS * of.learned


def importance_of(move: Move, importance: Mapping[str, float]) -> float | None:
    """A field's share of the importance; None for the answers, which may have the name of a field."""
    return None if move.column.key in NAMES else importance.get(move.column.name)
