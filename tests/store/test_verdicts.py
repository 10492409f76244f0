import json

import pytest

from slipway.errors import StoreError
from slipway.store.local import LocalStore
from slipway.store.pointer import Pointer
from slipway.store.verdicts import MOST, from_bytes, to_bytes, verdict_on, with_verdict


def said(digest: str, outcome: str = "promoted", reason: str = "better") -> dict:
    return {
        "at": "2026-01-01",
        "digest": digest * 64,
        "outcome": outcome,
        "reasons": [reason],
        "who": "ada@host",
        "inputs": {"data": "f"},
    }


def told(*entries: dict) -> list:
    verdicts: list = []
    for each in entries:
        verdicts = with_verdict(verdicts, each)
    return verdicts


def test_the_promotions_and_the_last_refusal_are_kept_without_who():
    found = told(said("a"), said("b", "kept"), said("c", "kept"), said("d"), said("e", "kept"))
    assert [each["digest"][0] for each in found] == ["a", "d", "e"]
    assert found[0] == {"at": "2026-01-01", "digest": "a" * 64, "outcome": "promoted", "reasons": ["better"]}
    assert len(told(*[said(f"{number:x}"[-1]) for number in range(MOST + 5)])) == MOST + 1


def test_a_refusal_says_nothing_of_the_champion():
    verdicts = told(said("a"), said("b", "kept", "no gain"), said("a", "kept", "worse than b"))
    assert verdict_on(verdicts, "a" * 64)["reasons"] == ["better"]
    assert verdict_on(told(said("a"), said("b", "kept", "no gain")), "b" * 64)["reasons"] == ["no gain"]
    assert verdict_on(verdicts, "f" * 64) == {}


def test_what_was_written_is_read():
    verdicts = told(said("a", reason="größer"))
    assert from_bytes(to_bytes("trial", verdicts), "here") == verdicts


@pytest.mark.parametrize(
    "content, says",
    [
        (b"<<<<<<< HEAD", "not a file of verdicts. Restore it from git, or delete it"),
        (b"[]", "not a file of verdicts"),
        (b"{}", "not a file of verdicts"),
        ({"format": 2}, "unknown format 2. Upgrade"),
        ({"format": 1, "verdicts": [{}]}, "not a file of verdicts"),
        ({"format": 1, "verdicts": [{"digest": 1, "outcome": "kept", "reasons": []}]}, "not a file of verdicts"),
        ({"format": 1, "verdicts": [{"digest": "a", "outcome": "kept", "reasons": "no gain"}]}, "not a file of verdicts"),
    ],
)
def test_anything_else_is_refused_with_the_place(tmp_path, content, says):
    (tmp_path / "verdict.json").write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    with pytest.raises(StoreError, match=f"verdict.json: {says}"):
        LocalStore(tmp_path).require_verdicts()
    assert LocalStore(tmp_path).verdicts() == [] and "verdict.json: " in LocalStore(tmp_path).verdicts_fault()


def test_a_store_without_the_file_says_what_an_earlier_pointer_does(tmp_path):
    assert LocalStore(tmp_path).verdict(Pointer("a" * 64, "trial", {"outcome": "promoted"})) == {"outcome": "promoted"}
    assert LocalStore(tmp_path).verdict(Pointer("a" * 64, "trial")) == {}
