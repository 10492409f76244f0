"""The page at its largest: many columns, long names, many levels, all of them flagged, and twenty earlier looks."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from page import Page
from slipway.monitoring import cohorts
from slipway.monitoring.bins import Column
from slipway.monitoring.cohorts import Cohorts
from slipway.monitoring.decision import Decision, Evidence, decide
from slipway.monitoring.drift import Day, Look, look
from slipway.monitoring.live_page import page
from slipway.monitoring.tallies import Losses
from slipway.monitoring.watched import Watched
from watched import LEVELS, number, shifted

FIELDS = 170
LONG = "measured_by_the_second_sensor_of_the_left_hand_side_" * 4
TODAY = date(2026, 11, 22)


def columns() -> list[Column]:
    """A quarter of them categories of 2,000 levels."""
    found = []
    for place in range(FIELDS):
        name = f"{LONG}{place:03}"
        if place % 4:
            found.append(number(name=name))
        else:
            levels = tuple(f"{LONG}{level}" for level in range(2_000))
            found.append(Column(f"field/{name}", name, LEVELS, np.array([0, 0, 0, *[5] * 2_000]), 10_000, levels=levels))
    return found


def counts(column: Column, part: str) -> np.ndarray:
    """A day on which a part of the column has grown, or its shape has moved."""
    if column.levels:
        found = np.where(np.arange(2_003) % 2, 10, 0)
    else:
        found = np.round(10_000 * shifted(1.0)).astype(int)
    if part != "shape":
        found[column.apart.index(part)] += 9_000
    return found


def looked(part: str) -> Look:
    """A second look that finds all of them moved."""
    watched = columns()
    days = [Day(TODAY - timedelta(back), 10_000, [counts(each, part) for each in watched]) for back in (2, 1)]
    return look(watched, days, [look(watched, days[:1]).suspects])


def decided(found: Look, labelled: int = 0) -> Decision:
    evidence = Evidence(
        today=TODAY,
        last=found.day,
        look=found,
        loss=None,
        importance={},
        trained=TODAY - timedelta(10),
        tried=TODAY - timedelta(10),
        known=True,
        learned=1_000,
        labelled=labelled,
    )
    return decide(evidence)


def watched(found: Look, labels: Sequence[cohorts.Day] = ()) -> Watched:
    losses = Losses("log_loss", Cohorts(tuple(labels), None), ())
    return Watched(
        problem="wide",
        bundle=SimpleNamespace(digest="0" * 64),
        at=datetime(2026, 11, 22, 6),
        days=(),
        look=found,
        losses=losses,
        loss=None,
        estimate={},
        importance={each.column.name: 1 / FIELDS for each in found.moves},
        decision=decided(found, losses.labelled),
        trained=TODAY - timedelta(10),
        tried=TODAY - timedelta(10),
    )


@pytest.mark.parametrize("part", ["shape", "missing"])
def test_it_stays_below_half_a_megabyte(part):
    of = watched(looked(part))
    decision = of.decision
    assert len(of.look.flagged) == len(of.sentences) == FIELDS
    noted = {"at": "2026-11-22T06:00:00", "outcome": decision.outcome, "reasons": list(decision.reasons)}
    made = page(of, [noted] * 20)
    assert len(made) <= 500_000, f"{len(made):,} bytes"
    Page(made.decode())


def first(shift: float, rows: int = 2_000) -> Look:
    """The first look at one column, on one day."""
    return look([number()], [Day(TODAY - timedelta(1), rows, [np.round(rows * shifted(shift)).astype(int)])])


def labels(day: int, labelled: int, matured: bool = False) -> cohorts.Day:
    return cohorts.Day(TODAY - timedelta(day), 800, labelled, matured)


def test_what_is_suspected_heads_the_page_and_ends_the_reasons():
    shown = page(watched(first(1.0), [labels(1, 800)])).decode()
    assert "<h1>Columns may have moved</h1>" in shown and "Nothing to do" not in shown
    assert "There are 800 new labelled rows. Suspected, until rows of another day confirm it: bmi." in shown
    assert "<th>bmi (suspected)</th>" in shown


@pytest.mark.parametrize("labelled, says", [(0, "Nothing to do"), (800, "Time to train the next model")])
def test_nothing_to_do_is_said_when_nothing_is(labelled, says):
    shown = page(watched(first(0.0), [labels(1, labelled)])).decode()
    assert f"<h1>{says}</h1>" in shown and "suspected)" not in shown


@pytest.mark.parametrize(
    "days, says",
    [
        ((), "Nobody knows until labels arrive."),
        ((labels(2, 0),), "Nobody knows until labels arrive."),
        ((labels(2, 799), labels(1, 1)), "Nobody knows yet. 800 rows with a label: a day counts once 90% of its labels have"),
        ((labels(2, 1, matured=True),), "Nobody knows. 1 row with a label, and none that can be compared with the hold-out."),
    ],
)
def test_it_says_why_nobody_knows_the_loss(days, says):
    assert says in page(watched(first(0.0), days)).decode()


def test_one_day_is_the_last_day():
    assert "2,000 rows of the last day, compared" in page(watched(first(0.0))).decode()
    assert "100 rows of the last day: too few to compare." in page(watched(first(0.0, rows=100))).decode()
