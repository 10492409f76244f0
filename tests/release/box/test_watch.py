"""What a box tells before it becomes an outage."""

import errno
from types import SimpleNamespace

import pytest

from slipway.release.box import watch
from slipway.release.box.watch import Watch, findings


def disk(free: float = 0.5, free_files: float = 0.5) -> SimpleNamespace:
    """A disk of 16 GB with these shares free."""
    blocks, files = 4_000_000, 1_000_000
    return SimpleNamespace(
        f_frsize=4_000,
        f_blocks=blocks,
        f_bavail=int(blocks * free),
        f_files=files,
        f_favail=int(files * free_files),
    )


@pytest.mark.parametrize(
    ("state", "restart", "names"),
    [
        (disk(), False, []),
        (disk(free=0.16), False, []),
        (disk(free=0.14), False, ["disk"]),
        (disk(free_files=0.14), False, ["files"]),
        (disk(), True, ["restart"]),
        (disk(0, 0), True, ["disk", "files", "restart"]),
    ],
)
def test_what_is_found(state, restart, names):
    assert list(findings(state, restart, dict)) == names


def test_a_finding_says_how_much_is_left():
    told = findings(disk(free=0.1), False, lambda: {"churn": 300_000_000, "fraud": 6_100_000_000})["disk"]
    assert told.startswith("the disk is 90% full, 1.6 GB free; ") and ": fraud 6.1, churn 0.3. docs/ec2.md" in told


def test_nobody_reads_the_whole_disk_while_there_is_room():
    findings(disk(), True, lambda: pytest.fail("asked"))


def test_a_file_system_without_a_number_of_files_is_no_finding():
    state = disk()
    state.f_files = state.f_favail = 0  # btrfs
    assert findings(state, False, dict) == {}


@pytest.fixture
def told() -> list[tuple[bool, str]]:
    return []


@pytest.fixture
def look(tmp_path, told):
    def tell(good: bool, text: str) -> bool:
        told.append((good, text))
        return True

    return Watch(tmp_path / "watch.json", tell).look


def test_a_finding_is_told_when_it_begins_and_when_it_is_over(look, told):
    look({})
    assert told == []
    look({"disk": "the disk is 90% full"})
    look({"disk": "the disk is 91% full"})
    assert told == [(False, "the disk is 90% full")]
    look({"restart": "an update requires a restart"})
    assert told[1:] == [(False, "an update requires a restart"), (True, "over: disk")]


def test_what_a_webhook_that_is_down_was_not_told_is_told_again(tmp_path, look, told):
    deaf = Watch(tmp_path / "watch.json", lambda good, text: False).look
    deaf({"disk": "the disk is 90% full"})
    look({"disk": "the disk is 91% full"})
    assert told == [(False, "the disk is 91% full")]
    deaf({})
    look({})
    assert told[1:] == [(True, "over: disk")]


def test_a_disk_without_room_for_the_note_is_told_all_the_same(look, told, monkeypatch):
    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(watch, "replace", full)
    look({"disk": "the disk is 100% full"})
    assert told == [(False, "the disk is 100% full")]


@pytest.mark.parametrize("content", ["", "{", "7", "[7]"])
def test_a_damaged_note_counts_as_none(tmp_path, look, told, content):
    (tmp_path / "watch.json").write_text(content)
    look({"disk": "the disk is 90% full"})
    assert told == [(False, "the disk is 90% full")]
