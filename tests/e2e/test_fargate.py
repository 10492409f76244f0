"""Releases on Fargate, as far as a stand-in of ECS with real containers and a load balancer shows them: nobody notices."""

from collections.abc import Iterator

import pytest

from bundles import ROWS, make_bundle
from images import checkout
from rehearsal.ecs import Ecs, make_ecs
from rehearsal.fargate import Image, Road, build_image
from rehearsal.fargate_stack import quick, read_stack
from rehearsal.traffic import traffic

pytestmark = pytest.mark.docker
NAME = "insurance"
GRACE = 12
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


@pytest.fixture
def ecs(docker, repository) -> Iterator[Ecs]:
    with make_ecs(docker, quick(read_stack(NAME, repository), GRACE)) as ecs:
        yield ecs


@pytest.fixture
def road(ecs, repository) -> Road:
    return Road(ecs, repository)


def test_releases_reverts_and_faults_cost_no_request(docker, road, images, repository):
    ecs = road.ecs
    crashing = build_image(docker, images[0].folder, repository, CRASHING)
    first = road.release("first", images[0], 1)
    assert first.code == 0, first.said
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


def test_a_stop_that_does_not_wait_for_the_delay_costs_requests(road, images):
    """The negative control: this traffic, and this load balancer, see a task that goes too early."""
    road.ecs.stop_at_once = True
    assert road.release("first", images[0], 1).code == 0
    with traffic("127.0.0.1", road.ecs.balancer.port, ROWS[0], RATE) as found:
        assert road.release("another model", images[1], 2).code == 0
    assert found.failed
