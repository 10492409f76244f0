"""Three services on one box: whatever happens to one of them, the others answer."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundles import ROWS
from rehearsal.box import PROGRAM, Box, make_box, neighbour
from rehearsal.neighbours import copy_image, load, swap_and_go_back
from swaps import request

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def services(docker, registry, repository, releases) -> Iterator[list[Box]]:
    """Three services of one box, each with its own repository and its first release."""
    others = {name: f"{registry.host}/{name}" for name in ("churn", "fraud")}
    for images in others.values():
        for digest in releases[:2]:
            key = request(digest, 1)["key"]
            copy_image(docker, Path(os.environ["DOCKER_CONFIG"]), f"{repository}@{digest}", f"{images}:{key}")
    with make_box(docker, repository, (registry.host, "AWS", registry.password), others=others) as box:
        found = [box, *(neighbour(box, *each) for each in others.items())]
        for service in found:
            service.release(request(releases[0], 1))
        yield found


def test_two_answer_while_the_third_is_swapped_and_goes_back(services, releases, capsys):
    insurance, churn, fraud = services
    with load(services, ROWS[0]) as (first, second, swapped):
        swaps, rollbacks = swap_and_go_back(fraud, [request(releases[number % 2], number) for number in range(2, 5)])
    with capsys.disabled():
        sent = " + ".join(str(len(each.requests)) for each in (first, second, swapped))
        print(f"\nthree services: {sent} requests; swaps {max(swaps):.1f} s, rollbacks {max(rollbacks):.1f} s at most")
    assert first.failed == second.failed == swapped.failed == []
    assert {each.release for each in first.requests} == {insurance.live()}
    assert {each.release for each in second.requests} == {churn.live()}
    assert len({each.release for each in swapped.requests}) > 2


def test_the_previous_release_is_stopped_and_the_memory_is_the_others(services, releases):
    *_, fraud = services
    fraud.release(request(releases[1], 9))
    assert fraud.releases() == [f"slipway-{fraud.live()}"]


def test_a_job_sees_and_releases_nothing_but_its_own_service(services, releases):
    insurance, churn, _ = services
    lives = insurance.live(), churn.live()
    as_runner = ("runuser", "-u", churn.runner, "--")
    for command in (
        ("cat", f"{insurance.settings}/service.env"),
        ("cat", f"{insurance.state}/history.jsonl"),
        ("ls", f"{insurance.state}/sockets"),
        ("ls", insurance.state),
        ("ls", "/etc/slipway/services"),
        ("ls", f"/home/{insurance.runner}"),
        ("sudo", "-n", PROGRAM, "--service", "insurance"),
        ("sudo", "-n", PROGRAM, "--service", "insurance", "status"),
        ("sudo", "-n", "env", "SUDO_UID=0", PROGRAM),
        ("sudo", "-n", "SUDO_UID=0", PROGRAM),
    ):
        assert insurance.run(*as_runner, *command, text="{}", check=False).returncode != 0, command
    churn.release(request(releases[1], 2))
    assert insurance.live() == lives[0] and churn.live() != lives[1]
    asked = request(releases[1], 3) | {"service": "insurance"}
    assert "exactly the fields" in churn.release(asked, check=False).stdout


def test_a_crash_loop_a_full_quota_and_a_hunger_for_memory_are_one_s_own(docker, services):
    insurance, churn, fraud = services
    container = f"slipway-{fraud.live()}"
    inside = ("exec", container, "python", "-c")
    with load([insurance, churn], ROWS[0]) as (first, second):
        full = docker(*inside, "open('/tmp/full', 'wb').write(bytes(300 << 20))", check=False)
        assert "No space left" in full.stderr or full.returncode == 137, full.stderr
        hungry = docker(*inside, "kept = [b'x' * (50 << 20) for _ in range(99)]", check=False)
        assert hungry.returncode == 137, "the kernel ends it at its limit"
        for _ in range(3):
            docker(*inside, "import os; os.kill(1, 15)", check=False)
    assert first.failed == second.failed == []
    insurance.run("sh", "-c", f"until {PROGRAM} --service fraud status | grep -q '^live.*ready'; do sleep 0.2; done")


def test_a_service_that_does_not_fit_is_refused_with_the_sum(services, releases):
    insurance, churn, _ = services
    live = churn.live()
    churn.configure(memory="4096g")
    refused = churn.release(request(releases[0], 5), check=False)
    churn.configure(memory="512m")
    assert refused.returncode == 7
    assert "churn does not fit: fraud 512 + insurance 512 + churn 4194304 and 2 × 4194304 for its swap" in refused.stdout
    assert churn.live() == live
    assert "MiB at the limits of all releases and one swap" in insurance.run(PROGRAM, "status").stdout


def test_root_names_the_service(services):
    insurance = services[0]
    done = insurance.run(PROGRAM, "rollback", check=False)
    assert done.returncode == 7 and "several services: churn, fraud, insurance. Name one" in done.stdout
    assert insurance.run(PROGRAM, "status").stdout.count("\nlive ") == 3
    drained = insurance.run(PROGRAM, "drain").stdout
    assert "draining: none" in drained
    history = insurance.run("tail", "-n", "1", f"{insurance.state}/history.jsonl").stdout
    assert json.loads(history)["run_number"] == 1
