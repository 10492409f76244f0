"""slipway collect, labels and log forget, as a person calls them."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from bundles import make_bundle
from logs import FILLED, event, label_keys, put, rows_in, writing
from slipway.model.event import OPEN
from slipway.monitoring.known_labels import in_force
from slipway.monitoring.partitions import Log
from slipway.store.local import LocalStore

TODAY = datetime.now(UTC).date().isoformat()
SETTINGS = "name: binary\nsource: table.csv\ntarget: approved\nid: patient\n"


@pytest.fixture
def log(tmp_path, monkeypatch) -> Log:
    """The log of a problem, of today, with five rows of three patients that are not collected yet."""
    monkeypatch.chdir(tmp_path)
    Path("slipway.yaml").write_text(SETTINGS)
    make_bundle(LocalStore(tmp_path / "artifacts"), "binary")
    log = Log(tmp_path / "log")
    for request, number, patient, age in FILLED:
        row = event(request, [{"patient": patient, "age": age}], numbers=[number], at=f"{TODAY}T00:00:00Z")
        put(log, row, name=f"{request}{number}", day=TODAY)
    return log


def test_collect_says_what_it_did(run, log):
    put(log, b'{"v":1\n', name="torn", day=TODAY)
    result = run("collect")
    said = ["6 raw files collected: 5 rows, 0 counts of refusals and warnings."]
    said += ["1 incomplete line skipped, as a crash or a full disk leaves them."]
    assert (result.code, result.out.splitlines(), result.err) == (0, said, "")
    assert rows_in(log) == FILLED
    assert run("collect").out.startswith("0 raw files collected: 0 rows")


def test_the_log_may_be_elsewhere(run, log, tmp_path, monkeypatch):
    log.root.rename(tmp_path / "elsewhere")
    result = run("collect")
    assert (result.code, result.err.splitlines()) == (
        5,
        [f"slipway: {log.root}: there is no log. Let the service write one: see log in docs/settings.md"],
    )
    monkeypatch.setenv("SLIPWAY_LOG", str(tmp_path / "elsewhere"))
    assert run("collect").out.startswith("5 raw files collected")


def test_with_a_remote_store_the_tables_are_there_too(run, log, bucket, monkeypatch):
    monkeypatch.setenv("SLIPWAY_REMOTE", bucket.url)
    assert run("collect").code == 0
    assert sorted(key.split("/")[3] for key in bucket.objects()) == ["rows"] * 5


def test_labels_are_counted(run, log):
    run("collect")
    Path("o.csv").write_text("patient,approved\n1,Y\n2,N\n9,Y\n3,maybe\n")
    result = run("labels", "o.csv")
    assert result.err == "o.csv, row 4: approved is 'maybe', not one of N, Y\n"
    assert (result.code, result.out.splitlines()) == (
        0,
        [
            "4 rows read: 3 new, 0 duplicate, 0 corrected, 1 not taken.",
            "All labels in the log: 2 with a prediction, 1 waiting for one, 0 without one for 90 days.",
        ],
    )
    assert run("labels", "o.csv").out.startswith("4 rows read: 0 new, 3 duplicate, 0 corrected, 1 not taken.")
    Path("more.csv").write_text("request_id,row,label\na,1,Y\n")
    assert run("labels", "more.csv").out.startswith("1 row read: 1 new")


def test_what_the_service_is_still_writing_is_told(run, log):
    """A label of a prediction in there would otherwise look as if its id were wrong."""
    Path("o.csv").write_text("patient,approved\n7,Y\n8,N\n")
    paths = [
        put(log, event(name, [{"patient": 7, "age": 1}], at=f"{TODAY}T00:00:00Z"), name=name, day=TODAY, ending=OPEN)
        for name in ("x", "y")
    ]
    with writing(paths[0]):
        with writing(paths[1]):
            assert run("collect").out.splitlines()[1:] == ["2 raw files left, still being written by the service."]
        assert run("labels", "o.csv").out.splitlines()[1:] == [
            "All labels in the log: 1 with a prediction, 1 waiting for one, 0 without one for 90 days.",
            "1 raw file left, still being written by the service: labels of predictions in there wait, for an hour at most.",
        ]
    assert run("labels", "o.csv").out.count("\n") == 2


def test_wrong_rows_are_named_up_to_a_number_and_a_table_of_nothing_else_is_an_error(run, log):
    Path("o.csv").write_text("patient,approved\n" + "1,maybe\n" * 25)
    result = run("labels", "o.csv")
    assert result.code == 4
    assert result.err.splitlines()[19:] == [
        "o.csv, row 20: approved is 'maybe', not one of N, Y",
        "o.csv: 5 more such rows",
        "slipway: o.csv: no row has a label that can be taken. See above what is wrong with them",
    ]
    assert in_force(log).num_rows == 0


def test_labels_from_mongodb(run, log, mongo_rows):
    mongo_rows.insert_many([{"patient": 1, "approved": "Y"}, {"patient": 2, "label": "x", "approved": "N"}])
    Path("slipway.yaml").write_text(f"{SETTINGS}mongodb: {{database: {mongo_rows.database.name}}}\n")
    result = run("labels", "mongodb:rows")
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("2 rows read: 2 new")
    assert in_force(log).column("source").to_pylist() == [f"{mongo_rows.database.name}.rows"] * 2


def test_a_person_is_forgotten_and_what_is_not_reached_is_told(run, log):
    Path("o.csv").write_text("patient,approved\n1,Y\n2,N\n")
    run("labels", "o.csv")
    result = run("log", "forget", "1", "patient=3")
    assert result.code == 0
    assert result.out.splitlines()[0] == "Deleted 3 rows and 1 label, in 4 tables."
    for place in ("bundles and artifacts/data", "S3", "other machines"):
        assert place in result.out
    assert [row[2] for row in rows_in(log)] == ["2", "2"]
    assert len(label_keys(log)) == 1


@pytest.mark.parametrize(
    "ids, given, says",
    [
        ("[]", "1", "id is not set: no row of the log is named. Set id in slipway.yaml"),
        ("[patient, visit]", "1", "1: of which column. Write patient=1; the id columns are patient, visit"),
        ("[patient, visit]", "age=1", "age=1: of which column"),
        ("patient", "NA", "NA: means a missing cell, and is no id"),
    ],
)
def test_whom_to_forget_must_be_clear(run, log, ids, given, says):
    Path("slipway.yaml").write_text(SETTINGS.replace("patient", ids))
    result = run("log", "forget", given)
    assert result.code == 3
    assert says in result.err.replace("?", "")


def test_an_id_may_look_like_a_column_and_a_value(run, log):
    put(log, event("x", [{"patient": "a=b", "age": 1}]), day=TODAY, name="x")
    assert run("log", "forget", "a=b").out.startswith("Deleted 1 row and 0 labels")
