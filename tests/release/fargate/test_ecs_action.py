"""Releases by CodePipeline's own action for ECS, and what is made sure after it."""

import subprocess
import sys
from pathlib import Path

import pytest

import slipway
from clouds import ARN, BUNDLE, NAME, REPOSITORY, Cloud, answering, fargate, request
from code_pipeline import ActionFailed, deploy_by_action
from slipway.errors import ReleaseError
from slipway.release.fargate.ecs_action import image_definitions, verify
from slipway.release.fargate.revision import release_of


class Pipeline:
    """The stage of a pipeline with Deploy=ecs."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    @property
    def current(self) -> dict:
        """The revision that ECS works towards."""
        return self.cloud.definitions[self.cloud.deployments[0]["taskDefinition"]]

    def deploy(self, digest: str) -> None:
        deploy_by_action(self.cloud, self.cloud, NAME, image_definitions(self.current, REPOSITORY, f"sha256:{digest * 64}"))

    def verify(self, run: int, digest: str) -> list[str]:
        return [*verify(fargate(self.cloud), request(run, digest))]

    def release(self, run: int, digest: str) -> list[str]:
        self.deploy(digest)
        return self.verify(run, digest)

    def images(self) -> dict[str, str]:
        return {each["name"]: each["image"] for each in self.current["containerDefinitions"]}


@pytest.fixture
def pipeline():
    """Of a service that nothing was released to."""
    cloud = Cloud()
    with answering(cloud):
        yield Pipeline(cloud)


@pytest.fixture
def released(pipeline) -> Pipeline:
    pipeline.release(1, "a")
    return pipeline


def test_every_container_of_the_image_gets_the_new_one_by_digest_and_no_other(released):
    wanted = f"{REPOSITORY}@sha256:{'b' * 64}"
    assert image_definitions(released.current, REPOSITORY, f"sha256:{'b' * 64}") == [
        {"name": "app", "imageUri": wanted},
        {"name": "prepare", "imageUri": wanted},
    ]


def test_the_first_release_brings_the_tasks_and_the_settings(pipeline):
    pipeline.cloud.parameters["/slipway/insurance/SLIPWAY_API_KEYS"] = 1
    first, *_, last = pipeline.release(1, "a")
    assert first == "no release was made here yet: the first one brings the tasks and the settings"
    assert last.startswith("Result: release ") and "is live" in last
    assert (pipeline.cloud.serving(), pipeline.cloud.desired) == ("a", 2)
    assert [each["name"] for each in pipeline.cloud.app()["secrets"]] == ["SLIPWAY_API_KEYS"]


def test_the_next_one_is_the_action_s_alone_and_keeps_tasks_and_settings(released):
    before = released.cloud.app()
    said = released.release(2, "b")
    assert said[-1] == f"Result: sha256:{'b' * 12} of commit {'b' * 12} is live as {NAME}:4"
    assert released.cloud.serving() == "b" and released.images()["prepare"] == released.images()["app"]
    assert released.images()["other"] == "public.ecr.aws/other/sidecar:1"
    assert released.cloud.app() | {"image": ""} == before | {"image": ""}


def test_it_says_that_readyz_names_the_release_that_set_the_environment(released):
    id = released.cloud.app()["dockerLabels"]["slipway.release"]
    assert f"https://charges.example.com serves the bundle {BUNDLE[:12]}" in (said := released.release(2, "b"))
    assert f"/readyz goes on naming release {id} and its commit: the action for ECS changes the image alone" in said


def test_a_revert_is_the_earlier_digest(released):
    released.release(2, "b")
    released.release(3, "a")
    assert released.cloud.serving() == "a"


def test_an_image_that_breaks_leaves_the_old_one_serving_and_both_steps_red(released):
    released.cloud.crashing.add("b")
    with pytest.raises(ActionFailed, match="timed out"):
        released.deploy("b")
    with pytest.raises(ReleaseError, match="ECS went back to it .*rolling back"):
        released.verify(2, "b")
    assert released.cloud.serving() == "a"
    released.release(3, "c")
    assert released.cloud.serving() == "c"


def test_tasks_that_fail_after_the_action_are_told_with_their_last_words(released):
    released.deploy("b")
    released.cloud.deployments[0] |= {"rolloutState": "FAILED", "rolloutStateReason": "tasks failed to start."}
    with pytest.raises(ReleaseError, match="ECS gave up"):
        released.verify(2, "b")


def test_the_bundle_of_another_commit_is_red(released):
    released.cloud.wrong.add("b")
    with pytest.raises(ReleaseError, match="it serves the bundle eeee"):
        released.release(2, "b")


def test_without_an_address_ecs_is_asked_alone():
    pipeline = Pipeline(Cloud(url=""))
    pipeline.release(1, "a")
    assert "no public address to ask: its tasks are ready, as ECS sees them" in pipeline.release(2, "b")


def test_a_revision_of_the_action_is_no_release_and_slipway_releases_over_it(released):
    """Its labels are those of the release before: of another image."""
    released.release(2, "b")
    assert release_of(released.current) is None
    first, *_, last = fargate(released.cloud).deploy(request(1, "a"))
    assert first == f"live: {ARN}:4, which no release made"
    assert "is live" in last and released.cloud.serving() == "a"


def test_the_same_image_again_is_the_same_release(released):
    """The action makes a revision of its own for it, whose labels are right."""
    id = released.cloud.app()["dockerLabels"]["slipway.release"]
    assert not any("goes on naming" in line for line in released.release(2, "a"))
    assert release_of(released.current).id == id


@pytest.mark.parametrize("command", ["images", "verify"])
def test_the_command_needs_the_standard_library_alone_and_says_what_is_wrong(tmp_path, command):
    program = (sys.executable, "-S", "-m", "slipway.release.fargate.ecs_action", command, NAME, REPOSITORY)
    environ = {"PYTHONPATH": str(Path(slipway.__file__).parents[1])}
    done = subprocess.run(program, cwd=tmp_path, env=environ, input="nothing", capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and done.stderr.startswith("slipway: the request is not JSON"), done.stderr
