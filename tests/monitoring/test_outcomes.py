"""A table of outcomes is read row by row, and what is wrong with a row is said."""

from datetime import datetime
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from logs import NOW
from slipway.errors import TableError
from slipway.monitoring.outcomes import Outcomes, read_outcomes
from slipway.monitoring.row_keys import id_key, request_key
from slipway.problem import problem_of
from slipway.sources.source import open_location

LABELS = ("N", "Y")


def read(folder: Path, text: str, classes=LABELS, ids="patient", **more) -> Outcomes:
    (folder / "o.csv").write_text(text)
    settings = {"target": "ill"} | ({"id": ids} if ids else {}) | more.pop("settings", {})
    return read_outcomes(open_location("o.csv", folder), "o.csv", problem_of(settings), classes, NOW, **more)


def test_labels_by_id(tmp_path):
    found = read(tmp_path, "patient,ill,seen_at,acted\n1, Y,2026-11-21,yes\n2.0,N,,\n").found
    assert found == {(id_key("1"), datetime(2026, 11, 21)): ("Y", "yes"), (id_key("2"), None): ("N", None)}


def test_labels_by_several_ids_and_in_a_column_called_label(tmp_path):
    assert read(tmp_path, "visit,patient,label\n7,1,Y\n", ids=["patient", "visit"]).found == {
        (id_key(["1", "7"]), None): ("Y", None)
    }


@pytest.mark.parametrize("ids", ["patient", ()])
def test_labels_by_request(tmp_path, ids):
    found = read(tmp_path, "request_id,row,ill\nabc,3,Y\ndef,,N\n", ids=ids).found
    assert found == {(request_key("abc", 3), None): ("Y", None), (request_key("def", 0), None): ("N", None)}
    assert read(tmp_path, "request_id,ill\nabc,Y\n", ids=ids).found == {(request_key("abc", 0), None): ("Y", None)}


def test_ids_are_what_the_log_has_of_them(tmp_path):
    found = read(tmp_path, "patient,ill\n1,Y\n", logged=lambda column, text: f"{column}-{text}-hashed").found
    assert list(found) == [(id_key(["patient-1-hashed"]), None)]


def test_numbers_and_typed_cells(tmp_path):
    table = pyarrow.table({"patient": [1.0, None, 3.0], "ill": [17.5, 2.0, 3], "seen_at": [datetime(2026, 11, 20)] * 3})
    parquet.write_table(table, tmp_path / "o.parquet")
    problem = problem_of({"target": "ill", "id": "patient"})
    read = read_outcomes(open_location("o.parquet", tmp_path), "o", problem, (), NOW)
    assert read.found == {
        (id_key("1"), datetime(2026, 11, 20)): ("17.5", None),
        (id_key("3"), datetime(2026, 11, 20)): ("3", None),
    }
    assert read.faults == ["row 2: patient is missing"]


def test_a_class_is_found_however_its_number_is_written(tmp_path):
    assert [*read(tmp_path, "patient,ill\n1,1.0\n2,0\n", classes=("0", "1")).found.values()] == [("1", None), ("0", None)]


def test_the_format_of_the_target_counts(tmp_path):
    settings = {"formats": {"ill": "1.234,56"}}
    assert [*read(tmp_path, 'patient;ill\n1;"1.000,5"\n', classes=(), settings=settings).found.values()] == [("1000.5", None)]


@pytest.mark.parametrize(
    "row, says",
    [
        (",Y,,", "patient is missing"),
        ("NA,Y,,", "patient is missing"),
        ("1,,,", "ill is missing"),
        ("1,maybe,,", "ill is 'maybe', not one of N, Y"),
        ("1,Y,soon,", "seen_at is 'soon', not a date as in 2026-11-22T09:00:00Z"),
        ("1,Y,2027-01-01,", "seen_at is '2027-01-01', in the future"),
    ],
)
def test_a_wrong_row_is_named_and_the_others_are_taken(tmp_path, row, says):
    outcomes = read(tmp_path, f"patient,ill,seen_at,acted\n7,N,,\n{row}\n8,N,,\n")
    assert outcomes.faults == [f"row 2: {says}"]
    assert (outcomes.read, len(outcomes.found)) == (3, 2)


def test_a_label_that_is_no_number_and_a_row_number_that_is_none(tmp_path):
    assert read(tmp_path, "patient,ill\n1,much\n2,inf\n", classes=()).faults == [
        "row 1: ill is 'much', not a number",
        "row 2: ill is 'inf', not a number",
    ]
    assert read(tmp_path, "request_id,row,ill\na,-1,Y\n").faults == ["row 1: row is '-1', not the number of a row"]


@pytest.mark.parametrize(
    "header, ids, says",
    [
        ("who,ill", "patient", "no column tells which prediction .*. Add patient .id in slipway.yaml., or request_id and row"),
        ("who,ill", (), "no column tells which prediction .*. Add request_id and row"),
        ("patient,other", "patient", "has no column with the label. Name it ill or label"),
        ("visit,ill", ["patient", "visit"], "no column tells which prediction"),
    ],
)
def test_nothing_is_taken_without_the_columns(tmp_path, header, ids, says):
    with pytest.raises(TableError, match=f"o.csv: {says}"):
        read(tmp_path, f"{header}\n1,Y\n", ids=ids)


def test_of_equal_keys_and_times_the_last_row_counts(tmp_path):
    assert [*read(tmp_path, "patient,ill\n1,Y\n1,N\n").found.values()] == [("N", None)]
