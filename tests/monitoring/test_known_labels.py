"""Labels are added once, corrected by later ones, and none is lost."""

import os
from datetime import datetime, timedelta

import pytest

from logs import IDS, NOW, collected, event, fill, put, start
from slipway.errors import StoreError
from slipway.monitoring.known_labels import Added, Standing, add, in_force, labels_of, standing
from slipway.monitoring.outcomes import Outcomes
from slipway.monitoring.partitions import LABELS, Log
from slipway.monitoring.retention import WAIT
from slipway.monitoring.row_keys import id_key, request_key

EARLY, LATE = datetime(2026, 11, 20), datetime(2026, 11, 21)


@pytest.fixture
def log(tmp_path) -> Log:
    made = Log(tmp_path / "log")
    made.make()
    return made


def table(*rows: tuple[str, str], seen_at: datetime | None = None, acted: str | None = None) -> Outcomes:
    return Outcomes({(id_key([patient]), seen_at): (label, acted) for patient, label in rows}, len(rows), ())


def current(log: Log) -> dict[str, str]:
    labels = in_force(log)
    keys = [key.split("\x1f")[-1] for key in labels.column("key").to_pylist()]
    return dict(zip(keys, labels.column("label").to_pylist()))


def test_the_same_table_twice_is_one(log):
    assert add(log, table(("1", "Y"), ("2", "N")), NOW, "o.csv") == Added(2, 0, 0)
    assert add(log, table(("2", "N"), ("1", "Y")), NOW + timedelta(days=1), "o.csv") == Added(0, 2, 0)
    assert len(log.labels()) == 1 and labels_of(log).num_rows == 2


def test_a_table_that_grew_adds_what_is_new(log):
    add(log, table(("1", "Y")), NOW, "o.csv")
    assert add(log, table(("1", "Y"), ("2", "N")), NOW + timedelta(days=1), "o.csv") == Added(1, 1, 0)
    assert labels_of(log).num_rows == 2
    assert labels_of(log).column("source").to_pylist() == ["o.csv", "o.csv"]


def test_a_correction_counts_and_keeps_the_earlier_label(log):
    add(log, table(("1", "Y"), ("2", "N")), NOW, "o.csv")
    assert add(log, table(("1", "N")), NOW + timedelta(days=1), "o.csv") == Added(0, 0, 1)
    assert current(log) == {"1": "N", "2": "N"}
    assert labels_of(log, [id_key("1")]).column("label").to_pylist() == ["Y", "N"]
    found = in_force(log).sort_by("key")
    assert found.column("labels").to_pylist() == [2, 1]
    assert [moment.replace(tzinfo=None) for moment in found.column("first_seen").to_pylist()] == [NOW, NOW]
    assert found.column("seen_at").to_pylist()[0].replace(tzinfo=None) == NOW + timedelta(days=1)


def test_a_label_can_be_corrected_back(log):
    for day, label in enumerate("YNY"):
        add(log, table(("1", label), ("x", str(day))), NOW + timedelta(days=day), "o.csv")
    assert current(log)["1"] == "Y"


def test_the_latest_label_counts_whatever_comes_last(log):
    add(log, table(("1", "Y"), seen_at=LATE), NOW, "o.csv")
    assert add(log, table(("1", "N"), seen_at=EARLY), NOW, "o.csv") == Added(0, 0, 1)
    assert current(log) == {"1": "Y"}
    grown = Outcomes(dict(table(("1", "N"), seen_at=EARLY).found) | dict(table(("2", "N"), seen_at=EARLY).found), 2, ())
    assert add(log, grown, NOW, "o.csv") == Added(1, 1, 0)


def test_that_an_answer_was_acted_on_can_be_told_later(log):
    add(log, table(("1", "Y")), NOW, "o.csv")
    assert add(log, table(("1", "Y"), acted="yes"), NOW + timedelta(days=1), "o.csv") == Added(0, 0, 1)
    assert in_force(log).column("acted").to_pylist() == ["yes"]


def test_a_correction_that_does_not_say_acted_takes_it_back(log):
    add(log, table(("1", "Y"), acted="yes"), NOW, "o.csv")
    add(log, table(("1", "N")), NOW + timedelta(days=1), "p.csv")
    assert [in_force(log).column(name).to_pylist() for name in ("label", "acted", "source")] == [["N"], [None], ["p.csv"]]


def test_rows_that_were_not_taken_are_none_of_them(log):
    assert add(log, Outcomes({}, 2, ("row 1: …", "row 2: …")), NOW, "o.csv") == Added(0, 0, 0)
    assert log.labels() == [] and in_force(log).num_rows == 0


def test_labels_have_a_prediction_or_wait_for_it_or_waited_in_vain(log):
    fill(log)
    collected(log)
    add(log, Outcomes({(id_key("1"), None): ("Y", None), (request_key("c", 0), None): ("Y", None)}, 2, ()), NOW, "o.csv")
    add(log, table(("8", "Y"), seen_at=NOW - WAIT), NOW, "o.csv")
    add(log, table(("9", "Y"), seen_at=NOW - WAIT - timedelta(seconds=1)), NOW, "o.csv")
    assert standing(log, IDS, NOW) == Standing(matched=2, waiting=1, orphan=1)
    put(log, event("e", [{"patient": 8, "age": 1}]), name="late")
    collected(log)
    assert standing(log, IDS, NOW) == Standing(matched=2, waiting=1, orphan=1)
    early = NOW - WAIT
    put(log, event("f", [{"patient": 8, "age": 1}], at=f"{early.isoformat()}Z"), name="early", day=str(early.date()))
    collected(log)
    assert standing(log, IDS, NOW) == Standing(matched=3, waiting=0, orphan=1)
    assert standing(log, (), NOW) == Standing(matched=1, waiting=2, orphan=1)


def test_old_labels_go_with_the_last_predictions(log):
    add(log, table(("1", "Y"), seen_at=NOW - timedelta(days=181)), NOW, "o.csv")
    add(log, table(("2", "Y"), seen_at=NOW - timedelta(days=179)), NOW, "o.csv")
    assert collected(log).removed == 1
    assert current(log) == {"2": "Y"}


def test_the_same_table_added_by_several_at_once_is_one(log):
    racers = [start("label", log.root) for _ in range(3)]
    said = sorted((racer.communicate(timeout=60)[0].strip(), racer.returncode) for racer in racers)
    assert said == [("0", 0), ("0", 0), ("2", 0)]
    assert labels_of(log).num_rows == 2


def test_a_damaged_file_is_named(log):
    (log.root / LABELS).mkdir()
    (log.root / LABELS / "x.parquet").write_bytes(os.urandom(100))
    with pytest.raises(StoreError, match="x.parquet: cannot be read .*The file is damaged"):
        in_force(log)
