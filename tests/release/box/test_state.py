"""What a box remembers, and how it is read back."""

import json
import os
from pathlib import Path

import pytest

from slipway.errors import ReleaseError
from slipway.release.box.state import Box, Release
from slipway.release.box.web import in_flight

pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="folders of another user can only be made by root")
DIGEST = "sha256:" + "1" * 64


@pytest.fixture
def box(tmp_path) -> Box:
    box = Box("insurance", tmp_path)
    box.sockets.mkdir(parents=True)
    return box


def release(digit: str, before: str | None = None, run_number: int = 1) -> Release:
    return Release(digit * 12, DIGEST, "e" * 40, run_number, before and before * 12, "2026-11-21T00:00:00+00:00")


def test_nothing_is_live_at_first(box):
    assert box.live() is None
    assert box.chain() == []
    assert box.folders() == []


def test_the_link_alone_decides_what_is_live(box):
    for each in (release("a"), release("b", "a"), release("c", "b")):
        box.remember(each)
    box.point("b" * 12)
    assert box.live() == "b" * 12
    assert [each.id[0] for each in box.chain()] == ["b", "a"]
    assert os.readlink(box.active) == "bbbbbbbbbbbb/web.sock"
    box.point("c" * 12)
    assert [each.id[0] for each in box.chain()] == ["c", "b", "a"]


def test_a_link_half_made_by_a_killed_run_is_no_hindrance(box):
    (box.sockets / ".active.unfinished").symlink_to("nowhere")
    box.point("a" * 12)
    assert box.live() == "a" * 12


def test_a_strange_link_is_refused_with_its_path(box):
    box.active.symlink_to("/etc/passwd")
    with pytest.raises(ReleaseError, match="active.sock"):
        box.live()


def test_only_the_release_itself_may_write_into_its_folder(box):
    box.remember(release("a"))
    facts = box.folder("a" * 12).stat()
    assert (facts.st_uid, oct(facts.st_mode & 0o777)) == (10001, "0o711")


@pytest.mark.parametrize(
    "content",
    [
        "",
        "null",
        "[]",
        "{}",
        "[" * 100_000,
        json.dumps({"id": "a" * 12}),
        json.dumps(release("a").__dict__ | {"digest": "latest"}),
        json.dumps(release("a").__dict__ | {"id": "b" * 12}),
        json.dumps(release("a").__dict__ | {"before": "../../x"}),
        json.dumps(release("a").__dict__ | {"more": 1}),
    ],
)
def test_a_damaged_record_is_as_good_as_none(box, content):
    box.remember(release("a"))
    (box.records / f"{'a' * 12}.json").write_text(content)
    box.point("a" * 12)
    assert box.record("a" * 12) is None
    assert box.chain() == []


def test_a_record_that_the_version_before_wrote_is_read(box):
    """A box is updated while a release is live."""
    box.remember(release("a"))
    (box.records / f"{'a' * 12}.json").write_text(
        json.dumps(
            {
                "id": "a" * 12,
                "digest": DIGEST,
                "commit": "e" * 40,
                "run_number": 1,
                "before": None,
                "at": "2026-11-21T00:00:00+00:00",
            }
        )
    )
    assert box.record("a" * 12) == release("a")


def test_a_circle_of_records_ends(box):
    box.remember(release("a", "b"))
    box.remember(release("b", "a"))
    box.point("a" * 12)
    assert len(box.chain()) == 2


def test_connections_to_one_socket_are_counted_and_its_listener_is_not(tmp_path):
    table = Path(tmp_path / "unix")
    table.write_text(
        "Num       RefCount Protocol Flags    Type St Inode Path\n"
        "0: 00000002 00000000 00010000 0001 01 1 /run/slipway/a/web.sock\n"
        "0: 00000003 00000000 00000000 0001 03 2 /run/slipway/a/web.sock\n"
        "0: 00000003 00000000 00000000 0001 02 3 /run/slipway/a/web.sock\n"
        "0: 00000003 00000000 00000000 0001 03 4 /run/slipway/b/web.sock\n"
        "0: 00000003 00000000 00000000 0001 03 5\n"
    )
    assert in_flight("/run/slipway/a/web.sock", table) == 2
    assert in_flight("/run/slipway/b/web.sock", table) == 1
    assert in_flight("/run/slipway/c/web.sock", table) == 0


def test_services_share_the_lock_of_the_machine_and_nothing_else(tmp_path):
    insurance, churn = Box("insurance", tmp_path), Box("churn", tmp_path)
    assert insurance.lock == churn.lock == tmp_path / "var/lib/slipway/lock"
    assert insurance.state == tmp_path / "var/lib/slipway/services/insurance"
    for name in ("state", "sockets", "active", "records", "history", "draining", "configuration", "environment"):
        path = getattr(insurance, name)
        assert "insurance" in path.parts and not path.is_relative_to(getattr(churn, name))
