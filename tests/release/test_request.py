"""The box believes a request only when it is exactly of the agreed form."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.errors import ReleaseError
from slipway.release.request import Request, read_request

DIGEST = "sha256:" + "a" * 64
COMMIT = "b" * 40
KEY = "c" * 64
GOOD = {"digest": DIGEST, "key": KEY, "commit": COMMIT, "run_number": 7}


def test_a_request_is_read():
    assert read_request(json.dumps(GOOD).encode()) == Request(DIGEST, KEY, COMMIT, 7)


@pytest.mark.parametrize(
    "change, named",
    [
        ({"digest": "latest"}, "digest"),
        ({"digest": "insurance:v2"}, "digest"),
        ({"digest": "other/repository@" + DIGEST}, "digest"),
        ({"digest": "sha256:" + "a" * 63}, "digest"),
        ({"digest": DIGEST.upper()}, "digest"),
        ({"digest": DIGEST + "\n"}, "digest"),
        ({"digest": "--privileged"}, "digest"),
        ({"digest": "../../etc/passwd"}, "digest"),
        ({"digest": None}, "digest"),
        ({"digest": [DIGEST]}, "digest"),
        ({"key": "latest"}, "key"),
        ({"key": "c" * 63}, "key"),
        ({"key": None}, "key"),
        ({"key": "c" * 64 + "@" + DIGEST}, "key"),
        ({"commit": "main"}, "commit"),
        ({"commit": COMMIT + ";reboot"}, "commit"),
        ({"commit": 7}, "commit"),
        ({"run_number": "7"}, "run_number"),
        ({"run_number": 0}, "run_number"),
        ({"run_number": -1}, "run_number"),
        ({"run_number": 7.0}, "run_number"),
        ({"run_number": True}, "run_number"),
        ({"run_number": 10**12}, "run_number"),
        ({"repository": "registry.example/other"}, "fields"),
        ({"memory": "64g"}, "fields"),
    ],
)
def test_what_is_of_another_form_is_refused_by_name(change, named):
    with pytest.raises(ReleaseError, match=named):
        read_request(json.dumps(GOOD | change).encode())


@pytest.mark.parametrize("missing", sorted(GOOD))
def test_no_field_may_be_missing(missing):
    with pytest.raises(ReleaseError, match="fields"):
        read_request(json.dumps({name: value for name, value in GOOD.items() if name != missing}).encode())


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"{",
        b"\xff\xfe",
        b"[" * 2_000,
        b"[[]]",
        b'[["digest", "x"]]',
        json.dumps(GOOD).encode() + b"{}",
        json.dumps([GOOD]).encode(),
        b" " * 5_000,
    ],
)
def test_what_is_no_object_is_refused(content):
    with pytest.raises(ReleaseError):
        read_request(content)


def test_a_field_given_twice_is_refused():
    twice = json.dumps(GOOD)[:-1] + f', "digest": "sha256:{"c" * 64}"}}'
    with pytest.raises(ReleaseError, match="each once"):
        read_request(twice.encode())


@given(
    st.binary(max_size=200)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda inner: (
            st.lists(inner) | st.dictionaries(st.sampled_from(["digest", "key", "commit", "run_number", "x"]), inner)
        ),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode())
)
def test_anything_at_all_is_refused_kindly(content):
    with pytest.raises(ReleaseError):
        read_request(content)
