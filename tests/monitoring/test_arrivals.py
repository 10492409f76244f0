"""How labels have come, read from a log."""

from datetime import date, datetime, timedelta

import pytest

from logs import BUNDLE, IDS, collected, event, put
from slipway.monitoring.arrivals import arrivals
from slipway.monitoring.cohorts import cohorts
from slipway.monitoring.known_labels import add, in_force
from slipway.monitoring.outcomes import Outcomes
from slipway.monitoring.partitions import Log
from slipway.monitoring.row_keys import id_key

TODAY = date(2026, 11, 22)


@pytest.fixture
def log(tmp_path) -> Log:
    """Eight days of two patients, asked for by two clients: the second one only on the last two."""
    made = Log(tmp_path / "log")
    made.make()
    for back in range(8, 0, -1):
        day = TODAY - timedelta(days=back)
        rows = [{"patient": f"{back}-{number}", "age": 30} for number in (1, 2)]
        client = "" if back == 3 else "second" if back < 3 else "first"
        put(made, event(f"r{back}", rows, at=f"{day}T09:00:00Z", client=client), name=f"r{back}", day=str(day), bundle=BUNDLE)
    collected(made)
    return made


def told(log: Log, at: datetime, source: str, *labels: tuple[str, str]) -> None:
    add(log, Outcomes({(id_key([patient]), None): (label, None) for patient, label in labels}, len(labels), ()), at, source)


def test_labels_are_counted_by_source_and_correction(log):
    told(log, datetime(2026, 11, 14, 23), "outcomes-2026-11-14.csv", ("8-1", "Y"), ("8-2", "N"))
    told(log, datetime(2026, 11, 15), "outcomes-2026-11-15.csv", ("7-1", "Y"), ("8-1", "N"))
    told(log, datetime(2026, 11, 21), "clinic.csv", ("2-1", "Y"), ("3-1", "Y"), ("8-2", "N"))
    found = arrivals(log, in_force(log), IDS, TODAY)
    assert (found.labels, found.corrected) == (4, 1)
    assert {name: (sorted(of.new), sorted(of.before)) for name, of in found.sources.items()} == {
        "clinic.csv": (["Y", "Y"], []),
        "outcomes-#-#-#.csv": (["N", "Y"], ["N"]),
    }


def test_a_label_that_is_only_confirmed_is_no_correction(log):
    told(log, datetime(2026, 11, 20), "a.csv", ("8-1", "Y"))
    add(log, Outcomes({(id_key(["8-1"]), None): ("Y", "true")}, 1, ()), datetime(2026, 11, 21), "b.csv")
    found = arrivals(log, in_force(log), IDS, TODAY)
    assert (found.labels, found.corrected) == (2, 0)


def test_that_a_label_was_seen_long_ago_does_not_hide_that_it_came_now(log):
    told(log, datetime(2026, 11, 10), "a.csv", ("8-1", "Y"))
    backdated = Outcomes({(id_key(["8-1"]), datetime(2026, 11, 10, 1)): ("N", None)}, 1, ())
    add(log, backdated, datetime(2026, 11, 21), "b.csv")
    found = arrivals(log, in_force(log), IDS, TODAY)
    assert (found.labels, found.corrected) == (1, 1)


def test_a_table_with_the_history_of_its_labels_corrects_only_what_was_told_before(log):
    steps = {
        (id_key([patient]), datetime(2026, 11, 15) + timedelta(days=day)): (label, None)
        for patient in ("8-1", "8-2")
        for day, label in enumerate("NYNY")
    }
    told(log, datetime(2026, 11, 14), "a.csv", ("8-2", "N"))
    add(log, Outcomes(steps, len(steps), ()), datetime(2026, 11, 20), "history.csv")
    found = arrivals(log, in_force(log), IDS, TODAY)
    assert (found.labels, found.corrected) == (7, 1)  # the first label of 8-2 was known
    told(log, datetime(2026, 11, 21), "b.csv", ("8-1", "N"), ("7-1", "N"))
    assert arrivals(log, in_force(log), IDS, TODAY).corrected == 2


def test_clients_are_compared_by_the_days_of_their_predictions(log):
    """Though the labels of all days come in one table, on one day."""
    days = {back: datetime(2026, 11, 22, 9) - timedelta(days=back) for back in range(8, 0, -1)}
    found = {(id_key([f"{back}-1"]), at + timedelta(hours=1)): ("Y", None) for back, at in days.items()}
    again = [{"patient": "8-1", "age": 99}] * 300
    put(log, event("again", again, at="2026-11-20T09:00:00Z", client="second"), name="again", day="2026-11-20")
    collected(log)
    add(log, Outcomes(found, len(found), ()), datetime(2026, 11, 22), "o.csv")
    of = arrivals(log, in_force(log), IDS, TODAY)
    assert [day.day.day for day in of.matured] == [*range(14, 22)]
    assert (of.clients_before, of.clients_new) == ({"first": 1}, {"first": 4, "second": 2})


def test_an_empty_log_has_nothing_to_say(tmp_path):
    found = arrivals(Log(tmp_path), in_force(Log(tmp_path)), IDS, TODAY)
    assert (found.labels, found.corrected, found.clients_new, found.sources, found.matured) == (0, 0, {}, {}, ())


def test_days_have_their_delay(log):
    told(log, datetime(2026, 11, 15, 9), "a.csv", ("8-1", "Y"), ("8-2", "Y"))
    assert in_force(log).column("first_taken").to_pylist()[0].replace(tzinfo=None) == datetime(2026, 11, 15, 9)
    first, *others = cohorts(log, in_force(log), IDS, TODAY).days
    assert first.delay == 86_400 and {each.delay for each in others} == {None}
