"""Copies of whole days: the same rows from fewer files, whatever happens."""

import os
from datetime import date

import pytest

from logs import DAY, FILLED, IDS, NOW, collected, event, fill, put, rows_in, rows_read
from slipway.errors import StoreError
from slipway.monitoring import whole_days
from slipway.monitoring.forgetting import forget
from slipway.monitoring.logged_rows import contents_of, read_in_pieces, read_rows, read_table
from slipway.monitoring.partitions import REFUSALS, ROWS, Log
from slipway.monitoring.whole_days import DAYS, files, renew


@pytest.fixture
def log(tmp_path) -> Log:
    """Two days collected, two tables on the first and one on the second."""
    made = Log(tmp_path / "log")
    made.make()
    fill(made)
    collected(made)
    return made


def copies(log: Log, kind: str = ROWS) -> list[str]:
    return sorted(path.as_posix() for path in (log.root / DAYS / kind).rglob("*.parquet"))


def test_a_past_day_is_read_from_one_file_and_its_tables_stay(log):
    assert len(log.parts(ROWS)) == 3 and len(list(files(log, ROWS))) == 2
    assert [f"date={DAY}" in path for path in copies(log)] == [True]
    assert rows_read(log) == rows_in(log) == FILLED


def test_counts_of_refusals_are_copied_too(log):
    put(log, event("e", [], refused={"age/range": 2}), name="r2-boot-1-0")
    collected(log)
    [(_, path)] = files(log, REFUSALS)
    assert path.as_posix() in copies(log, REFUSALS)
    assert sorted(read_table(path).column("count").to_pylist()) == [1, 2]


def test_the_day_that_is_not_over_is_read_from_its_tables(log):
    for name in ("a-1", "a-2"):
        put(log, event(name, [{"patient": 5, "age": 1}]), name=name, day=str(NOW.date()))
    collected(log)
    assert len(copies(log)) == 1 and len(list(files(log, ROWS))) == 4
    assert rows_read(log) == rows_in(log)


def test_a_table_that_comes_late_is_read_before_and_after_the_next_copy(log):
    before = copies(log)
    late = Log(log.root.parent / "late")
    late.make()
    put(late, event("z", [{"patient": 9, "age": 9}]), name="late")
    collected(late)
    [part] = late.parts(ROWS)
    log.write(log.path(ROWS, part), late.path(ROWS, part).read_bytes())
    assert rows_read(log) == rows_in(log) == sorted([*FILLED, ("z", 0, "9", 9.0)])
    collected(log)
    assert rows_read(log) == rows_in(log)
    assert len(copies(log)) == 2 and {*before} < {*copies(log)}  # somebody may be about to read the earlier one
    for path in log.tables():
        os.utime(path, (0, path.stat().st_mtime - 3_601))
    renew(log, NOW.date())
    assert len(copies(log)) == 1 and not {*before} & {*copies(log)}


def test_a_table_that_is_written_again_makes_the_copy_worthless(log):
    """Also one of the same name and size, as another machine may leave it when a person is forgotten."""
    part = log.parts(ROWS)[0]
    log.write(log.path(ROWS, part), log.path(ROWS, part).read_bytes())
    assert not {path.as_posix() for _, path in files(log, ROWS)} & set(copies(log))


def test_a_table_that_is_written_again_leaves_no_earlier_copy(log):
    """Another machine has forgotten somebody: no copy of the table as it was stays for an hour."""
    [before] = copies(log)
    path = log.path(ROWS, log.parts(ROWS)[0])
    log.write(path, path.read_bytes())
    collected(log)
    assert len(copies(log)) == 1 and before not in copies(log)


def test_who_has_listed_the_copies_can_read_them_though_a_table_comes_late(log):
    listed = [path for _, path in files(log, ROWS)]
    for name in ("late-1", "late-2"):
        put(log, event(name, [{"patient": 9, "age": 9}]), name=name)
        collected(log)
        listed += [path for _, path in files(log, ROWS)]
    assert all(len(read_rows(path)) for path in listed)


def test_a_file_that_is_gone_is_not_called_damaged(log):
    """The cure of a damaged one is to delete it."""
    path = log.path(ROWS, log.parts(ROWS)[0])
    path.unlink()
    for read in (read_rows, contents_of, lambda path: list(read_in_pieces(path, [], 9))):
        with pytest.raises(StoreError, match="there is no such file any more") as found:
            read(path)
        assert "run this again" in str(found.value)


def test_no_copy_keeps_a_person_who_is_forgotten(log, monkeypatch):
    monkeypatch.setattr(Log, "replace", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # it ends before the first table is written
        forget(log, IDS, {"patient": {"1"}}, print)
    assert copies(log) == []
    monkeypatch.undo()
    forget(log, IDS, {"patient": {"1"}}, print)
    collected(log)
    assert rows_read(log) == rows_in(log) == [row for row in FILLED if row[2] != "1"]


def test_copies_of_days_that_are_no_longer_kept_go_with_them(log):
    for path in [log.path(ROWS, part) for part in log.parts(ROWS)]:
        path.unlink()
    collected(log)
    assert copies(log) == [] and not list((log.root / DAYS / ROWS).iterdir())


def test_a_day_of_many_rows_is_not_copied(log, monkeypatch):
    whole_days.delete(log)
    monkeypatch.setattr(whole_days, "LARGEST", 100)
    renew(log, NOW.date())
    assert copies(log) == [] and rows_read(log) == FILLED


def test_a_damaged_table_is_left_to_who_reads_it(log):
    log.path(ROWS, log.parts(ROWS)[0]).write_bytes(b"no table")
    renew(log, date(2026, 11, 22))
    assert copies(log) == []
