"""Whether the scheduled workflow trains today."""

from datetime import date, timedelta

import pytest

from slipway.monitoring.decision import Decision
from slipway.monitoring.schedule import turn

MONDAY = date(2026, 11, 23)
TUESDAY = MONDAY + timedelta(days=1)
QUIET = Decision("quiet", ("Nothing moved beyond chance.",), False)
WORSE = Decision("worse", ("The loss is above its limit.",), True)
YOUNG = Decision("worse", ("The loss is above its limit.", "The last training was yesterday."), False)
BROKEN = Decision("broken", ("`bmi` is missing more often.",), False)


@pytest.mark.parametrize(
    "today, decision, labelled, train, says",
    [
        (TUESDAY, WORSE, True, True, "The loss is above its limit."),
        (MONDAY, QUIET, True, False, "Nothing moved beyond chance."),
        (MONDAY, YOUNG, True, False, "The loss is above its limit. The last training was yesterday."),
        (MONDAY, BROKEN, False, False, "`bmi` is missing more often."),
        (MONDAY, QUIET, False, True, "It is the weekly training: no label says yet how good the answers are."),
        (TUESDAY, QUIET, False, False, "The next training is on Monday: no label says yet how good the answers are."),
        (MONDAY, None, False, True, "It is the weekly training: no answered row is logged yet."),
        (TUESDAY, None, True, False, "The next training is on Monday: no answered row is logged yet."),
    ],
)
def test_production_decides_once_it_can_and_before_that_mondays_do(today, decision, labelled, train, says):
    found = turn("schedule", today, decision, labelled)
    assert (found.train, found.reason) == (train, says)


@pytest.mark.parametrize("decision", [None, QUIET, BROKEN])
def test_who_starts_it_by_hand_gets_a_training(decision):
    found = turn("workflow_dispatch", TUESDAY, decision, True)
    assert (found.train, found.reason) == (True, "It was started by hand.")
