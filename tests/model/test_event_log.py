"""The files of the prediction log: whole lines, one file of each process, and what happens when there is no room."""

import errno
import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from servers import DEADLINE
from slipway.model import event_log
from slipway.model.event_log import EventLog


class Told:
    """What the log counts."""

    def __init__(self) -> None:
        self.logged, self.dropped, self.synced = 0, [], threading.Event()

    def count_logged(self, rows: int) -> None:
        self.logged += rows

    def count_dropped(self, rows: int, reason: str) -> None:
        self.dropped.append((rows, reason))

    def note_synced(self, at: float) -> None:
        self.synced.set()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def log(tmp_path, told):
    """One that looks after its files a hundred times a second."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_log, "SYNC_SECONDS", 0.01)
        patch.setattr(event_log, "LOOK_SECONDS", 0.0)
        log = EventLog(tmp_path / "log", "ab" * 32, "charges-7", 1 << 30, told)
        yield log
        log.close()


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name != ".gitignore")


def eventually(said) -> None:
    end = time.monotonic() + DEADLINE
    while not said():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_lines_are_in_a_file_of_the_day_and_the_bundle_that_is_whole_when_it_is_closed(tmp_path, log, told):
    log.write(b"1\n", 1)
    log.write(b"2\n3\n", 2)
    [path] = files(tmp_path)
    today = time.strftime("%Y-%m-%d", time.gmtime())
    assert path.parent == tmp_path / f"log/raw/date={today}/bundle=abababababab"
    assert path.name.startswith("charges-7-") and path.name.endswith(".jsonl.open")
    with path.open() as other, pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    log.close()
    [closed] = files(tmp_path)
    assert closed.name == path.name.removesuffix(".open") and closed.read_bytes() == b"1\n2\n3\n"
    assert (told.logged, told.dropped) == (3, [])


def test_it_is_brought_to_the_disk_without_being_asked(log, told):
    log.write(b"1\n", 1)
    assert told.synced.wait(DEADLINE)


def test_a_large_file_and_a_new_day_begin_another(tmp_path, log, monkeypatch):
    monkeypatch.setattr(event_log, "LARGEST", 10)
    for line in (b"1234\n", b"5678\n", b"9\n"):
        log.write(line, 1)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86_400)
    log.write(b"tomorrow\n", 1)
    log.close()
    found = {path.read_bytes(): path.parent.parent.name for path in files(tmp_path)}
    assert set(found) == {b"1234\n5678\n", b"9\n", b"tomorrow\n"}
    assert found[b"tomorrow\n"] > found[b"9\n"]
    assert all(path.name.endswith(".jsonl") for path in files(tmp_path))


def test_an_old_file_is_closed_though_nobody_asks_for_anything(tmp_path, log, monkeypatch):
    monkeypatch.setattr(event_log, "LONGEST", 0.0)
    log.write(b"1\n", 1)
    eventually(lambda: [path.suffix for path in files(tmp_path)] == [".jsonl"])


def test_a_part_of_a_line_is_ended_before_the_next(tmp_path, log, told, monkeypatch):
    real = os.write
    monkeypatch.setattr(os, "write", lambda handle, line: real(handle, line[:3]))
    log.write(b"first\n", 2)
    monkeypatch.setattr(os, "write", real)
    log.write(b"second\n", 1)
    assert files(tmp_path)[0].read_bytes() == b"fir\nsecond\n"
    assert (told.logged, told.dropped) == (1, [(2, "disk_full")])


@pytest.mark.parametrize(
    "number, reason", [(errno.ENOSPC, "disk_full"), (errno.EDQUOT, "disk_full"), (errno.EIO, "unwritable")]
)
def test_what_cannot_be_written_is_dropped_and_counted(log, told, monkeypatch, number, reason):
    def failing(handle, line):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "write", failing)
    log.write(b"1\n", 5)
    assert (told.logged, told.dropped) == (0, [(5, reason)])


def test_a_folder_that_cannot_be_made_drops_rows_and_nothing_else(tmp_path, told):
    (tmp_path / "log").write_text("a file")
    log = EventLog(tmp_path / "log", "ab" * 32, "", 1 << 30, told)
    log.write(b"1\n", 1)
    log.close()
    assert told.dropped == [(1, "unwritable")]


def test_beyond_its_most_bytes_rows_are_dropped_until_they_are_collected(tmp_path, told, log):
    small = EventLog(tmp_path / "log", "ab" * 32, "small", 10, told)
    try:
        small.write(b"0123456789\n", 1)
        eventually(lambda: small.write(b"1\n", 1) or told.dropped)
        assert told.dropped[0] == (1, "log_full")
        for path in files(tmp_path):
            path.write_bytes(b"")
        before = told.logged
        eventually(lambda: small.write(b"2\n", 1) or told.logged > before)
    finally:
        small.close()


def test_a_disk_that_is_nearly_full_is_left_to_others(log, told, monkeypatch):
    monkeypatch.setattr(event_log, "FREE", 2.0)
    log.write(b"1\n", 1)
    eventually(lambda: log.write(b"2\n", 1) or told.dropped)
    assert told.dropped[0] == (1, "disk_full")


def test_a_file_that_a_collector_took_is_left_to_it(tmp_path, log, monkeypatch):
    real, taken = event_log._locked, []

    def late(handle, path):
        if not taken:  # the collector had the lock between the file's making and ours
            taken.append(path)
            path.rename(path.with_suffix(""))
        return real(handle, path)

    monkeypatch.setattr(event_log, "_locked", late)
    log.write(b"1\n", 1)
    assert [path.read_bytes() for path in files(tmp_path)] == [b"", b"1\n"]


def test_a_file_system_without_locks_drops_rows_and_leaves_nothing_behind(tmp_path, log, told, monkeypatch):
    def refuse(handle, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(5):
        log.write(b"1\n", 1)
    assert told.dropped == [(1, "unwritable")] * 5 and files(tmp_path) == []
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_where_no_file_is_ever_its_own_rows_are_dropped(log, told, monkeypatch):
    monkeypatch.setattr(event_log, "_locked", lambda handle, path: False)
    log.write(b"1\n", 1)
    assert told.dropped == [(1, "unwritable")]


def test_the_file_of_yesterday_is_closed_though_nobody_asks_for_anything(tmp_path, log, monkeypatch):
    log.write(b"1\n", 1)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 86_400)
    eventually(lambda: [path.suffix for path in files(tmp_path)] == [".jsonl"])


def test_a_child_writes_a_file_of_its_own(tmp_path, log):
    log.write(b"parent\n", 1)
    if not (child := os.fork()):
        log.write(b"child\n", 1)
        os._exit(0)
    os.waitpid(child, 0)
    log.write(b"parent\n", 1)
    assert sorted(path.read_bytes() for path in files(tmp_path)) == [b"child\n", b"parent\nparent\n"]


WRITER = """
import sys
from pathlib import Path
from slipway.model.event_log import EventLog
class Told:
    def count_logged(self, rows): pass
    count_dropped = note_synced = lambda self, *of: print(of, file=sys.stderr)
