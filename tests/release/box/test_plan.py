"""The steps of a swap, as exact arguments, without an engine."""

import pytest

from slipway.release.box import plan as steps
from slipway.release.box.configuration import Configuration
from slipway.release.box.drain import Drainer, drain_group, overdue
from slipway.release.box.plan import plan_release, run_arguments
from slipway.release.box.state import Box, Release, kept

REPOSITORY = "registry.example/insurance"
CONFIGURATION = Configuration(REPOSITORY, keep=3)
DIGEST, KEY = "sha256:" + "1" * 64, "2" * 64
OLD, PREVIOUS, STRAY = "b" * 12, "c" * 12, "d" * 12
NEW = Release("a" * 12, DIGEST, "e" * 40, 7, OLD, "2026-11-21T00:00:00+00:00")


def release(id: str, digest: str, before: str | None) -> Release:
    return Release(id * 12, f"sha256:{digest * 64}", "e" * 40, 7, before and before * 12, "2026-11-21T00:00:00+00:00")


def lines(*groups: steps.Group) -> list[str]:
    return [str(step) for group in groups for step in group.steps]


def test_a_swap_in_order(tmp_path):
    plan = plan_release(NEW, KEY, CONFIGURATION, Box("insurance", tmp_path))
    assert [*(group.name for group in (*plan.before, plan.switch)), "Drain", "Clean old images"] == list(steps.GROUPS)
    found = lines(*plan.before, plan.switch)
    assert [line.split()[0] for line in found] == [
        "docker",
        "check",
        "write",
        "docker",
        "wait",
        "ask",
        "docker",
        "rename",
        "ask",
    ]
    assert [line for line in found if line.startswith(("docker stop", "docker rm"))] == []


def test_an_image_is_pulled_by_its_release_key_and_run_by_its_digest(tmp_path):
    pull, require, _, run, *_ = lines(*plan_release(NEW, KEY, CONFIGURATION, Box("insurance", tmp_path)).before)
    assert pull == f"docker pull --quiet {REPOSITORY}:{KEY}"
    assert require == f"check that {REPOSITORY}:{KEY} is {DIGEST}"
    assert run.endswith(f"{REPOSITORY}@{DIGEST}")


def test_what_is_idle_is_ended_in_order_and_what_answers_stays():
    found = lines(drain_group([Drainer(PREVIOUS, 0, 0.0), Drainer(STRAY, 1, 3_599.0)], CONFIGURATION))
    assert found == [
        f"docker stop --time 40 slipway-{PREVIOUS}",
        f"docker rm --force slipway-{PREVIOUS}",
        f"remove the folder of {PREVIOUS}",
    ]


@pytest.mark.parametrize(
    "busy, expected",
    [
        ([], ""),
        ([("a", 0)], ""),
        ([("a", 3_600)], "a"),
        ([("a", 10), ("b", 20)], ""),
        ([("a", 10), ("b", 20), ("c", 30)], "c"),
        ([("a", 10), ("b", 5_000), ("c", 4_000)], "bc"),
        ([("a", 10), ("b", 20), ("c", 5_000)], "c"),
    ],
)
def test_the_oldest_are_cut_when_they_are_too_many_or_too_slow(busy, expected):
    configuration = Configuration(REPOSITORY, draining=2)
    found = [Drainer(id * 12, 1, seconds) for id, seconds in busy] + [Drainer("f" * 12, 0, 9_999.0)]
    assert "".join(sorted(each.id[0] for each in overdue(found, configuration))) == expected
    assert all(step.startswith("docker rm --force") for step in lines(drain_group(found, configuration))[3::2])


def test_a_release_runs_without_rights(tmp_path):
    box = Box("insurance", tmp_path)
    found = run_arguments(NEW, CONFIGURATION, box)
    pairs = list(zip(found, found[1:]))
    for pair in (
        ("--cap-drop", "ALL"),
        ("--security-opt", "no-new-privileges"),
        ("--network", "none"),
        ("--user", "10001:10001"),
        ("--memory", "512m"),
        ("--memory-swap", "512m"),
        ("--pids-limit", "256"),
        ("--restart", "no"),
        ("--env-file", str(box.environment)),
        ("--label", "slipway.service=insurance"),
        ("--log-opt", "max-size=10m"),
        ("--mount", f"type=bind,source={box.sockets}/{NEW.id},target=/run/slipway/{NEW.id}"),
        ("--mount", f"type=bind,source={box.sockets}/keys,target=/run/slipway/keys,readonly"),
        ("--env", f"GUNICORN_CMD_ARGS=--bind=unix:/run/slipway/{NEW.id}/web.sock"),
    ):
        assert pair in pairs
    assert "--read-only" in found
    assert found[-1] == f"{REPOSITORY}@{DIGEST}"
    assert not {"--privileged", "--publish", "--volume"} & set(found)


def test_a_release_below_a_path_knows_it(tmp_path):
    box = Box("churn", tmp_path)
    assert not [each for each in run_arguments(NEW, CONFIGURATION, box) if "PREFIX" in each]
    found = run_arguments(NEW, Configuration(REPOSITORY, prefix="/churn"), box)
    assert ("--env", "SLIPWAY_URL_PREFIX=/churn") in zip(found, found[1:])


def test_only_a_folder_that_is_named_is_mounted_for_the_log(tmp_path):
    box = Box("insurance", tmp_path)
    assert not [each for each in run_arguments(NEW, CONFIGURATION, box) if "SLIPWAY_LOG" in each]
    found = run_arguments(NEW, Configuration(REPOSITORY, log_mount="/srv/log"), box)
    pairs = list(zip(found, found[1:]))
    assert ("--mount", "type=bind,source=/srv/log,target=/var/log/slipway") in pairs
    assert ("--env", "SLIPWAY_LOG=/var/log/slipway") in pairs


def test_the_path_of_the_socket_is_short_enough_for_the_kernel(tmp_path):
    assert len(str(Box("n" * 25).socket(NEW.id))) <= 107
    assert len(f"{steps.inside_folder(NEW.id)}/web.sock") <= 107


@pytest.mark.parametrize("count, expected", [(2, "abc"), (3, "abcd"), (9, "abcde")])
def test_the_live_and_the_previous_one_stay_and_older_ones_by_their_images(count, expected):
    chain = [
        release(*each)
        for each in (
            ("a", "1", "b"),
            ("b", "2", "c"),
            ("c", "1", "d"),
            ("d", "3", "e"),
            ("e", "4", None),
        )
    ]
    assert "".join(each.id[0] for each in kept(chain, count)) == expected


def test_every_name_of_an_image_that_is_not_kept_is_removed():
    keep = [release("a", "1", "b"), release("b", "2", None)]
    images = {f"sha256:{digit * 64}": [f"{REPOSITORY}:{digit * 64}"] for digit in "123"}
    images[f"sha256:{'4' * 64}"] = [f"{REPOSITORY}:one", f"{REPOSITORY}@sha256:{'4' * 64}"]
    group = steps.clean_steps(keep, images, ["c" * 12], ["a" * 12, "f" * 12])
    assert [str(step) for step in group.steps] == [
        f"docker image rm {REPOSITORY}:{'3' * 64}",
        f"docker image rm {REPOSITORY}:one",
        f"docker image rm {REPOSITORY}@sha256:{'4' * 64}",
        f"remove the folder of {'c' * 12}",
        f"remove the record of {'f' * 12}",
    ]
