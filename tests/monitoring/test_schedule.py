"""Whether the scheduled workflow trains today."""

from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from slipway.monitoring.decision import Decision
from slipway.monitoring.known_labels import add
from slipway.monitoring.outcomes import Outcomes
from slipway.monitoring.partitions import Log
from slipway.monitoring.schedule import tells, turn

NOW = datetime(2026, 11, 24, 4, 17)
TODAY = NOW.date()
WEEK = TODAY - timedelta(days=7)
LATER = TODAY - timedelta(days=6)
QUIET = Decision("quiet", ("Nothing moved beyond chance.",), False)
WORSE = Decision("worse", ("The loss is above its limit.",), True)
YOUNG = Decision("worse", ("The loss is above its limit.", "The last training was yesterday."), False)
BROKEN = Decision("broken", ("`bmi` is missing more often.",), False)


@pytest.mark.parametrize(
    "tried, decision, labelled, train, says",
    [
        (WEEK, WORSE, True, True, "The loss is above its limit."),
        (WEEK, QUIET, True, False, "Nothing moved beyond chance."),
        (LATER, YOUNG, True, False, "The loss is above its limit. The last training was yesterday."),
        (WEEK, BROKEN, False, False, "`bmi` is missing more often."),
        (WEEK, QUIET, False, True, "It is the weekly training: no label of the last 30 days says how good the answers are."),
        (
            LATER,
            QUIET,
            False,
            False,
            "The next training is on 2026-11-25: no label of the last 30 days says how good the answers are.",
        ),
        (WEEK, None, False, True, "It is the weekly training: no answered row is logged yet."),
        (None, None, False, True, "It is the weekly training: no answered row is logged yet."),
        (LATER, None, False, False, "The next training is on 2026-11-25: no answered row is logged yet."),
    ],
)
@pytest.mark.parametrize("weekday", range(7))
def test_production_decides_where_it_can_and_elsewhere_a_week_does(weekday, tried, decision, labelled, train, says):
    days = timedelta(days=weekday)
    found = turn("schedule", TODAY + days, decision, labelled, tried and tried + days)
    assert (found.train, found.reason) == (train, says.replace("2026-11-25", str(LATER + days + timedelta(days=7))))


@pytest.mark.parametrize("decision", [None, QUIET, BROKEN])
def test_who_starts_it_by_hand_gets_a_training(decision):
    found = turn("workflow_dispatch", TODAY, decision, True, TODAY)
    assert (found.train, found.reason) == (True, "It was started by hand.")


@pytest.mark.parametrize(
    "taken, labelled, age, told",
    [
        (0, 9, 90, True),
        (30, 9, 90, True),
        (31, 9, 90, False),  # they have ceased
        (-400, 9, 90, False),  # a wrong clock took them
        (1, 0, 29, True),  # those of this champion may be on their way
        (1, 0, 30, False),  # they are of other champions
        (None, 0, 1, False),
    ],
)
def test_labels_tell_while_they_come_and_the_champion_has_some(tmp_path, taken, labelled, age, told):
    log = Log(tmp_path)
    if taken is not None:
        add(log, Outcomes({("key", None): ("1", None)}, 1, ()), NOW - timedelta(days=taken), "o.csv")
    found = SimpleNamespace(at=NOW, losses=SimpleNamespace(labelled=labelled), trained=TODAY - timedelta(days=age))
    assert tells(log, found) is told
