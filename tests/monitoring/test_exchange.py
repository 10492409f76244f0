"""The log in the remote store: raw files become tables once, and all machines have the same tables."""

import threading

import pytest

import s3
from logs import DAY, FILLED, IDS, NOW, collected, event, fill, label_keys, put, rows_in, start, upload
from servers import DEADLINE
from slipway.errors import StoreError
from slipway.model.event import RAW
from slipway.monitoring.collector import collect
from slipway.monitoring.forgetting import forget
from slipway.monitoring.known_labels import add
from slipway.monitoring.outcomes import Outcomes
from slipway.monitoring.partitions import LABELS, ROWS, Log
from slipway.monitoring.row_keys import id_key
from slipway.store.remote import S3Store

LABEL = Outcomes({(id_key(["1"]), None): ("1", None)}, 1, ())


@pytest.fixture
def here(tmp_path) -> Log:
    return Log(tmp_path / "here")


@pytest.fixture
def there(tmp_path) -> Log:
    """The log of another machine that collects."""
    return Log(tmp_path / "there")


def names(bucket, kind: str) -> list[str]:
    return [key.removeprefix("models/a/log/") for key in bucket.objects() if key.startswith(f"models/a/log/{kind}/")]


def test_raw_objects_become_tables_here_and_there_and_go(bucket, here, tmp_path):
    box = Log(tmp_path / "box")
    upload(fill(box), box, bucket.remote())
    done = collected(here, remote=bucket.remote())
    assert (done.files, done.rows) == (3, 5)
    assert rows_in(here) == FILLED
    assert names(bucket, "raw") == []
    tables = {path.relative_to(here.root).as_posix(): path.read_bytes() for path in here.tables()}
    assert {key.removeprefix("models/a/log/"): content for key, content in bucket.objects().items()} == tables


def test_another_machine_gets_the_tables_and_gives_its_own(bucket, here, there):
    fill(here)
    collected(here, remote=bucket.remote())
    there.make()
    put(there, event("z", [{"patient": 9, "age": 1}]))
    collected(there, remote=bucket.remote())
    collected(here, remote=bucket.remote())
    assert rows_in(here) == rows_in(there) == sorted([*FILLED, ("z", 0, "9", 1.0)])


@pytest.mark.parametrize("kind", ["put", "get"])
def test_tables_are_copied_several_at_a_time(bucket, here, there, kind):
    """Each waits until all of them are under way."""
    fill(here)
    collected(here)
    if kind == "get":
        collected(here, remote=bucket.remote())
    together = threading.Barrier(len(here.parts(ROWS)), timeout=DEADLINE)

    def fault(call, forward):
        if call.kind == kind and f"/{ROWS}/" in call.path:
            together.wait()
        return None

    bucket.proxy.fault = fault
    collected(here if kind == "put" else there, remote=bucket.remote())
    bucket.proxy.fault = lambda *_: None
    collected(there, remote=bucket.remote())
    assert rows_in(there) == FILLED


@pytest.mark.parametrize("kind", ["put", "get"])
def test_a_copy_that_fails_is_told_and_the_next_run_copies_the_rest(bucket, here, there, kind):
    fill(here)
    collected(here)
    if kind == "get":
        collected(here, remote=bucket.remote())
    failing = next(here.tables()).name
    bucket.proxy.fault = lambda call, forward: s3.DENIED if call.kind == kind and failing in call.path else None
    copying = here if kind == "put" else there
    with pytest.raises(StoreError, match=failing):
        collected(copying, remote=bucket.remote())
    bucket.proxy.fault = lambda *_: None
    collected(copying, remote=bucket.remote())
    collected(there, remote=bucket.remote())
    assert rows_in(here) == rows_in(there) == FILLED


def test_a_raw_file_that_is_here_and_there_is_one_table(bucket, here, tmp_path):
    box = Log(tmp_path / "box")
    upload(fill(box), box, bucket.remote())
    here.make()
    fill(here)
    collected(here, remote=bucket.remote())
    assert rows_in(here) == FILLED


def test_objects_that_are_not_of_the_log_are_left_alone(bucket, here):
    strange = {
        "log/raw/x.jsonl": b"{}",
        f"log/raw/date={DAY}/bundle=8821177e2697/../../x.jsonl": b"{}",
        "log/rows/x.parquet": b"",
    }
    strange |= {f"log/raw/date={DAY}/bundle=8821177e2697/x.jsonl.open": b"{}", "log/labels/x.parquet": b""}
    for name, content in strange.items():
        bucket.put(name, content)
    collected(here, remote=bucket.remote())
    assert {key.removeprefix("models/a/") for key in bucket.objects()} == set(strange)
    assert list(here.tables()) == []


