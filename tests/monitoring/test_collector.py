"""slipway collect: raw files become tables, once, whatever happens."""

from pathlib import Path

import pytest

from logs import DAY, FILLED, IDS, NOW, collected, event, fill, put, rows_in, rows_in_raw, rows_read, start, writing
from slipway.errors import StoreError
from slipway.model.event import FORM, OPEN, RAW
from slipway.monitoring.collector import collect
from slipway.monitoring.logged_rows import read_table
from slipway.monitoring.partitions import REFUSALS, ROWS, Log
from slipway.monitoring.whole_days import DAYS


@pytest.fixture
def log(tmp_path) -> Log:
    made = Log(tmp_path / "log")
    made.make()
    return made


def files(log: Log, kind: str) -> list[str]:
    return sorted(path.name for path in (log.root / kind).rglob("*") if path.is_file())


def test_raw_files_become_tables_in_the_same_partitions(log):
    fill(log)
    done = collected(log)
    assert (done.files, done.rows, done.counted, done.torn, done.held) == (3, 5, 1, 0, 0)
    assert rows_in(log) == FILLED
    assert [(part.day.isoformat(), part.bundle) for part in log.parts(ROWS)] == [
        (DAY, "8821177e2697"),
        (DAY, "8821177e2697"),
        ("2026-11-21", "8821177e2697"),
    ]
    [part] = log.parts(REFUSALS)
    assert read_table(log.path(REFUSALS, part)).column("reason").to_pylist() == ["missing"]
    assert files(log, RAW) == []


def test_a_second_run_does_nothing(log):
    fill(log)
    collected(log)
    before = {path: path.read_bytes() for path in log.tables()}
    assert collected(log).files == 0
    assert {path: path.read_bytes() for path in log.tables()} == before


def test_the_same_raw_file_again_replaces_its_own_table(log):
    path = put(log, event("a", [{"patient": 1, "age": 30}]))
    content = path.read_bytes()
    collected(log)
    path.write_bytes(content)
    collected(log)
    assert rows_in(log) == [("a", 0, "1", 30.0)]


def test_another_file_of_the_same_name_is_another_table(log):
    """A process may get the number of an earlier one."""
    for request in "ab":
        put(log, event(request, [{"patient": 1, "age": 30}]))
        collected(log)
    assert [row[0] for row in rows_in(log)] == ["a", "b"]


def test_two_releases_of_one_bundle_do_not_meet(log):
    same = event("a", [{"patient": 1, "age": 30}])
    put(log, same, name="r1-boot-7-0")
    put(log, same, name="r2-boot-7-0")
    collected(log)
    assert len(rows_in(log)) == 2


def test_what_is_being_written_is_left_alone_and_taken_when_its_service_is_gone(log):
    path = put(log, event("a", [{"patient": 1, "age": 30}]), ending=OPEN)
    with writing(path):
        assert (collected(log).held, rows_in(log)) == (1, [])
    assert (collected(log).files, [row[0] for row in rows_in(log)]) == (1, ["a"])
    assert files(log, RAW) == []


def test_an_empty_file_is_left_to_the_service_that_has_just_made_it(log):
    path = put(log, ending=OPEN)
    assert collected(log).files == 0
    assert path.exists()


def test_torn_lines_are_told(log):
    put(log, event("a", [{"patient": 1, "age": 30}]), b'{"v":1,"at":"2026')
    done = collected(log)
    assert (done.rows, done.torn) == (1, 1)


def test_a_file_of_a_newer_version_stays_and_the_others_are_taken(log):
    path = put(log, event("a", [{"patient": 1, "age": 30}], v=FORM + 1), name="new-boot-1-0")
    fill(log)
    told: list[str] = []
    done = collect(log, IDS, 90, NOW, told.append)
    assert (done.files, done.left) == (3, 1)
    assert told == [f"{path}: has form {FORM + 1}, this version reads {FORM}. Install the version that serves"]
    assert path.exists() and rows_in(log) == FILLED


