"""The prediction log of releases on a box: every answered row is in it, across a swap and when its disk is full."""

import os
import subprocess
from pathlib import Path

import pytest

from slipway.model.event import Event, read_events
from slipway.release.box.state import USER
from swaps import request, under_traffic

pytestmark = pytest.mark.docker


def logged(folder: Path) -> list[Event]:
    found = [event for path in folder.rglob("*.jsonl*") for event in read_events(path.read_bytes())]
    assert None not in found
    return found


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder that releases may write to."""
    folder = tmp_path / "log"
    folder.mkdir()
    os.chown(folder, USER, USER)
    return folder


def test_what_two_releases_answered_during_a_swap_is_all_there(box, releases, folder):
    box.configure(log_mount=str(folder))
    box.write(f"{box.settings}/service.env", "SLIPWAY_LOG_TO=files\n")
    box.release(request(releases[0], 1))
    first = box.live()
    with under_traffic(box) as found:
        box.release(request(releases[1], 2))
    second = box.live()
    by_release = {name: [each for each in found.requests if each.release == name] for name in (first, second)}
    events = logged(folder)
    for name, answered in by_release.items():
        own = [event for event in events if event.release == name]  # a release also answers the golden row that checks it
        assert len(own) >= len(answered) > 0
    assert sum(len(event.rows) for event in events) - len(found.requests) <= 4


def test_a_full_log_drops_rows_and_no_answer_fails(box, releases, folder):
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=64k,uid={USER},gid={USER}", "tmpfs", folder], check=True)
    try:
        box.configure(log_mount=str(folder))
        box.write(f"{box.settings}/service.env", "SLIPWAY_LOG_TO=files\n")
        box.release(request(releases[0], 1))
        with under_traffic(box):
            box.release(request(releases[1], 2))
        told = box.docker("logs", f"slipway-{box.live()}").stderr
        kept = [event for path in folder.rglob("*.jsonl*") for event in read_events(path.read_bytes())]
        for name in box.releases():
            box.docker("rm", "--force", name)
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)
    assert '{"error":"answered rows are not logged","reason":"disk_full"}' in told
    assert kept.count(None) <= 8  # at most the last line of each worker's file is torn
