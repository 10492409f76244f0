"""Releases on Fargate, as far as a stand-in of ECS with real containers and a load balancer shows them: nobody notices."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundles import ROWS, make_bundle
from code_pipeline import ActionFailed, deploy_by_action
from images import checkout
from rehearsal.box import ROOT
from rehearsal.containers import Docker
from rehearsal.ecs import make_ecs
from rehearsal.fargate import Image, Road, build_image
from rehearsal.fargate_stack import quick, read_stack
from rehearsal.traffic import traffic
from slipway.release.clock import Clock
from slipway.release.fargate.aws import Aws
from slipway.release.fargate.ecs_action import image_definitions

pytestmark = pytest.mark.docker
NAME = "insurance"
GRACE = 60  # for a good task on a machine with much else to do; one that crashes is found at once
RATE = 60
CRASHING = 'CMD ["python", "-c", "raise SystemExit(3)"]'


@pytest.fixture(scope="module")
def images(docker, repository, tmp_path_factory) -> list[Image]:
    """Of two models."""
    made = []
    for charge in (250.0, 251.0):
        folder = tmp_path_factory.mktemp("checkout")
        make_bundle(checkout(folder), "regression", weights=[[charge], [30.0], [23000.0], [1.0]])
        made.append(build_image(docker, folder, repository))
    return made


@pytest.fixture(scope="module")
def crashing(docker, images, repository) -> Image:
    return build_image(docker, images[0].folder, repository, CRASHING)


@contextmanager
def empty_road(docker: Docker, repository: str) -> Iterator[Road]:
    """To a service that nothing was released to."""
    with make_ecs(docker, quick(read_stack(NAME, repository), GRACE)) as ecs:
        yield Road(ecs, repository)


@pytest.fixture(scope="module")
def road(docker, repository, images) -> Iterator[Road]:
    """Both scenarios go on where the first release ended, which is the first of a pipeline with the action for ECS."""
    with empty_road(docker, repository) as road:
        by_action(road, images[0])
        first = verify(road, images[0], 1)
        assert first.returncode == 0 and "the first one brings the tasks" in first.stdout, first.stderr
        yield road


def environ_of(road: Road) -> dict[str, str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # of the `aws` beside this Python
    return os.environ | road.ecs.environ | {"PYTHONPATH": str(ROOT / "src"), "PATH": path}


def by_action(road: Road, image: Image, minutes: float = 5) -> None:
    """What the action for ECS of CodePipeline does with a file for each container of the image."""
    current = road.ecs.definitions[road.ecs.service.primary.revision]
    definitions = image_definitions(current, road.repository, image.digest)
    deploy_by_action(Aws(environ_of(road)), Clock(), NAME, definitions, minutes, pause=0.5)


def verify(road: Road, image: Image, run_number: int) -> subprocess.CompletedProcess:
    """The action after it."""
    command = [sys.executable, "-m", "slipway.release.fargate.ecs_action", "verify", NAME, road.repository]
    asked = json.dumps(image.request(run_number))
    return subprocess.run(
        command, cwd=image.folder, env=environ_of(road), input=asked, capture_output=True, text=True, timeout=300
    )


def test_releases_reverts_and_faults_cost_no_request(road, images, crashing):
    ecs = road.ecs
    with traffic("127.0.0.1", ecs.balancer.port, ROWS[0], RATE) as found:
        second = road.release("another model", images[1], 2)
        assert second.code == 0, second.said
        assert ecs.labels()["slipway.run"] == "2"
        again = road.release("the same again", images[1], 2)
        assert (again.code, again.live) == (0, second.live), again.said
        older = road.release("an older run", images[0], 1)
        assert older.code != 0 and older.live == second.live, older.said
        failed = road.release("a release that crashes", crashing, 3)
        assert failed.code != 0 and failed.live == second.live, failed.said
        road.settle()
        ecs.put_parameter("SLIPWAY_CORS_ORIGINS", "https://example.com")
        changed = road.release("a changed setting", images[1], 2)
        assert changed.code == 0 and changed.live != second.live, changed.said
        reverted = road.release("git revert", images[0], 4)
        assert reverted.code == 0, reverted.said
        road.do("scale out", lambda: ecs.scale(3))
        road.do("scale in", lambda: ecs.scale(2))
        road.do("a task stopped by ECS", lambda: ecs.tasks()[0].stop("Fargate retires the task"))
    assert found.failed == []
    assert len(found.bundles()) == 2
    assert reverted.until_all(found) < 60


def test_releases_by_the_action_of_codepipeline_cost_no_request(road, images, crashing):
    with traffic("127.0.0.1", road.ecs.balancer.port, ROWS[0], RATE) as found:
        by_action(road, images[1])
        assert verify(road, images[1], 5).returncode == 0
        with pytest.raises(ActionFailed):
            by_action(road, crashing, 0.1)
        failed = verify(road, crashing, 6)
        assert failed.returncode != 0 and "went back" in failed.stderr, failed.stdout
        road.settle()
        by_action(road, images[0])
        reverted = verify(road, images[0], 7)
        assert reverted.returncode == 0, reverted.stderr
    assert found.failed == []
    assert len(found.bundles()) == 2


def test_a_stop_that_does_not_wait_for_the_delay_costs_requests(docker, repository, images):
    """The negative control: this traffic, and this load balancer, see a task that goes too early."""
    with empty_road(docker, repository) as road:
        road.ecs.stop_at_once = True
        assert road.release("first", images[0], 1).code == 0
        with traffic("127.0.0.1", road.ecs.balancer.port, ROWS[0], RATE) as found:
            assert road.release("another model", images[1], 2).code == 0
    assert found.failed
