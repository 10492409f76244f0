"""kill -9 of the release program after every step: old or new serves, and the next run cleans up and succeeds."""

import json

import pytest

from rehearsal.box import PROGRAM
from swaps import request, under_traffic

pytestmark = pytest.mark.docker
# The program itself, which dies when its N-th step is done.
DIES = """
import os, signal, sys
sys.path.insert(0, "%s")
from slipway.release.box import program
left = [int(sys.argv[1])]
def done(self, step, seconds):
    print(step, flush=True)
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
program.Log.done = done
program.main([])
"""
STEPS = 14


def test_after_every_step(box, releases):
    for number in (1, 2):
        box.release(request(releases[number - 1], number))
    died, number = [], 2
    with under_traffic(box) as found:
        for step in range(1, STEPS + 1):
            number += 1
            text = json.dumps(request(releases[number % 3], number))
            killed = box.run("python3", "-c", DIES % PROGRAM, str(step), text=text, check=False)
            died.append(killed.returncode)
            box.release(request(releases[number % 3], number))
            assert len(box.releases()) == 2, killed.stdout
            folders = box.run("ls", f"{box.state}/sockets").stdout.split()
            assert folders == sorted(["active.sock", "keys", *(name.removeprefix("slipway-") for name in box.releases())])
            assert set(box.images()) <= set(releases)
    assert died[:12] == [137] * 12
    assert died[-1] == 0  # the last ones have no such step any more
    assert_every_start_has_one_end(box)
    assert len(found.bundles()) == 3


def assert_every_start_has_one_end(box) -> None:
    lines = box.run("cat", f"{box.state}/history.jsonl").stdout.splitlines()
    events = [(each["release"], each["event"]) for each in map(json.loads, lines)]
    for started in [release for release, event in events if event == "start"]:
        ends = [event for release, event in events if release == started and event != "start"]
        assert ends in (["live"], ["failed"])
