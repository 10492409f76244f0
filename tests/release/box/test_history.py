"""The history tells what happened, whatever was killed when."""

import pytest

from slipway.errors import ReleaseError
from slipway.release.box.history import LATE, History, missing
from slipway.release.box.state import Release

A, B = (Release(digit * 12, f"sha256:{digit * 64}", "e" * 40, 7, None, "2026-11-21T00:00:00+00:00") for digit in "ab")


@pytest.fixture
def history(tmp_path) -> History:
    return History(tmp_path / "history.jsonl", pytest.fail)


@pytest.mark.parametrize(
    "noted, live, expected",
    [
        ([], None, []),
        ([("start", A)], None, [("failed", A)]),
        ([("start", A)], A, [("live", A)]),
        ([("start", A), ("live", A)], A, []),
        ([("start", A), ("live", A), ("start", B)], A, [("failed", B)]),
        ([("start", A), ("live", A), ("start", B)], B, [("live", B)]),
        ([("start", A), ("live", A), ("start", B), ("failed", B)], A, []),
        ([("start", A), ("live", A), ("start", B), ("live", B)], A, [("rollback", A)]),
        ([("start", A), ("live", A), ("start", B), ("live", B), ("rollback", A)], A, []),
        ([("start", A), ("live", A), ("start", B), ("live", B), ("cut", A)], B, []),
        ([("start", A), ("live", A), ("start", B), ("cut", A)], A, [("failed", B)]),
    ],
)
def test_what_a_killed_run_did_not_note_is_noted_once(history, noted, live, expected):
    for event, release in noted:
        history.note(event, release)
    history.complete(live)
    late = history.entries()[len(noted) :]
    assert [(each["event"], each["release"], each["digest"]) for each in late] == [
        (event, release.id, release.digest) for event, release in expected
    ]
    assert all(each["reason"] == LATE for each in late)
    assert missing(history.entries(), live) == []


def test_a_full_disk_ends_a_run_before_it_changes_anything_and_is_a_warning_later(tmp_path):
    (tmp_path / "history.jsonl").mkdir()  # as good as a disk that takes nothing
    said = []
    history = History(tmp_path / "history.jsonl", said.append)
    with pytest.raises(ReleaseError, match="history.jsonl"):
        history.note("start", A)
    history.note("live", A)
    assert len(said) == 1 and said[0].startswith("warning: ")
