"""Predictions meet their labels, by the day of the prediction."""

from datetime import date, datetime, timedelta

import numpy as np
import pytest

from logs import BUNDLE, IDS, NOW, event, put
from slipway.monitoring.cohorts import cohorts, labelled, labelled_days, maturity
from slipway.monitoring.collector import collect
from slipway.monitoring.known_labels import add, in_force
from slipway.monitoring.outcomes import Outcomes
from slipway.monitoring.partitions import Log
from slipway.monitoring.row_keys import id_key, request_key

TODAY = NOW.date()


@pytest.fixture
def log(tmp_path) -> Log:
    """Ten predictions a day for 21 days, at nine; eight of them get a label, one each hour from 33 hours later."""
    made = Log(tmp_path / "log")
    made.make()
    found, number = {}, 0
    for age in range(20, -1, -1):
        at = datetime(TODAY.year, TODAY.month, TODAY.day, 9) - timedelta(days=age)
        rows = [{"patient": number + each, "age": age} for each in range(10)]
        put(made, event(f"r{age}", rows, at=f"{at.isoformat()}Z"), day=at.date().isoformat())
        for each in range(8):
            seen = at + timedelta(hours=33 + each)
            if seen <= NOW:
                found[id_key([str(number + each)]), seen] = (str(each), None)
        number += 10
    collect(made, IDS, 90, NOW, print)
    add(made, Outcomes(found, len(found), ()), NOW, "o.csv")
    return made


def test_days_say_how_many_predictions_have_a_label_and_whether_that_is_nearly_all(log):
    found = cohorts(log, in_force(log), IDS, TODAY)
    assert [day.day for day in found.days] == [TODAY - timedelta(days=age) for age in range(20, -1, -1)]
    assert [(day.rows, day.labelled) for day in found.days[:-2]] == [(10, 8)] * 19
    assert [(day.rows, day.labelled, day.matured) for day in found.days[-2:]] == [(10, 0, False), (10, 0, False)]
    assert found.days[-4].matured and found.coverage == 0.8 and found.days[0].coverage == 0.8
    assert found.delay.median == pytest.approx(36.5 * 3600)
    assert found.delay.ninety == pytest.approx(40 * 3600)


def test_labels_by_request_count_too(log):
    found = cohorts(log, in_force(log), (), TODAY)
    assert sum(day.labelled for day in found.days) == 0
    add(log, Outcomes({(request_key("r5", 3), None): ("9", None)}, 1, ()), NOW, "p.csv")
    assert sum(day.labelled for day in cohorts(log, in_force(log), (), TODAY).days) == 1


def test_the_labelled_rows_of_some_days(log):
    labels, days = in_force(log), [TODAY - timedelta(days=5), TODAY]
    found = labelled(log, labels, IDS, days)
    assert len(found.rows) == found.labels.num_rows == 8
    assert set(found.rows.cells.column("age").to_pylist()) == {5.0}
    assert found.rows.calls.column("number").to_pylist() == [int(each) for each in found.labels.column("label").to_pylist()]
    assert labelled(log, labels, IDS, days, columns=["age"]).rows.cells.column_names == ["age", "patient"]
    assert labelled(log, labels, IDS, [TODAY]) is None
    assert labelled(log, labels, IDS, days, bundle="f" * 64) is None
    assert len(labelled(log, labels, IDS, days, bundle=BUNDLE + "0" * 52).rows) == 8


def asked(log: Log, request: str, patient: int, *ages: int, at: datetime) -> None:
    rows = [{"patient": patient, "age": age} for age in ages]
    put(log, event(request, rows, at=f"{at.isoformat()}Z"), day=at.date().isoformat(), name=request)
    collect(log, IDS, 90, NOW, print)


def test_what_is_asked_again_when_its_label_is_known_has_none(log):
    """The label of the first patient was seen 33 hours after nine o'clock, 20 days ago."""
    before, seen = cohorts(log, in_force(log), IDS, TODAY), datetime(2026, 11, 3, 18)
    asked(log, "poison", 0, *[999] * 50, at=seen + timedelta(seconds=1))
    after = cohorts(log, in_force(log), IDS, TODAY)
    assert [(day.rows, day.labelled) for day in after.days] == [(day.rows, day.labelled) for day in before.days]
    assert [day.repeated for day in after.days if day.repeated] == [50]
    found = labelled(log, in_force(log), IDS, [day.day for day in after.days])
    assert 999.0 not in found.rows.cells.column("age").to_pylist() and len(found.rows) == 8 * 19


def test_of_what_is_asked_again_and_again_before_the_label_the_last_counts(log):
    seen = datetime(2026, 11, 3, 18)
    asked(log, "again", 0, 71, 72, at=seen)
    asked(log, "before", 0, *[70] * 50, at=seen - timedelta(hours=1))
    found = cohorts(log, in_force(log), IDS, TODAY)
    assert [(day.rows, day.labelled, day.repeated) for day in found.days[:2]] == [(9, 7, 1), (11, 9, 51)]
    rows = labelled(log, in_force(log), IDS, [day.day for day in found.days[:2]])
    ages = rows.rows.cells.column("age").to_pylist()
    assert len(rows.rows) == rows.labels.num_rows == 16 and ages.count(72.0) == 1 and not {70.0, 71.0} & set(ages)
    days = dict(labelled_days(log, in_force(log), IDS, [day.day for day in reversed(found.days)]))
    assert [len(each.rows) for each in days.values()] == [*[8] * 17, 9, 7]


