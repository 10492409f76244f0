"""What the scheduler of the ECS stand-in starts and stops, and what it says of deployments: without a container or a clock."""

from dataclasses import dataclass, field

import pytest

from rehearsal.ecs_service import ROLLING_BACK, TRIPPED, Service


@dataclass
class FakeTask:
    """A task that does what the test says."""

    deployment: str
    id: str
    status: str = "PENDING"
    healthy: bool = False
    was_healthy: bool = False
    broken: str = ""
    reasons: list[str] = field(default_factory=list)

    def fault(self) -> str:
        return self.broken

    def stop(self, reason: str) -> None:
        self.reasons.append(reason)
        self.status, self.healthy = "DEACTIVATING", False


class World:
    """A service whose tasks get healthy, or do not, as its revision is named."""

    def __init__(self, desired: int = 2) -> None:
        self.started: list[FakeTask] = []
        self.service = Service("first", self._start, clock=lambda: 0.0, desired=desired)

    def _start(self, deployment) -> FakeTask:
        task = FakeTask(deployment.id, f"task-{len(self.started)}")
        self.started.append(task)
        return task

    def _revision(self, task: FakeTask) -> str:
        return next(each.revision for each in self.service.history if each.id == task.deployment)

    def play(self, steps: int = 20) -> None:
        """Let time pass: whoever starts runs, gets healthy or fails; whoever ends is gone."""
        for _ in range(steps):
            self.service.step()
            for task in self.service.tasks:
                if task.status == "DEACTIVATING":
                    task.status = "STOPPED"
                elif task.status == "PENDING":
                    task.status = "RUNNING"
                elif task.status == "RUNNING" and self._revision(task) == "crashing":
                    task.status = "STOPPED"
                elif task.status == "RUNNING" and self._revision(task) == "sick":
                    task.broken = "Task failed ELB health checks"
                elif task.status == "RUNNING":
                    task.healthy = True

    def shown(self) -> list[tuple[str, str]]:
        return [(each.revision, each.state) for each in self.service.deployments]

    def healthy(self) -> int:
        return sum(task.healthy for task in self.service.tasks)


@pytest.fixture
def world() -> World:
    made = World()
    made.play()
    assert made.shown() == [("first", "COMPLETED")]
    return made


def test_an_empty_service_is_completed_and_starts_nothing():
    world = World(desired=0)
    world.play()
    assert world.shown() == [("first", "COMPLETED")]
    assert world.started == []


def test_the_first_release_sets_the_number(world):
    world = World(desired=0)
    world.play()
    world.service.update("second", desired=2)
    world.play()
    assert world.shown() == [("second", "COMPLETED")]
    assert world.healthy() == 2


def test_a_rolling_update_never_has_too_few_nor_too_many(world):
    world.service.update("second")
    assert world.shown() == [("second", "IN_PROGRESS"), ("first", "COMPLETED")]
    for _ in range(20):
        world.play(1)
        live = [task for task in world.service.tasks if task.status in ("PENDING", "RUNNING")]
        assert world.healthy() >= 2
        assert len(live) <= 4
    assert world.shown() == [("second", "COMPLETED")]
    assert len(world.started) == 4


def test_it_is_completed_only_when_the_last_older_task_is_gone(world):
    world.service.update("second")
    world.service.step()
    for task in world.started[2:]:
        task.status, task.healthy = "RUNNING", True
    for _ in range(5):
        world.service.step()
    assert [task.status for task in world.started] == ["DEACTIVATING", "DEACTIVATING", "RUNNING", "RUNNING"]
    assert world.shown() == [("second", "IN_PROGRESS"), ("first", "COMPLETED")]
    for task in world.started[:2]:
        task.status = "STOPPED"
    world.service.step()
    assert world.shown() == [("second", "COMPLETED")]


@pytest.mark.parametrize("revision", ["crashing", "sick"])
def test_failed_tasks_trip_the_circuit_breaker_and_the_last_completed_release_goes_on(world, revision):
    before = world.service.primary.id
    world.service.update(revision)
    failed = world.service.primary
    for _ in range(30):
        world.play(1)
        assert world.healthy() >= 2
    assert (failed.state, failed.reason) == ("FAILED", TRIPPED)
    assert failed.failed >= 3
    assert world.shown() == [("first", "COMPLETED")]
    assert world.service.primary.id == before
    assert world.service.primary.reason == ROLLING_BACK.format(before)
    assert world.service.revision == "first"
    assert [task.healthy for task in world.started[:2]] == [True, True]


def test_without_a_completed_release_a_failed_one_starts_nothing_any_more():
    world = World()
    world.service.update("crashing")
    world.play(30)
    assert world.shown() == [("crashing", "FAILED")]
    assert len(world.started) <= 6


def test_a_newer_release_overtakes(world):
    world.service.update("second")
    world.play(1)
    world.service.update("third")
    assert world.shown() == [("third", "IN_PROGRESS"), ("second", "IN_PROGRESS"), ("first", "COMPLETED")]
    world.play()
    assert world.shown() == [("third", "COMPLETED")]


def test_the_same_revision_is_no_deployment_unless_forced(world):
    before = world.service.primary.id
    world.service.update("first")
    assert world.service.primary.id == before
    world.service.update("first", force=True)
    assert world.service.primary.id != before


def test_a_task_that_dies_is_replaced_and_speaks_against_nobody(world):
    world.started[0].status, world.started[0].healthy = "STOPPED", False
    world.play()
    assert world.healthy() == 2
    assert len(world.started) == 3
    assert world.service.primary.failed == 0


def test_a_task_that_becomes_healthy_resets_the_count(world):
    world.service.update("second")
    for _ in range(2):
        world.service.step()
        world.service.tasks[-1].status = "STOPPED"
    world.service.step()
    assert world.service.primary.failed == 2
    world.play()
    assert (world.shown(), world.service.primary.failed) == ([("second", "COMPLETED")], 0)


def test_the_desired_count_scales_without_a_deployment(world):
    before = world.service.primary.id
    world.service.update(desired=4)
    world.play()
    assert world.healthy() == 4
    world.service.update(desired=2)
    world.play()
    assert len(world.service.tasks) == world.healthy() == 2
    assert world.service.primary.id == before


def test_a_stopped_deployment_goes_back(world):
    world.service.update("second")
    world.play(1)
    stopped = world.service.primary
    world.service.roll_back(stopped)
    assert world.shown() == [("first", "IN_PROGRESS"), ("second", "FAILED")]
    world.play()
    assert world.shown() == [("first", "COMPLETED")]
    assert world.healthy() == 2
