"""The release program on a box with a real engine, nginx and traffic: nobody notices a swap."""

import pytest

from bundles import ROWS
from rehearsal.box import Box
from rehearsal.traffic import Traffic, traffic

pytestmark = pytest.mark.docker
RATE = 300


def request(digest: str, run_number: int) -> dict:
    return {"digest": digest, "commit": f"{run_number:040x}", "run_number": run_number}


def under_traffic(box: Box):
    return traffic("127.0.0.1", box.port, ROWS[0], RATE)


def assert_nobody_noticed(found: Traffic) -> None:
    assert [each for each in found.failed] == []
    assert found.rate >= 200


def test_twenty_swaps_and_five_rollbacks(box, releases):
    box.release(request(releases[0], 1))
    with under_traffic(box) as found:
        for number in range(2, 22):
            box.release(request(releases[number % 3], number))
        for number in range(5):
            box.rollback()
            box.release(request(releases[number % 3], 22 + number))
    assert_nobody_noticed(found)
    assert len(found.bundles()) == 3
