"""API keys that change without a release, and the key of the program's own requests."""

import os

import pytest

from slipway.errors import ReleaseError
from slipway.release.box.plan import KEYS_INSIDE
from slipway.release.box.rotation import INSIDE, api_key, rotate
from slipway.release.box.state import USER, Box

LINE = f"SLIPWAY_API_KEYS_FILE={INSIDE}\n".encode()


@pytest.fixture
def box(tmp_path):
    box = Box("insurance", tmp_path)
    box.sockets.mkdir(parents=True)
    return box


@pytest.fixture
def environment(box):
    box.environment.parent.mkdir(parents=True)
    box.environment.write_bytes(LINE)
    return box.environment


def test_keys_are_replaced_where_releases_alone_can_read_them(box, environment):
    assert rotate(box, b"old\nnew\n") == "2 API keys are valid from the next request on"
    assert rotate(box, b"new\n") == "1 API key is valid from the next request on"
    file = box.keys / os.path.basename(INSIDE)
    assert file.read_bytes() == b"new\n" and INSIDE == f"{KEYS_INSIDE}/{file.name}"
    for path, mode in ((file, 0o640), (box.keys, 0o750)):
        found = path.stat()
        assert (found.st_mode & 0o777, found.st_uid, found.st_gid) == (mode, 0, USER)
    assert os.listdir(box.keys) == [file.name] and box.folders() == []


@pytest.mark.parametrize("content", [b"", b"cut", b"hidden,hidden\n", b"h\xe9\n", b"h" * 70_000 + b"\n"])
def test_faulty_keys_are_refused_and_change_nothing(box, environment, content):
    rotate(box, b"old\n")
    with pytest.raises(ReleaseError, match="keys on standard input: ") as refused:
        rotate(box, content)
    assert "hidden" not in str(refused.value)
    assert (box.keys / "api-keys").read_bytes() == b"old\n"


def test_without_the_line_in_the_environment_it_says_what_to_add(box, environment):
    environment.write_bytes(b"")
    assert rotate(box, b"new\n").endswith(f"if {environment} has the line SLIPWAY_API_KEYS_FILE={INSIDE}")


def test_the_programs_own_requests_use_a_key_of_the_file(box, environment):
    assert api_key(box) == "", "not yet there"
    rotate(box, b"# of this year\nnew\nold\n")
    assert api_key(box) == "new"
    environment.write_bytes(LINE + b"SLIPWAY_API_KEYS=fixed\n")
    assert api_key(box) == "fixed"


@pytest.mark.parametrize(
    "content, key",
    [
        (b"SLIPWAY_API_KEYS=one,two\n", "one"),
        (b"SLIPWAY_API_KEYS= , two\n", "two"),
        (b"# SLIPWAY_API_KEYS=one\n", ""),
        (b"\xef\xbb\xbfSLIPWAY_API_KEYS=one\n", "one"),  # an editor's byte order mark
        (b"# cl\xe9s, in Latin-1\nSLIPWAY_API_KEYS=one\n", "one"),
        (b"SLIPWAY_API_KEYS=old\nSLIPWAY_API_KEYS=new\n", "new"),  # the container gets the last one too
        (b"  SLIPWAY_API_KEYS=one\n", "one"),
    ],
)
def test_the_key_is_the_one_that_docker_hands_to_the_service(box, environment, content, key):
    environment.write_bytes(content)
    assert api_key(box) == key
