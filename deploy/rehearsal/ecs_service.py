"""An ECS service: which tasks it starts and stops, and what it says of its deployments.

As ECS has it for a rolling update: a new deployment is PRIMARY, those before it are ACTIVE until their last task is gone.
Tasks of the new one start as long as no more than `most` percent of the wanted number run; older ones stop as long as at least
`least` percent are healthy. A task that stops, or is not healthy when the grace period is over, before it was ever healthy,
is a failed task; at `threshold` of them the circuit breaker ends the deployment, and the last completed one is PRIMARY again.
A deployment is COMPLETED when its tasks are healthy and all others are gone.

A real service is slower: it looks at its tasks every few seconds, Fargate takes 20 to 60 s to start one, and after repeated
failures it waits longer and longer between tasks. A healthy task resets the count of failed ones here, as
``resetOnHealthyTask`` does there.
"""

import math
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

ROLLING_BACK = "ECS deployment circuit breaker: rolling back to deploymentId {}."
TRIPPED = "ECS deployment circuit breaker: tasks failed to start."
STOPPED = "ECS deployment stopped by StopServiceDeployment."


class Task(Protocol):
    """What a service knows of a task."""

    id: str
    deployment: str
    was_healthy: bool

    @property
    def status(self) -> str:
        """PENDING, RUNNING, DEACTIVATING, STOPPING or STOPPED."""

    @property
    def healthy(self) -> bool:
        """Whether it runs, and its container and the load balancer find it healthy."""

    def fault(self) -> str:
        """Why it has to be replaced although it runs; empty if it has not."""

    def stop(self, reason: str) -> None:
        """Begin its end."""


@dataclass
class Deployment:
    """One deployment of the service; the newest is the first of its list."""

    id: str
    revision: str
    wanted: int
    created: float
    updated: float
    state: str = "IN_PROGRESS"
    reason: str = ""
    failed: int = 0


@dataclass
class Service:
    """The scheduler. `step` does what is due; `start` makes a task of a deployment."""

    revision: str
    start: Callable[[Deployment], Task]
    clock: Callable[[], float]
    desired: int = 0
    least: int = 100
    most: int = 200
    threshold: int = 3
    tasks: list[Task] = field(default_factory=list)
    stopped: list[Task] = field(default_factory=list)
    deployments: list[Deployment] = field(default_factory=list)
    history: list[Deployment] = field(default_factory=list)
    events: list[tuple[float, str]] = field(default_factory=list)
    completed: Deployment | None = None
    _counted: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._deploy(self.revision)

    @property
    def primary(self) -> Deployment:
        """The deployment that the service wants."""
        return self.deployments[0]

    def update(self, revision: str | None = None, desired: int | None = None, force: bool = False) -> None:
        """UpdateService: another revision is a new deployment, another number alone is none."""
        if desired is not None:
            self.desired = self.primary.wanted = desired
        if (revision is not None and revision != self.revision) or force:
            self._deploy(revision or self.revision)

    def roll_back(self, deployment: Deployment, reason: str = STOPPED) -> None:
        """End a deployment in favour of the last completed one; without one, nothing is started any more."""
        deployment.state, deployment.reason = "FAILED", reason
        deployment.updated = self.clock()
        self._say(f"deployment {deployment.id} deployment failed: {reason}")
        if self.completed is None:
            return
        before = next((each for each in self.deployments if each is self.completed), None)
        if before is None:
            before = self._deploy(self.completed.revision)
        self.deployments.remove(before)
        self.deployments.insert(0, before)
        before.state, before.wanted, before.updated = "IN_PROGRESS", self.desired, self.clock()
        before.reason = ROLLING_BACK.format(self.completed.id)
        self.completed, self.revision = before, before.revision

    def step(self) -> None:
        """Do what is due now."""
        self._look_for_health()
        self._look_for_faults()
        self._forget_stopped()
        if self.primary.state == "IN_PROGRESS" and self.primary.failed >= self.threshold:
            self.roll_back(self.primary, TRIPPED)
        self._start_missing()
        self._stop_surplus()
        with_tasks = {task.deployment for task in self.tasks}
        self.deployments = [each for each in self.deployments if each is self.primary or each.id in with_tasks]
        self._complete()

    def of(self, deployment: Deployment) -> list[Task]:
        """Tasks of a deployment that are not told to stop."""
        return [task for task in self._live() if task.deployment == deployment.id]

    def _live(self) -> list[Task]:
        return [task for task in self.tasks if task.status in ("PENDING", "RUNNING")]

    def _deployment(self, task: Task) -> Deployment:
        return next(each for each in self.history if each.id == task.deployment)

    def _deploy(self, revision: str) -> Deployment:
        now = self.clock()
        made = Deployment(f"ecs-svc/{uuid.uuid4().int % 10**19:019}", revision, self.desired, now, now)
        self.revision = revision
        self.deployments.insert(0, made)
        self.history.insert(0, made)
        return made

    def _look_for_health(self) -> None:
        for task in self.tasks:
            if task.healthy and not task.was_healthy:
                task.was_healthy = True
                self._deployment(task).failed = 0

    def _look_for_faults(self) -> None:
        for task in self._live():
            if reason := task.fault():
                self._count_failure(task)
                task.stop(reason)

    def _forget_stopped(self) -> None:
        for task in [each for each in self.tasks if each.status == "STOPPED"]:
            self.tasks.remove(task)
            self.stopped.append(task)
            self._count_failure(task)

    def _count_failure(self, task: Task) -> None:
        """A task that never was healthy speaks against its deployment, once."""
        if not task.was_healthy and task.id not in self._counted:
            self._counted.add(task.id)
            self._deployment(task).failed += 1

    def _start_missing(self) -> None:
        if self.primary.state == "FAILED":
            return
        room = math.floor(self.desired * self.most / 100) - len(self._live())
        for _ in range(min(self.desired - len(self.of(self.primary)), room)):
            task = self.start(self.primary)
            self.tasks.append(task)
            self._say(f"has started 1 tasks: (task {task.id}).")

    def _stop_surplus(self) -> None:
        """Older tasks go first, of them the unhealthy ones; as many as must be healthy stay."""
        own = self.of(self.primary)
        older = sorted((task for task in self._live() if task not in own), key=lambda task: task.healthy)
        surplus = older + sorted(own, key=lambda task: task.healthy)[: max(0, len(own) - self.desired)]
        healthy = sum(task.healthy for task in self._live())
        floor = math.ceil(self.desired * self.least / 100)
        for task in surplus:
            if task.healthy and healthy <= floor:
                break
            healthy -= task.healthy
            task.stop("Scaling activity initiated by deployment" if task in older else "Scaling activity")
            self._say(f"has stopped 1 running tasks: (task {task.id}).")

    def _complete(self) -> None:
        own = self.of(self.primary)
        settled = len(own) == self.desired == len(self.tasks) and all(task.healthy for task in own)
        if self.primary.state == "IN_PROGRESS" and settled and self.deployments == [self.primary]:
            self.primary.state, self.primary.updated = "COMPLETED", self.clock()
            self.completed = self.primary
            self._say("has reached a steady state.")

    def _say(self, text: str) -> None:
        self.events.insert(0, (self.clock(), text))


def counts(tasks: Sequence[Task]) -> tuple[int, int]:
    """Running and pending tasks."""
    return sum(task.status == "RUNNING" for task in tasks), sum(task.status == "PENDING" for task in tasks)
