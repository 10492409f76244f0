"""What a decision says of flags that come before the wobble of columns is known, and of what one look alone suspects."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from slipway.monitoring.decision import UNSURE, Evidence, decide
from slipway.monitoring.drift import CALIBRATED, Day, look
from slipway.monitoring.loss import Bound, LiveLoss
from watched import number, shifted

TODAY = date(2026, 11, 22)


def decided(days: int, shift: float):
    """Two looks at so many days, the last two of them shifted by so many standard deviations."""
    columns, random = [number()], np.random.default_rng(1)
    drawn = [random.multinomial(2_000, shifted(shift if back <= 2 else 0)) for back in range(days, 0, -1)]
    seen = [Day(TODAY - timedelta(days - place), 2_000, [counts]) for place, counts in enumerate(drawn)]
    earlier = look(columns, seen[:-1], []).suspects
    found = look(columns, seen, [earlier] if earlier else [])
    return found, decide(evidence(found))


def evidence(found, **known) -> Evidence:
    usual = Evidence(
        today=TODAY,
        last=found.day,
        look=found,
        loss=None,
        importance={},
        trained=TODAY - timedelta(days=10),
        tried=TODAY - timedelta(days=10),
        known=True,
        learned=1_000,
        labelled=0,
    )
    return replace(usual, **known)


@pytest.mark.parametrize("days, shift, told", [(5, 1.0, True), (CALIBRATED + 5, 1.0, False), (5, 0.0, False)])
def test_flags_of_the_first_weeks_are_told_to_be_unsure(days, shift, told):
    found, decision = decided(days, shift)
    assert bool(found.flagged) is (shift > 0) and decision.outcome == ("drift" if shift else "quiet")
    assert (UNSURE in decision.reasons) is told


SUSPICION = "Suspected, until rows of another day confirm it: bmi."
MANY = "There are 800 new labelled rows."


def suspecting():
    """The first look at a column that has moved."""
    columns, random = [number()], np.random.default_rng(1)
    return look(columns, [Day(TODAY - timedelta(days=1), 2_000, [random.multinomial(2_000, shifted(1.0))])], [])


def test_what_one_look_alone_suspects_is_named():
    decision = decide(evidence(suspecting()))
    assert decision.outcome == "quiet" and not decision.train
    assert decision.reasons == (SUSPICION,)


@pytest.mark.parametrize(
    "known, outcome, reasons",
    [
        ({"labelled": 800}, "quiet", (MANY, SUSPICION)),
        (
            {"labelled": 800, "tried": TODAY},
            "quiet",
            (MANY, "The last training was on 2026-11-22: none before 2026-11-29.", SUSPICION),
        ),
        ({"doubts": ("Labels are late.",)}, "broken", ("Labels are late.", SUSPICION)),
        (
            {"loss": LiveLoss(1.0, 1.1, Bound(900, 2.0, 1.9), Bound(900, 2.0, 1.9))},
            "worse",
            ("The loss is above its limit: at least 1.900 on labelled rows; 1.100 is allowed, 1.000 usual.", SUSPICION),
        ),
    ],
)
def test_no_other_reason_hides_what_is_suspected(known, outcome, reasons):
    decision = decide(evidence(suspecting(), **known))
    assert (decision.outcome, decision.reasons) == (outcome, reasons)


def test_what_is_flagged_is_not_called_suspected_too():
    found, decision = decided(CALIBRATED + 5, 1.0)
    assert found.flagged and decision.outcome == "drift"
    assert not any(each.startswith("Suspected") for each in decision.reasons)
