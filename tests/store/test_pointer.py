import json

import pytest

from slipway.errors import StoreError
from slipway.store.pointer import Pointer

POINTER = Pointer("ab" * 32, "Größe")
DOCUMENT = json.loads(POINTER.to_bytes())
VERDICT = {"outcome": "promoted", "reasons": ["it is the first"]}


def test_a_pointer_is_read_as_it_was_written():
    assert Pointer.from_bytes(POINTER.to_bytes(), "champion.json") == POINTER


def test_the_same_decision_is_the_same_file_made_for_a_diff():
    assert POINTER.to_bytes().decode() == ('{\n  "format": 2,\n  "problem": "Größe",\n  "digest": "%s"\n}\n') % ("ab" * 32)


def test_a_pointer_of_format_1_has_its_verdict():
    first = json.dumps(DOCUMENT | {"format": 1, "verdict": VERDICT}).encode()
    assert Pointer.from_bytes(first, "champion.json").verdict == VERDICT


@pytest.mark.parametrize(
    "content, says",
    [
        (b"", "not JSON"),
        (b"<<<<<<< HEAD\n{}", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 200_000, r"not JSON \(nested too deeply\)"),
        (b"[]", "expected the keys digest, format, problem"),
        (b"{}", "expected the keys"),
        (DOCUMENT | {"more": 1}, "expected the keys"),
        (DOCUMENT | {"format": 3}, "unknown format 3. Upgrade"),
        (DOCUMENT | {"format": 1}, "expected the keys digest, format, problem, verdict"),
        ({"format": 3, "champion": "ab" * 32}, "unknown format 3. Upgrade"),
        (DOCUMENT | {"digest": "ab"}, "digest: expected 64 hexadecimal digits"),
        (DOCUMENT | {"digest": "AB" * 32}, "digest: expected 64 hexadecimal digits"),
        (DOCUMENT | {"digest": "../" + "ab" * 31}, "digest: expected 64 hexadecimal digits"),
        (DOCUMENT | {"digest": "ab" * 32 + "\n"}, "digest: expected 64 hexadecimal digits"),
        (DOCUMENT | {"digest": None}, "digest: expected 64 hexadecimal digits"),
        (DOCUMENT | {"problem": 3}, "problem: expected a string"),
        (DOCUMENT | {"format": 1, "verdict": []}, "problem: expected a string, verdict: a mapping"),
    ],
)
def test_anything_else_is_refused_with_the_place(content, says):
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    with pytest.raises(StoreError, match=f"^here: {says}"):
        Pointer.from_bytes(content, "here")
