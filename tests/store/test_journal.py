import errno
import os
from pathlib import Path

import pytest

import killed
from slipway.errors import StoreError
from slipway.model.bundle import Bundle, Manifest
from slipway.store.journal import Journal, champions, entry


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "artifacts" / "journal.jsonl")


def test_entries_come_back_in_order(journal):
    entries = [{"event": "verdict", "reasons": ["Größe\r\n\u2028"]}, {"event": "promote", "who": "j\udcf6rg"}]
    for one in entries:
        journal.append(one)
    assert journal.entries() == entries


@pytest.mark.parametrize(
    "torn",
    [
        b'{"event": "to',
        b'{"event": "\xc3',
        b"{",
        b"\x00\x00\x00",
        b'{"event": "torn"}'[:-1],
    ],
)
def test_a_torn_line_costs_only_itself(journal, torn):
    journal.append({"event": "old"})
    with journal.path.open("ab") as file:
        file.write(torn)
    assert journal.entries() == [{"event": "old"}]
    journal.append({"event": "new"})
    assert journal.entries() == [{"event": "old"}, {"event": "new"}]
    assert journal.path.read_bytes().endswith(b'\n{"event": "new"}\n')


def test_a_last_line_without_an_end_is_kept(journal):
    journal.append({"event": "old"})
    journal.path.write_bytes(journal.path.read_bytes().rstrip())
    journal.append({"event": "new"})
    assert [one["event"] for one in journal.entries()] == ["old", "new"]


def test_what_is_no_entry_is_passed_over(journal):
    journal.append({"event": "old"})
    with journal.path.open("ab") as file:
        file.write(b'\n[]\n7\nnonsense\n"text"\n')
    assert journal.entries() == [{"event": "old"}]


def test_processes_may_append_at_once(tmp_path):
    writers = [killed.start(tmp_path, "append") for _ in range(5)]
    assert [writer.wait(60) for writer in writers] == [0] * 5
    assert len(Journal(tmp_path / "journal.jsonl").entries()) == 5


def test_a_disk_that_takes_only_a_part_is_told(journal, monkeypatch):
    journal.append({"event": "old"})

    def nearly_full(descriptor, content, real=os.write):
        if len(content) < 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, content[:10])

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", nearly_full)
        with pytest.raises(StoreError, match="cannot be written.*No space left"):
            journal.append({"event": "new", "text": "long"})
    assert journal.entries() == [{"event": "old"}]


def test_a_line_that_is_nested_without_end_costs_only_itself(journal):
    journal.append({"event": "verdict"})
    with journal.path.open("ab") as file:
        file.write(b"[" * 200_000 + b"\n")
    assert journal.entries() == [{"event": "verdict"}]


def test_a_pipe_in_place_of_the_journal_is_told(journal):
    journal.path.parent.mkdir()
    os.mkfifo(journal.path)
    with pytest.raises(StoreError, match=r"journal.jsonl: cannot be read \(not a plain file\)"):
        journal.entries()


def test_what_cannot_be_read_is_told(journal):
    journal.path.mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot be read"):
        journal.entries()


def test_an_entry_says_who_and_when(monkeypatch):
    monkeypatch.setenv("LOGNAME", "ada")
    bundle = Bundle(Path("."), "a" * 64, Manifest("trial", {}), {}, {})
    made = entry("verdict", bundle, None, {"outcome": "kept", "reasons": ["no gain"]}, inputs={"data": "f" * 64})
    assert made.pop("at").endswith("+00:00")
    assert made.pop("who").startswith("ada@")
    assert made == {
        "event": "verdict",
        "problem": "trial",
        "digest": "a" * 64,
        "champion": None,
        "outcome": "kept",
        "reasons": ["no gain"],
        "inputs": {"data": "f" * 64},
    }


@pytest.mark.parametrize(
    "steps, expected",
    [
        ("", ""),
        ("+a", "a"),
        ("+a +b", "ab"),
        ("+a +a", "a"),
        ("+a -b", "a"),
        ("+a +b +c <b", "ab"),
        ("+a +b +c <b <a", "a"),
        ("+a +b <a +c", "ac"),
        ("+a +b +a", "aba"),
        ("<x +a", "xa"),
        ("+bx", "xb"),
        ("-bx", ""),
        ("+a +b +c +da", "ad"),
        ("+a +bx", "axb"),
        ("+a +ba +cb", "abc"),
    ],
)
def test_champions_that_can_be_gone_back_to(steps, expected):
    kinds = {"+": ("promote", "promoted"), "-": ("verdict", "kept"), "<": ("rollback", "promoted")}
    entries = [
        {"event": kinds[step[0]][0], "outcome": kinds[step[0]][1], "digest": step[1], "champion": step[2:] or None}
        for step in steps.split()
    ]
    strange = [{}, {"event": "promote", "outcome": "promoted"}, {"event": "rollback", "digest": 7}]
    assert champions([*strange, *entries]) == list(expected)
