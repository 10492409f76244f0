"""retrain_when: the newest labelled rows that are enough are judged, fewer are not."""

from datetime import date, timedelta

import pytest

from slipway.kinds import Comparison
from slipway.monitoring.cohorts import Day
from slipway.monitoring.decision import Evidence, decide
from slipway.monitoring.plain_rule import Judged, newest

RULE = Comparison("accuracy", "<", 0.68)
DAYS = (date(2026, 11, 18), date(2026, 11, 19))


ON = "on the newest 412 labelled rows (2026-11-18 to 2026-11-19)."


def day(place: int, labelled: int) -> Day:
    return Day(date(2026, 11, 1) + timedelta(place), 1_000, labelled, True)


@pytest.mark.parametrize("counts, taken", [([500, 150, 60, 10], 3), ([500, 150, 200], 1), ([20, 30], 2), ([], 0)])
def test_the_newest_days_that_are_enough(counts, taken):
    days = [day(place, labelled) for place, labelled in enumerate(counts)]
    assert newest(days) == tuple(days[len(days) - taken :])
    assert newest([*days, day(9, 0)]) == newest(days)


@pytest.mark.parametrize(
    "rows, value, holds, says",
    [
        (
            412,
            0.6412,
            True,
            f"retrain_when: accuracy < 0.68: accuracy is 0.6412 {ON}",
        ),
        (
            412,
            0.7,
            False,
            f"retrain_when: accuracy < 0.68: accuracy is 0.7 {ON}",
        ),
        (199, None, False, "retrain_when: accuracy < 0.68 was not judged: 199 labelled rows, fewer than 200."),
        (300, None, False, "retrain_when: accuracy < 0.68 was not judged: the newest 300 labelled rows do not tell accuracy."),
    ],
)
def test_what_became_of_it_is_said_with_its_numbers(rows, value, holds, says):
    judged = Judged(RULE, DAYS, rows, value)
    assert (judged.holds, str(judged)) == (holds, says)


def evidence(tried: date, **changed) -> Evidence:
    given = {"today": date(2026, 11, 22), "last": date(2026, 11, 21), "look": None, "loss": None, "importance": {}}
    given |= {"trained": tried, "tried": tried, "known": True, "learned": 1_000, "labelled": 10}
    return Evidence(**given | changed)


def test_it_asks_for_training_once_the_last_one_is_old_enough():
    judged = Judged(RULE, DAYS, 412, 0.6)
    decision = decide(evidence(date(2026, 11, 1), plain=judged))
    assert (decision.outcome, decision.train, decision.reasons) == ("worse", True, (str(judged),))
    young = decide(evidence(date(2026, 11, 20), plain=judged))
    assert (young.outcome, young.train) == ("worse", False) and "none before 2026-11-27" in young.reasons[-1]
    assert decide(evidence(date(2026, 11, 1), plain=Judged(RULE, DAYS, 412, 0.7))).outcome == "quiet"


def test_doubtful_labels_are_told_to_a_person_instead():
    judged = Judged(RULE, DAYS, 412, 0.6)
    decision = decide(evidence(date(2026, 11, 1), plain=judged, doubts=("20 of the 300 labels correct an earlier one.",)))
    assert (decision.outcome, decision.train) == ("broken", False)
    assert decision.reasons == ("20 of the 300 labels correct an earlier one.",)
