"""What a decision says of flags that come before the wobble of columns is known."""

from datetime import date, timedelta

import numpy as np
import pytest

from slipway.monitoring.decision import UNSURE, Evidence, decide
from slipway.monitoring.drift import CALIBRATED, Day, look
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


def evidence(found) -> Evidence:
    return Evidence(
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


@pytest.mark.parametrize("days, shift, told", [(5, 1.0, True), (CALIBRATED + 5, 1.0, False), (5, 0.0, False)])
def test_flags_of_the_first_weeks_are_told_to_be_unsure(days, shift, told):
    found, decision = decided(days, shift)
    assert bool(found.flagged) is (shift > 0) and decision.outcome == ("drift" if shift else "quiet")
    assert (UNSURE in decision.reasons) is told


def test_what_one_look_alone_suspects_is_named():
    columns, random = [number()], np.random.default_rng(1)
    seen = [Day(TODAY - timedelta(days=1), 2_000, [random.multinomial(2_000, shifted(1.0))])]
    found = look(columns, seen, [])
    decision = decide(evidence(found))
    assert decision.outcome == "quiet" and not decision.train
    assert decision.reasons == ("Suspected, until a look on another day confirms it: bmi.",)
