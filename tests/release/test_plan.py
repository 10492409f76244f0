"""The steps of a swap, as exact arguments, without an engine."""

import pytest

from slipway.release import plan as steps
from slipway.release.box import Box, Release, kept
from slipway.release.configuration import Configuration
from slipway.release.plan import plan_release, run_arguments

REPOSITORY = "registry.example/insurance"
CONFIGURATION = Configuration(REPOSITORY, keep=3)
DIGEST = "sha256:" + "1" * 64
OLD, PREVIOUS, STRAY = "b" * 12, "c" * 12, "d" * 12
NEW = Release("a" * 12, DIGEST, "e" * 40, 7, OLD, "2026-11-21T00:00:00+00:00")


def release(id: str, digest: str, before: str | None) -> Release:
    return Release(id * 12, f"sha256:{digest * 64}", "e" * 40, 7, before and before * 12, "2026-11-21T00:00:00+00:00")


def lines(plan: steps.Plan) -> list[str]:
    return [str(step) for group in (*plan.before, plan.switch, *plan.after) for step in group.steps]


def test_a_swap_in_order(tmp_path):
    plan = plan_release(NEW, CONFIGURATION, Box(tmp_path), [OLD, PREVIOUS])
    names = [group.name for group in (*plan.before, plan.switch, *plan.after)]
    assert [*names, "Clean old images"] == list(steps.GROUPS)
    found = lines(plan)
    assert found[0] == f"docker pull --quiet {REPOSITORY}@{DIGEST}"
    assert [line.split()[0] for line in found[1:]] == [
        "write", "docker", "wait", "ask", "docker", "rename", "ask", "wait", "wait", "docker", "docker", "remove",
    ]
    assert found[-4:] == [
        f"wait until {PREVIOUS} is idle, 60 s at most", f"docker stop --time 40 slipway-{PREVIOUS}",
        f"docker rm --force slipway-{PREVIOUS}", f"remove the folder of {PREVIOUS}",
    ]


def test_the_old_release_is_waited_for_and_never_stopped(tmp_path):
    found = lines(plan_release(NEW, CONFIGURATION, Box(tmp_path), [OLD]))
    assert f"wait until {OLD} is idle, 60 s at most" in found
    assert [line for line in found if line.startswith(("docker stop", "docker rm"))] == []


def test_what_a_killed_run_left_is_removed_too(tmp_path):
    found = lines(plan_release(NEW, CONFIGURATION, Box(tmp_path), [OLD, STRAY]))
    assert f"docker rm --force slipway-{STRAY}" in found


def test_nothing_is_stopped_before_new_connections_go_elsewhere(tmp_path):
    plan = plan_release(NEW, CONFIGURATION, Box(tmp_path), [OLD, PREVIOUS, STRAY])
    early = [str(step) for group in (*plan.before, plan.switch) for step in group.steps]
    assert [line for line in early if line.startswith(("docker stop", "docker rm"))] == []


def test_a_release_runs_without_rights(tmp_path):
    found = run_arguments(NEW, CONFIGURATION, Box(tmp_path))
    pairs = list(zip(found, found[1:]))
    for pair in (
        ("--cap-drop", "ALL"), ("--security-opt", "no-new-privileges"), ("--network", "none"), ("--user", "10001:10001"),
        ("--memory", "512m"), ("--memory-swap", "512m"), ("--pids-limit", "256"), ("--restart", "no"),
        ("--env-file", "/etc/slipway/service.env"), ("--log-opt", "max-size=10m"),
        ("--mount", f"type=bind,source={tmp_path}/sockets/{NEW.id},target=/run/slipway/{NEW.id}"),
        ("--env", f"GUNICORN_CMD_ARGS=--bind=unix:/run/slipway/{NEW.id}/web.sock"),
    ):
        assert pair in pairs
    assert "--read-only" in found
    assert found[-1] == f"{REPOSITORY}@{DIGEST}"
    assert not {"--privileged", "--publish", "--volume"} & set(found)


def test_the_path_of_the_socket_is_short_enough_for_the_kernel(tmp_path):
    assert len(str(Box().socket(NEW.id))) <= 107
    assert len(f"{steps.inside_folder(NEW.id)}/web.sock") <= 107


@pytest.mark.parametrize("count, expected", [(2, "abc"), (3, "abcd"), (9, "abcde")])
def test_the_live_and_the_previous_one_stay_and_older_ones_by_their_images(count, expected):
    chain = [release(*each) for each in (
        ("a", "1", "b"), ("b", "2", "c"), ("c", "1", "d"), ("d", "3", "e"), ("e", "4", None),
    )]
    assert "".join(each.id[0] for each in kept(chain, count)) == expected


def test_images_are_cleaned_by_digest_and_only_those_of_the_repository():
    keep = [release("a", "1", "b"), release("b", "2", None)]
    images = [f"sha256:{digit * 64}" for digit in "1234"]
    group = steps.clean_steps(CONFIGURATION, keep, images, ["c" * 12], ["a" * 12, "f" * 12])
    assert [str(step) for step in group.steps] == [
        f"docker image rm {REPOSITORY}@sha256:{'3' * 64}", f"docker image rm {REPOSITORY}@sha256:{'4' * 64}",
        f"remove the folder of {'c' * 12}", f"remove the record of {'f' * 12}",
    ]
