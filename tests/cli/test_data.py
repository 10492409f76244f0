"""What trainings read is kept, and `slipway train --data` repeats them after the source has moved on."""

import re
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner

import s3
from slipway.cli import slipway
from slipway.store.local import LocalStore
from slipway.store.snapshots import TABLE, KeptData
from tables import charges, problem

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLIPWAY_PROBLEM", "slipway.yaml")

    def call(*arguments: str):
        return CliRunner().invoke(slipway, [*arguments, *(["--jobs", "1"] if arguments[0] == "train" else [])])

    return call


@pytest.fixture
def store(tmp_path) -> LocalStore:
    return LocalStore(tmp_path / "artifacts")


@pytest.fixture
def kept(store) -> KeptData:
    return KeptData(store.root / "data")


def last(store) -> str:
    return store.journal.entries()[-1]["digest"]


def fingerprint(store) -> str:
    return store.bundle(last(store)).json("model.json")["data"]


@pytest.mark.parametrize(
    "moved",
    [
        lambda table: table.unlink(),
        lambda table: charges(300, seed=1).to_csv(table, index=False),
    ],
    ids=["deleted", "replaced"],
)
def test_a_training_is_repeated_exactly_after_its_source_has_moved_on(run, tmp_path, store, moved):
    problem(tmp_path, charges(), "charges", missing=["gone"])
    assert run("train").exit_code == 0
    first = last(store)
    moved(tmp_path / "table.csv")
    done = run("train", "--data", fingerprint(store)[:8])
    assert done.exit_code == 0 and f"Bundle:  {first[:12]}" in done.output
    assert last(store) == first and store.digests() == [first]


def test_a_fresh_clone_of_the_shipped_problem_trains(run, tmp_path, monkeypatch):
    """Nothing is there but what is committed, as on the runner of retrain.yaml."""
    shutil.copy(ROOT / "slipway.yaml", tmp_path)
    for name, value in (("CANDIDATES", "linear"), ("SEARCH_TRIALS", "1")):
        monkeypatch.setenv(f"SLIPWAY_{name}", value)
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "src"))
    done = run("train", "--if-changed")
    assert done.exit_code == 0, done.output
    assert "Fetching data/insurance.csv: slipway sample insurance data/insurance.csv\n" in done.output
    assert "Training: nothing was trained here yet.\n" in done.output
    assert re.search(r"\n  one row +\d+ µs measured, \d+ µs estimated \(limit 28\)\n", done.output)
    assert run("train", "--if-changed").output == "Nothing changed since the last training; the champion stays.\n"


def test_what_was_read_is_kept_as_it_was_read(run, tmp_path, store, kept):
    frame = charges()
    problem(tmp_path, frame.assign(note="x"), "charges", drop=["note"])
    run("train")
    table, about = kept.read(fingerprint(store))
    read, expected = (
        each.sort_values([*frame], ignore_index=True) for each in (table.to_pandas(), frame.fillna("").astype("str"))
    )
    assert read.equals(expected) and about == {"seen": len(frame), "consistent": ""}


@pytest.mark.parametrize(
    "data, message",
    [
        ("abcd", "give at least 6 digits"),
        ("abcdef0", "no such data"),
    ],
)
def test_data_that_are_not_there_are_said(run, tmp_path, data, message):
    problem(tmp_path, charges(), "charges")
    done = run("train", "--data", data)
    assert done.exit_code == 5 and message in done.output and done.output.count("\n") == 1


def test_damaged_data_are_refused(run, tmp_path, store, kept):
    problem(tmp_path, charges(), "charges")
    run("train")
    (kept.root / fingerprint(store) / TABLE).write_bytes(b"damaged")
    done = run("train", "--data", fingerprint(store))
    assert done.exit_code == 5 and "SHA-256" in done.output
    assert run("train").exit_code == 0
    assert run("train", "--data", fingerprint(store)).exit_code == 0


def test_data_of_other_columns_are_refused(run, tmp_path, store):
    problem(tmp_path, charges(), "charges")
    run("train")
    named = fingerprint(store)
    problem(tmp_path, charges(), "charges", id="row")
    done = run("train", "--data", named)
    assert done.exit_code == 5 and "the table has no column 'row'" in done.output


def test_the_source_is_not_asked_and_left_alone_at_once(run, tmp_path):
    problem(tmp_path, charges(), "charges")
    assert run("train", "--if-changed", "--data", "abcdef").exit_code == 2


@pytest.mark.parametrize("settings, number", [({"data.keep": 1}, 2), ({"data.keep": 9}, 3), ({"data.max_bytes": 0}, 1)])
def test_only_so_many_are_kept_and_the_champions_always(run, tmp_path, store, kept, settings, number):
    """The first stays champion, because the others are trained to a worse end."""
    problem(tmp_path, charges(), "charges", **settings)
    run("train")
    champions = fingerprint(store)
    for seed in (1, 2):
        problem(tmp_path, charges(seed=seed, noise=9_000), "charges", **{"gate.minimum_gain": 1e9}, **settings)
        run("train")
    assert champions in kept.sizes() and len(kept.sizes()) == max(1, number - (settings == {"data.keep": 1}))


def test_nothing_is_kept_when_nothing_is_to_be(run, tmp_path, kept):
    problem(tmp_path, charges(), "charges", **{"data.keep": 0})
    assert run("train").exit_code == 0 and kept.sizes() == {}


def test_a_table_in_s3_is_trained_from_and_known_not_to_have_changed(run, tmp_path, store, s3_server):
    frame = charges()
    with s3.bucket(s3_server) as bucket:
        for number in (0, 1):
            bucket.put(f"p{number}.csv", frame[number::2].to_csv(index=False).encode())
        problem(tmp_path, frame, "charges", source=f"{bucket.url}/p*.csv")
        (tmp_path / "table.csv").unlink()
        assert run("train").exit_code == 0
        assert "Nothing changed" in run("train", "--if-changed").output
        bucket.put("p2.csv", frame[:9].to_csv(index=False).encode())
        done = run("train", "--if-changed")
        assert "Training: changed since the last training: data.\n" in done.output and "Bundle:" in done.output
        first = last(store)
    assert run("train").exit_code != 0
    assert run("train", "--data", fingerprint(store)).exit_code == 0 and last(store) == first


def test_a_collection_is_trained_from_and_cannot_tell_whether_it_changed(run, tmp_path, store, mongo_rows):
    frame = charges()
    documents = [{"who": {"age": int(row.pop("age"))}, **row} for row in frame.to_dict("records")]
    mongo_rows.insert_many(documents)
    fields = {"age": "who.age", "bmi": "bmi", "smoker": "smoker", "region": "region", "charges": "charges"}
    problem(
        tmp_path,
        frame,
        "charges",
        source="mongodb",
        **{
            "mongodb.database": mongo_rows.database.name,
            "mongodb.collection": mongo_rows.name,
            "mongodb.fields": fields,
        },
    )
    assert run("train").exit_code == 0
    done = run("train", "--if-changed")
    assert "mongodb cannot tell whether it has changed" in done.output and "Bundle:" in done.output
    first = last(store)
    mongo_rows.drop()
    assert run("train", "--data", fingerprint(store)).exit_code == 0 and last(store) == first