def test_an_object_that_cannot_be_read_stays_and_is_told(bucket, here):
    name = f"log/raw/date={DAY}/bundle=8821177e2697/x.jsonl"
    bucket.put(name, b'{"v":9,"at":"","id":"","bundle":""}\n')
    told: list[str] = []
    assert collect(here, IDS, 90, NOW, told.append, bucket.remote()).left == 1
    assert told == [f"{bucket.url}/{name}: has form 9, this version reads 1. Install the version that serves"]
    assert names(bucket, "raw") == [name.removeprefix("log/")]


def test_old_objects_are_deleted(bucket, here):
    for day in ("2026-08-23", "2026-08-24"):
        for kind, ending in (("raw", "jsonl"), ("rows", "parquet"), ("refusals", "parquet")):
            bucket.put(f"log/{kind}/date={day}/bundle=8821177e2697/x.{ending}", b"")
    told: list[str] = []
    collect(here, IDS, 90, NOW, told.append, bucket.remote())
    assert sorted({key.split("/")[4] for key in bucket.objects()}) == ["date=2026-08-24"]
    assert [part.day.isoformat() for part in here.parts(ROWS)] == ["2026-08-24"]


def test_a_missing_right_is_named(bucket, here, tmp_path):
    box = Log(tmp_path / "box")
    upload(fill(box), box, bucket.remote())
    bucket.proxy.fault = lambda call, forward: s3.DENIED if call.method == "DELETE" else None
    with pytest.raises(StoreError, match="Grant the permission s3:DeleteObject on arn:aws:s3:::"):
        collected(here, remote=bucket.remote())
    bucket.proxy.fault = lambda *_: None
    collected(here, remote=bucket.remote())
    assert rows_in(here) == FILLED


def test_a_raw_object_that_another_machine_took_meanwhile_is_not_missed(bucket, here, there, tmp_path):
    box = Log(tmp_path / "box")
    upload(fill(box), box, bucket.remote())

    def fault(call, forward):
        if call.method == "GET" and f"/{RAW}/" in call.path:
            bucket.proxy.fault = lambda *_: None
            collected(there, remote=bucket.remote())
        return None

    bucket.proxy.fault = fault
    collected(here, remote=bucket.remote())
    assert rows_in(here) == rows_in(there) == FILLED


def test_a_person_who_is_forgotten_is_so_on_other_machines_at_their_next_run(bucket, here, there):
    fill(here)
    collected(here, remote=bucket.remote())
    add(here, LABEL, NOW, "x", bucket.remote())
    collected(there, remote=bucket.remote())
    assert label_keys(there) == [id_key(["1"])]
    forget(here, IDS, {"patient": {"1"}}, print, bucket.remote())
    collected(there, remote=bucket.remote())
    collected(here, remote=bucket.remote())
    assert rows_in(here) == rows_in(there) == [row for row in FILLED if row[2] != "1"]
    assert label_keys(here) == label_keys(there) == []


def test_a_raw_file_that_is_sent_again_does_not_bring_a_person_back(bucket, here, there, tmp_path):
    box = Log(tmp_path / "box")
    for _ in range(2):
        upload(fill(box), box, bucket.remote())
        collected(here, remote=bucket.remote())
        forget(here, IDS, {"patient": {"1"}}, print, bucket.remote())
    upload(fill(box), box, bucket.remote())
    collected(there, remote=bucket.remote())
    assert rows_in(there) == rows_in(here) == [row for row in FILLED if row[2] != "1"]


def test_forgetting_that_ends_between_there_and_here_is_not_undone(bucket, here, monkeypatch):
    fill(here)
    collected(here, remote=bucket.remote())
    monkeypatch.setattr(Log, "write", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        forget(here, IDS, {"patient": {"3"}}, print, bucket.remote())
    monkeypatch.undo()
    collected(here, remote=bucket.remote())
    assert rows_in(here) == [row for row in FILLED if row[2] != "3"]


def test_labels_are_compared_with_those_of_other_machines(bucket, here, there):
    assert add(here, LABEL, NOW, "x", bucket.remote()).new == 1
    assert add(there, LABEL, NOW, "x", bucket.remote()).duplicate == 1
    assert len(list((there.root / LABELS).iterdir())) == 1


def test_a_collector_that_is_killed_at_any_call_loses_and_doubles_nothing(bucket, tmp_path):
    deaths = start("kill-remote", bucket.name, tmp_path)
    out, err = deaths.communicate(timeout=300)
    assert (deaths.returncode, err) == (0, "")
    assert len(out.split()) > 10, "no step was seen"
    for prefix in out.split():
        remote, log = S3Store(bucket.remote().client, bucket.name, prefix), Log(tmp_path / f"after-{prefix.rstrip('/')}")
        collected(log, remote=remote)
        assert rows_in(log) == FILLED[:3]
        assert remote.sizes("log/raw/") == {}
