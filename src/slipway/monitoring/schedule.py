"""Whether a workflow that runs every day trains the next model today."""

from dataclasses import dataclass
from datetime import date

from slipway.monitoring.decision import Decision

SCHEDULE = "schedule"  # as GitHub calls the event
WEEKLY = 0  # Monday


@dataclass(frozen=True)
class Turn:
    """What is done today.

    Parameters
    ----------
    train : bool
    reason : str
        In a sentence.
    """

    train: bool
    reason: str


def turn(event: str, today: date, decision: Decision | None, labelled: bool) -> Turn:
    """What is done today.

    Production decides where it can: where answered rows are logged, and labels tell how good the answers were. Until then the
    next model is trained every week, because nothing else would ever ask for it.

    Parameters
    ----------
    event : str
        What started the workflow; all but a schedule is somebody who wants a training.
    today : date
        In UTC.
    decision : Decision or None
        Of today's look at production; None where nothing is logged.
    labelled : bool
        Whether the log has any label.
    """
    if event != SCHEDULE:
        return Turn(True, "It was started by hand.")
    if decision and (decision.train or decision.outcome == "broken"):
        return Turn(decision.train, " ".join(decision.reasons))
    if decision and labelled:
        return Turn(False, " ".join(decision.reasons))
    why = "no label says yet how good the answers are" if decision else "no answered row is logged yet"
    if today.weekday() == WEEKLY:
        return Turn(True, f"It is the weekly training: {why}.")
    return Turn(False, f"The next training is on Monday: {why}.")
