"""A person can be forgotten."""

import fcntl
from pathlib import Path

import pytest

from bundles import ROWS, make_bundle
from logs import FILLED, IDS, NOW, collected, event, fill, label_keys, put, rows_in, rows_read, start
from slipway.model.event import FORM, OPEN, SHORT
from slipway.monitoring.collector import collect
from slipway.monitoring.forgetting import Forgotten, forget
from slipway.monitoring.known_labels import add
from slipway.monitoring.outcomes import Outcomes
from slipway.monitoring.partitions import Log
from slipway.monitoring.row_keys import id_key, request_key
from slipway.monitoring.watched import watch
from slipway.problem import load_problem
from slipway.store.local import LocalStore

LEFT = [row for row in FILLED if row[2] != "1"]


@pytest.fixture
def log(tmp_path) -> Log:
    made = Log(tmp_path / "log")
    made.make()
    fill(made)
    return made


def label(log: Log, *keys: str, source: str = "o.csv") -> None:
    add(log, Outcomes({(key, None): (key, None) for key in keys}, len(keys), ()), NOW, source)


def test_rows_of_all_files_go_also_of_raw_ones_and_the_others_stay(log):
    collected(log)
    put(log, event("e", [{"patient": 1.0, "age": 32}, {"patient": 11, "age": 5}]))
    assert forget(log, IDS, {"patient": {"1"}}, print) == Forgotten(rows=3, labels=0, tables=2, pending=0)
    assert rows_in(log) == sorted([*LEFT, ("e", 1, "11", 5.0)])
    assert forget(log, IDS, {"patient": {"1"}}, print) == Forgotten(0, 0, 0, 0)


def test_the_labels_of_the_rows_go_and_those_without_a_row(log):
    label(log, id_key("1"), request_key("b", 0), request_key("a", 1))
    label(log, id_key("7"), id_key("2"))
    gone = forget(log, IDS, {"patient": {"1", "7"}}, print)
    assert (gone.rows, gone.labels) == (2, 3)
    assert sorted(label_keys(log)) == sorted([request_key("a", 1), id_key("2")])


def test_the_same_table_of_labels_does_not_bring_them_back(log):
    label(log, id_key("1"))
    forget(log, IDS, {"patient": {"1"}}, print)
    label(log, id_key("1"))
    assert label_keys(log) == []


def test_of_several_ids_only_the_column_that_is_named_counts(tmp_path):
    log = Log(tmp_path / "two")
    log.make()
    put(log, event("a", [{"patient": 1, "age": 2, "visit": 2}, {"patient": 2, "age": 1, "visit": 1}]))
    label(log, id_key(["1", "2"]), id_key(["2", "1"]))
    ids = ("patient", "visit")
    assert forget(log, ids, {"visit": {"1"}}, print) == Forgotten(rows=1, labels=1, tables=2, pending=0)
    assert rows_in(log) == [("a", 0, "1", 2.0)] and label_keys(log) == [id_key(["1", "2"])]


def test_an_emptied_table_stays_so_that_no_other_machine_brings_it_back(log):
    collected(log)
    before = list(log.tables())
    forget(log, IDS, {"patient": {"1", "2", "3"}}, print)
    assert list(log.tables()) == before and rows_in(log) == []


@pytest.mark.parametrize("task, answer", [("regression", 1.0), ("binary", 0.5), ("multiclass", [0.2, 0.3, 0.5])])
def test_production_can_be_looked_at_when_a_table_has_been_emptied(tmp_path, task, answer):
    """Of several labels an answer is a list, and a table without rows does not say how long they are."""
    bundle = make_bundle(LocalStore(tmp_path / "artifacts"), task)
    (tmp_path / "slipway.yaml").write_text(f"name: {task}\nsource: table.csv\ntarget: charges\n")
    log = Log(tmp_path / "log")
    for patient in (1, 2):
        asked = event(str(patient), [ROWS[0] | {"patient": patient}], answers=[answer])
        put(log, asked, bundle=bundle.digest[:SHORT], name=f"w{patient}-boot-1-0")
    collected(log)
    assert forget(log, IDS, {"patient": {"1"}}, print).rows == 1
    found = watch(load_problem(tmp_path / "slipway.yaml", environ={}), LocalStore(tmp_path / "artifacts"), log, NOW)
    assert (found.rows, found.decision.outcome) == (1, "quiet")


def test_rows_that_a_service_is_still_writing_are_told(log):
    path = put(log, event("e", [{"patient": 1, "age": 32}, {"patient": 2, "age": 1}]), name="live", ending=OPEN)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert forget(log, IDS, {"patient": {"1"}}, print).pending == 1
    assert forget(log, IDS, {"patient": {"1"}}, print) == Forgotten(rows=1, labels=0, tables=1, pending=0)


def test_a_file_that_this_version_cannot_read_is_told(log):
    path = put(log, event("e", [{"patient": 1, "age": 32}], v=FORM + 1), name="newer")
    told: list[str] = []
    forget(log, IDS, {"patient": {"1"}}, told.append)
    assert len(told) == 1 and told[0].startswith(f"{path}: has form")


def test_an_id_that_was_no_id_yet_when_the_row_was_collected(tmp_path):
    log = Log(tmp_path / "later")
    log.make()
    put(log, event("a", [{"patient": 1, "age": 2}, {"patient": 2, "age": 3}]))
    collect(log, (), 90, NOW, print)
    assert forget(log, IDS, {"patient": {"1"}}, print).rows == 1


def test_forgetting_that_is_killed_at_any_step_loses_nobody_else_and_the_next_run_ends_it(tmp_path):
    deaths = start("kill", tmp_path / "logs", "forget")
    out, err = deaths.communicate(timeout=300)
    assert (deaths.returncode, err) == (0, "")
    logs = [Log(Path(root)) for root in out.split()]
    assert len(logs) > 5, "no step was seen"
    few = FILLED[:4]
    left = [row for row in few if row[2] != "1"]
    for each in logs:
        assert set(left) <= set(rows_in(each)) <= set(few)
        assert rows_read(each) == rows_in(each)
        forget(each, IDS, {"patient": {"1"}}, print)
        assert rows_in(each) == rows_read(each) == left and label_keys(each) == []
        assert not (each.root / "days").exists() or not list((each.root / "days").rglob("*.parquet"))