def test_files_that_are_not_of_the_log_are_left_alone(log):
    (log.root / RAW / "date=2026-02-30" / "bundle=8821177e2697").mkdir(parents=True)
    strange = [log.root / RAW / "date=2026-02-30" / "bundle=8821177e2697" / "x.jsonl", log.root / RAW / "x.jsonl"]
    for path in strange:
        path.write_bytes(b"{}\n")
    assert collected(log).files == 0
    assert all(path.exists() for path in strange)


def test_without_a_log_one_is_told_how_to_get_one(tmp_path):
    with pytest.raises(StoreError, match=f"{tmp_path}/none: there is no log"):
        collected(Log(tmp_path / "none"))


def test_old_days_are_deleted_but_not_what_a_service_writes(log):
    old, kept = "2026-08-23", "2026-08-24"
    for day in (old, kept):
        put(log, event("a", [{"patient": 1, "age": 30}], refused={"age/missing": 1}), day=day)
    collected(log)
    assert [part.day.isoformat() for part in log.parts(ROWS)] == [kept]
    raw = put(log, event("b", [{"patient": 1, "age": 30}]), day=old)
    with writing(put(log, event("c", [{"patient": 1, "age": 30}]), day=old, name="live", ending=OPEN)) as _:
        collect(log, IDS, 89, NOW, print)
        assert files(log, RAW) == ["live.jsonl.open"]
    assert not raw.exists() and log.parts(ROWS) == [] and log.parts(REFUSALS) == []
    assert not (log.root / ROWS / f"date={old}").exists()


def test_copies_of_old_days_go_with_them_also_when_the_remote_store_is_away(log):
    for name in ("a", "b"):
        put(log, event(name, [{"patient": 1, "age": 30}], refused={"age/missing": 1}), name=name)
    collected(log)
    copied = [log.root / DAYS / kind / f"date={DAY}" for kind in (ROWS, REFUSALS)]
    assert all(folder.is_dir() for folder in copied)
    with pytest.raises(ZeroDivisionError):
        collect(log, IDS, 1, NOW, print, Away())
    assert not any(folder.exists() for folder in copied)


class Away:
    """A remote store that does not answer."""

    def sizes(self, _: str) -> dict[str, int]:
        raise ZeroDivisionError


def test_empty_folders_of_past_days_go_and_those_of_today_stay(log):
    for day in (DAY, NOW.date().isoformat()):
        put(log, event("a", [{"patient": 1, "age": 30}]), day=day)
    collected(log)
    collected(log)
    assert [path.name for path in (log.root / RAW).iterdir()] == [f"date={NOW.date()}"]


def test_a_folder_that_cannot_be_written_is_named_and_nothing_is_lost(log, monkeypatch):
    fill(log)

    def full(path, content):
        raise OSError(28, "No space left on device", str(path))

    monkeypatch.setattr("slipway.monitoring.partitions.replace", full)
    with pytest.raises(StoreError, match="parquet: cannot be written .No space left on device.. Free disk space"):
        collected(log)
    monkeypatch.undo()
    collected(log)
    assert rows_in(log) == FILLED


def test_collectors_at_once_take_turns(log):
    fill(log)
    racers = [start("collect", log.root) for _ in range(3)]
    assert [(racer.communicate(timeout=60)[1], racer.returncode) for racer in racers] == [("", 0)] * 3
    assert rows_in(log) == FILLED


def test_a_collector_that_is_killed_at_any_step_loses_and_doubles_nothing(tmp_path):
    deaths = start("kill", tmp_path / "logs", "collect")
    out, err = deaths.communicate(timeout=300)
    assert (deaths.returncode, err) == (0, "")
    logs = [Log(Path(root)) for root in out.split()]
    assert len(logs) > 20, "no step was seen"
    few = FILLED[:4]
    everything = {row[:2] for row in few}
    for each in logs:
        assert rows_in_raw(each) | {row[:2] for row in rows_in(each)} == everything
        assert rows_read(each) == rows_in(each)
        collected(each)
        assert rows_in(each) == rows_read(each) == few
        assert files(each, RAW) == [] and not [name for name in files(each, ROWS) if not name.endswith(".parquet")]
