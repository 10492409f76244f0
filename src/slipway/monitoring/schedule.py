"""Whether a workflow that runs every day trains the next model today."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from pyarrow import compute

from slipway.monitoring.decision import COOL_DOWN, DAY, LONGEST, Decision
from slipway.monitoring.logged_rows import read_table
from slipway.monitoring.partitions import Log
from slipway.monitoring.watched import Watched

BY_HAND = "workflow_dispatch"  # as GitHub calls the event


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


def turn(event: str, today: date, decision: Decision | None, labelled: bool, tried: date | None) -> Turn:
    """What is done today.

    Production decides where it can: where answered rows are logged, and labels tell how good the answers are. Elsewhere the
    next model is trained every week, because nothing else would ever ask for it.

    Parameters
    ----------
    event : str
        What started the workflow; empty elsewhere than on GitHub.
    today : date
        In UTC.
    decision : Decision or None
        Of today's look at production; None where nothing is logged.
    labelled : bool
        Whether labels tell how good the answers are (`tells`).
    tried : date or None
        When a challenger was last judged, be it kept; None if nobody knows.
    """
    if event == BY_HAND:
        return Turn(True, "It was started by hand.")
    if decision and (decision.train or decision.outcome == "broken"):
        return Turn(decision.train, " ".join(decision.reasons))
    if decision and labelled:
        return Turn(False, " ".join(decision.reasons))
    why = "no label of the last 30 days says how good the answers are" if decision else "no answered row is logged yet"
    if tried is None or today - tried >= COOL_DOWN:
        return Turn(True, f"It is the weekly training: {why}.")
    return Turn(False, f"The next training is on {tried + COOL_DOWN}: {why}.")


def tells(log: Log, found: Watched) -> bool:
    """Whether labels tell how good the champion's answers are: some came in the last 30 days, and it has some.

    Those of a champion that is not 30 days old may still be on their way.

    Raises
    ------
    StoreError
        When the labels cannot be read.
    """
    today = found.at.date()
    return _come(log, today) and (found.losses.labelled > 0 or today - found.trained < LONGEST)


def _come(log: Log, today: date) -> bool:
    """Whether a label was taken in the last 30 days; one that a wrong clock took in the future was not."""
    first, until = (datetime.combine(day, time(), UTC) for day in (today - LONGEST, today + DAY))
    taken = (read_table(path, ["taken_at"]).column("taken_at") for path in log.labels())
    return any(
        compute.any(compute.and_(compute.greater_equal(each, first), compute.less(each, until))).as_py() for each in taken
    )