@pytest.mark.parametrize("request_id, seconds", [("r20", 1), ("other", 0)])
def test_neither_the_same_request_id_nor_the_same_moment_gives_a_label_to_two(log, request_id, seconds):
    at = datetime(2026, 11, 2, 9) + timedelta(seconds=seconds)
    put(log, event(request_id, [{"patient": 0, "age": 70}], at=f"{at.isoformat()}Z"), name="again", day="2026-11-02")
    collect(log, IDS, 90, NOW, print)
    first = cohorts(log, in_force(log), IDS, TODAY).days[0]
    assert (first.day, first.rows, first.labelled, first.repeated) == (at.date(), 10, 8, 1)
    assert len(labelled(log, in_force(log), IDS, [first.day]).rows) == 8


def test_a_label_seen_on_a_day_is_of_all_that_day(log):
    add(log, Outcomes({(id_key(["50"]), datetime(2026, 11, 7)): ("5", None)}, 1, ()), NOW, "p.csv")
    counts = [(day.rows, day.labelled) for day in cohorts(log, in_force(log), IDS, TODAY).days]
    assert counts[5] == (10, 8)
    add(log, Outcomes({(id_key(["51"]), datetime(2026, 11, 7, 0, 1)): ("5", None)}, 1, ()), NOW, "q.csv")
    assert cohorts(log, in_force(log), IDS, TODAY).days[5].labelled == 7


def test_a_request_that_takes_the_id_of_a_labelled_one_has_no_label(log):
    add(log, Outcomes({(request_key("r5", 9), datetime(2026, 11, 18)): ("9", None)}, 1, ()), NOW, "p.csv")
    put(log, event("r5", [{"patient": 1_000 + each, "age": 999} for each in range(10)], at="2026-11-19T09:00:00Z"), name="r5")
    collect(log, IDS, 90, NOW, print)
    found = cohorts(log, in_force(log), IDS, TODAY)
    assert sum(day.labelled for day in found.days) == 8 * 19 + 1 and sum(day.repeated for day in found.days) == 1


def test_a_log_without_labels_or_rows(log, tmp_path):
    empty = Log(tmp_path / "empty")
    assert cohorts(empty, in_force(empty), IDS, TODAY).days == ()
    unlabelled = cohorts(log, in_force(empty), IDS, TODAY)
    assert unlabelled.coverage is None and unlabelled.delay is None
    assert not any(day.matured for day in unlabelled.days)
    assert labelled(log, in_force(empty), IDS, [day.day for day in unlabelled.days]) is None


def test_a_label_of_an_answer_of_before_the_first_row_is_no_negative_delay(log):
    add(log, Outcomes({(id_key(["100"]), datetime(2026, 1, 1)): ("1", None)}, 1, ()), NOW, "p.csv")
    assert cohorts(log, in_force(log), IDS, TODAY).delay is not None


def days(length: int, shares: list[float], number: int = 1000) -> tuple[list[np.ndarray], list[int]]:
    """Counts by delay of days of this many ages from the oldest to today, and how many delays of each are over."""
    complete = list(range(length, -1, -1))
    return [np.rint(number * np.array(shares[: over + 1])).astype(int) for over in complete], complete


def test_labels_that_come_at_once_mature_on_the_next_day():
    counts, complete = days(5, [1.0])
    assert maturity(counts, complete) == [over >= 1 for over in complete]


def test_a_day_is_matured_when_nine_of_ten_labels_have_come():
    shares = [0.0, 0.5, 0.3, 0.1, 0.1]
    counts, complete = days(20, shares)
    assert maturity(counts, complete) == [over >= 4 for over in complete]


def test_young_days_do_not_make_labels_look_early():
    """Traffic that doubles each day: nearly all labels that are known are of young days, and early."""
    shares = [0.1] * 10
    counts, complete = days(30, shares)
    counts = [2**age * each for age, each in enumerate(counts)]
    assert maturity(counts, complete) == [over >= 9 for over in complete]


def test_nothing_is_matured_before_the_log_is_twice_as_old_as_labels_are_late():
    for length in range(1, 18):
        assert not any(maturity(*days(length, [0.1] * 10)))
    assert any(maturity(*days(18, [0.1] * 10)))


def test_what_came_today_says_nothing_yet():
    counts = [np.bincount([over]) * 100 for over in range(10, -1, -1)]
    assert not any(maturity(counts, list(range(10, -1, -1))))
    assert maturity([], []) == [] and not any(maturity([np.array([5])], [0]))


def test_days_are_in_utc(log):
    assert cohorts(log, in_force(log), IDS, date(2026, 11, 22)).days[-1].day == date(2026, 11, 22)
