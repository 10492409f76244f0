import json

import pytest

from slipway.errors import StoreError
from slipway.store.pointer import Pointer

POINTER = Pointer("ab" * 32, "Größe", {"outcome": "promoted", "reasons": ["it is the first"]})
DOCUMENT = json.loads(POINTER.to_bytes())


def test_a_pointer_is_read_as_it_was_written():
    assert Pointer.from_bytes(POINTER.to_bytes(), "champion.json") == POINTER


def test_the_same_decision_is_the_same_file_made_for_a_diff():
    assert POINTER.to_bytes().decode() == (
        '{\n  "format": 1,\n  "problem": "Größe",\n  "digest": "%s",\n  "verdict": {\n    "outcome": "promoted",\n'
        '    "reasons": [\n      "it is the first"\n    ]\n  }\n}\n'
    ) % ("ab" * 32)


@pytest.mark.parametrize(
    "content, says",
    [
        (b"", "not JSON"),
        (b"<<<<<<< HEAD\n{}", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 200_000, r"not JSON \(nested too deeply\)"),
        (b"[]", "expected the keys digest, format, problem, verdict"),
        (b"{}", "expected the keys"),
        (DOCUMENT | {"more": 1}, "expected the keys"),
        (DOCUMENT | {"format": 2}, "unknown format 2. Upgrade"),
        ({"format": 2, "champion": "ab" * 32}, "unknown format 2. Upgrade"),
        (DOCUMENT | {"digest": "ab"}, "digest: expected 64 hexadecimal digits"),
        (DOCUMENT | {"digest": "AB" * 32}, "digest: expected 64 hexadecimal digits"),
        (DOCUMENT | {"digest": "../" + "ab" * 31}, "digest: expected 64 hexadecimal digits"),
        (DOCUMENT | {"digest": "ab" * 32 + "\n"}, "digest: expected 64 hexadecimal digits"),
        (DOCUMENT | {"digest": None}, "digest: expected 64 hexadecimal digits"),
        (DOCUMENT | {"problem": 3}, "problem: expected a string"),
        (DOCUMENT | {"verdict": []}, "problem: expected a string, verdict: a mapping"),
    ],
)
def test_anything_else_is_refused_with_the_place(content, says):
    content = content if isinstance(content, bytes) else json.dumps(content).encode()
    with pytest.raises(StoreError, match=f"^here: {says}"):
        Pointer.from_bytes(content, "here")