log = EventLog(Path(sys.argv[1]), "ab" * 32, sys.argv[2], 1 << 30, Told())
print("ready", flush=True); sys.stdin.readline()
for number in range(2000):
    log.write(b'{"release": "%s", "n": %d}\\n' % (sys.argv[2].encode(), number), 1)
log.close()
"""


def test_two_releases_of_one_bundle_that_write_at_once_never_share_a_file(tmp_path):
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    started = [subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, name], **pipes) for name in ("r-1", "r-2", "r-2")]
    for each in started:
        each.stdout.readline()
    for each in started:
        each.stdin.close()
    assert [each.wait(DEADLINE) for each in started] == [0, 0, 0]
    for each in started:
        each.stdout.close()
    found = [[json.loads(line) for line in path.read_text().splitlines()] for path in files(tmp_path)]
    assert sorted((lines[0]["release"], len(lines)) for lines in found) == [("r-1", 2000), ("r-2", 2000), ("r-2", 2000)]
    assert all([each["n"] for each in lines] == list(range(2000)) for lines in found)


def test_a_new_folder_keeps_itself_out_of_git(tmp_path, log):
    log.write(b"{}\n", 1)
    (ignoring,) = tmp_path.rglob(".gitignore")
    assert ignoring.read_text() == "*\n" and list(ignoring.parent.glob("raw/*/*/*"))
