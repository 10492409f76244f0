"""The page at its largest: many columns, long names, many levels, all of them flagged, and twenty earlier looks."""

from datetime import date, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import pytest

from page import Page
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


def decided(found: Look) -> Decision:
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
        labelled=0,
    )
    return decide(evidence)


@pytest.mark.parametrize("part", ["shape", "missing"])
def test_it_stays_below_half_a_megabyte(part):
    found = looked(part)
    decision = decided(found)
    importance = {each.column.name: 1 / FIELDS for each in found.moves}
    of = Watched(
        problem="wide",
        bundle=SimpleNamespace(digest="0" * 64),
        at=datetime(2026, 11, 22, 6),
        days=(),
        look=found,
        losses=Losses("log_loss", Cohorts((), None), ()),
        loss=None,
        estimate={},
        importance=importance,
        decision=decision,
        trained=TODAY - timedelta(10),
        tried=TODAY - timedelta(10),
    )
    assert len(found.flagged) == len(of.sentences) == FIELDS
    noted = {"at": "2026-11-22T06:00:00", "outcome": decision.outcome, "reasons": list(decision.reasons)}
    made = page(of, [noted] * 20)
    assert len(made) <= 500_000, f"{len(made):,} bytes"
    Page(made.decode())
