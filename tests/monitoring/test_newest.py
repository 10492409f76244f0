"""The newest labelled rows of production, as the gate takes them."""

from datetime import date, datetime, timedelta

import pyarrow
import pytest
from msgspec.structs import replace

from logs import IDS, NOW, event, put
from slipway.monitoring import newest
from slipway.monitoring.collector import collect
from slipway.monitoring.known_labels import add
from slipway.monitoring.newest import newest_days
from slipway.monitoring.outcomes import Outcomes
from slipway.monitoring.partitions import Log
from slipway.monitoring.row_keys import id_key
from slipway.problem import Problem, problem_of

TODAY = NOW.date()
PROBLEM: Problem = problem_of({"target": "charges", "id": list(IDS)})


def logged(folder, label=float) -> Log:
    """Ten predictions a day for 12 days; eight of them get a label on the next day."""
    log, found, number = Log(folder / "log"), {}, 0
    log.make()
    for age in range(11, -1, -1):
        at = datetime(TODAY.year, TODAY.month, TODAY.day, 9) - timedelta(days=age)
        rows = [{"patient": number + each, "age": age, "joined": "2020-01-01"} for each in range(10)]
        put(log, event(f"r{age}", rows, at=f"{at.isoformat()}Z"), day=at.date().isoformat())
        seen = at + timedelta(hours=20)
        if seen <= NOW:
            found |= {(id_key([str(number + each)]), seen): (str(label(each)), None) for each in range(8)}
        number += 10
    collect(log, IDS, 90, NOW, print)
    add(log, Outcomes(found, len(found), ()), NOW, "o.csv")
    return log


def first(found: dict[date, pyarrow.Table]) -> pyarrow.Table:
    return next(iter(found.values()))


def test_each_matured_day_is_a_table_and_the_newest_is_the_first(tmp_path):
    found = newest_days(PROBLEM, logged(tmp_path), TODAY)
    # the labels of yesterday's rows came today, and today is not over
    assert [table.column("age")[0].as_py() for table in found.values()] == list(range(2, 12))
    assert list(found) == [TODAY - timedelta(days=age) for age in range(2, 12)]
    first = found[TODAY - timedelta(days=2)]
    assert first.num_rows == 8 and set(first.column_names) == {"patient", "age", "joined", "charges"}
    types = {name: first.schema.field(name).type for name in first.column_names}
    assert (types["age"], types["joined"], types["charges"]) == (pyarrow.float64(), pyarrow.string(), pyarrow.float64())
    labels = dict(zip(first.column("patient").to_pylist(), first.column("charges").to_pylist()))
    assert labels == {str(90 + each): float(each) for each in range(8)}


def test_older_days_are_not_read_when_there_are_rows_enough(tmp_path, monkeypatch):
    monkeypatch.setattr(newest, "MOST", 16)
    assert len(newest_days(PROBLEM, logged(tmp_path), TODAY)) == 2


def test_what_the_log_has_a_hash_of_is_no_value_of_the_column(tmp_path):
    hashing = replace(PROBLEM, log=replace(PROBLEM.log, hash=("joined",)))
    assert "joined" not in first(newest_days(hashing, logged(tmp_path), TODAY)).column_names


def test_the_time_of_rows_is_when_they_were_answered_unless_requests_have_it_or_the_log_hides_it(tmp_path):
    log = logged(tmp_path)
    column = first(newest_days(replace(PROBLEM, time="day"), log, TODAY)).column("day")
    two_days_ago = TODAY - timedelta(days=2)
    assert column.to_pylist() == [datetime(two_days_ago.year, two_days_ago.month, two_days_ago.day, 9)] * 8
    assert first(newest_days(replace(PROBLEM, time="joined"), log, TODAY)).column("joined").to_pylist() == ["2020-01-01"] * 8
    hidden = replace(PROBLEM, time="day", log=replace(PROBLEM.log, omit=("day",)))
    assert "day" not in first(newest_days(hidden, log, TODAY)).column_names


def test_labels_that_are_no_numbers_are_texts(tmp_path):
    found = newest_days(PROBLEM, logged(tmp_path, label=lambda each: "NY"[each % 2]), TODAY)
    assert first(found).column("charges").to_pylist() == list("NYNYNYNY")


@pytest.mark.parametrize("labels", [True, False])
def test_there_is_nothing_before_labels_have_matured(tmp_path, labels):
    log = logged(tmp_path) if labels else Log(tmp_path / "empty")
    assert newest_days(PROBLEM, log, TODAY - timedelta(days=11)) == {}
