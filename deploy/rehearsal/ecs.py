"""Amazon ECS for one service: `make_ecs` runs it on the Docker engine of this machine, behind a load balancer of its own.

What it does as the real one, and what not, is said where it is done: ecs_service.py (deployments), ecs_task.py (containers),
target_group.py and proxy.py (the load balancer), ecs_api.py (what it answers).
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import time

from rehearsal.aws import ACCOUNT, KEYS, REGION
from rehearsal.containers import Docker
from rehearsal.ecs_service import Deployment, Service
from rehearsal.ecs_task import ContainerTask
from rehearsal.load_balancer import LoadBalancer, make_load_balancer
from rehearsal.target_group import Checks

TICK = 0.5


@dataclass(frozen=True)
class Stack:
    """What a service is made of; see `rehearsal.fargate_stack.read_stack`."""

    name: str
    definition: dict
    checks: Checks
    grace: float
    tasks: int
    threshold: int
    least: int = 100
    most: int = 200


@dataclass
class Ecs:
    """A cluster with one service; both have the name of the stack."""

    stack: Stack
    docker: Docker
    balancer: LoadBalancer
    stop_at_once: bool = False
    url: str = ""
    tags: dict[str, str] = field(default_factory=dict)
    definitions: dict[str, dict] = field(default_factory=dict)
    parameters: dict[str, tuple[str, int]] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        first = self.register(self.stack.definition)
        numbers = {"least": self.stack.least, "most": self.stack.most, "threshold": self.stack.threshold}
        self.service = Service(first, self._start, time, **numbers)

    @property
    def environ(self) -> dict[str, str]:
        """What makes the AWS command line talk to it."""
        return {"AWS_ENDPOINT_URL": self.url, "AWS_REGION": REGION, "AWS_DEFAULT_REGION": REGION, **KEYS}

    def register(self, definition: Mapping) -> str:
        """Keep a revision of a task definition; its ARN."""
        family = definition["family"]
        number = 1 + sum(each["family"] == family for each in self.definitions.values())
        arn = self.arn(f"task-definition/{family}:{number}")
        self.definitions[arn] = dict(definition) | {"taskDefinitionArn": arn, "revision": number, "status": "ACTIVE"}
        return arn

    def arn(self, what: str) -> str:
        return f"arn:aws:ecs:{REGION}:{ACCOUNT}:{what}"

    def put_parameter(self, name: str, value: str) -> None:
        """Keep a value in Parameter Store under /slipway/NAME/, as its next version."""
        path = f"/slipway/{self.stack.name}/{name}"
        with self.lock:
            self.parameters[path] = (value, self.parameters.get(path, ("", 0))[1] + 1)

    def scale(self, count: int) -> None:
        """Another desired count, as autoscaling sets it."""
        with self.lock:
            self.service.update(desired=count)

    def tasks(self) -> list[ContainerTask]:
        """All tasks that are not stopped."""
        with self.lock:
            return list(self.service.tasks)

    def labels(self) -> dict[str, str]:
        """What is live, as the primary deployment's container `app` has it."""
        containers = self.definitions[self.service.primary.revision]["containerDefinitions"]
        return next(each for each in containers if each["name"] == "app").get("dockerLabels", {})

    def settled(self) -> bool:
        """Whether the service has what it wants."""
        with self.lock:
            return self.service.primary.state == "COMPLETED" and self._steady()

    def _steady(self) -> bool:
        tasks = self.service.tasks
        return len(tasks) == self.service.desired and all(task.healthy for task in tasks)

    def tick(self) -> None:
        """Look at containers and targets, and do what is due."""
        tasks = self.tasks()
        names = [name for task in tasks for name in task.names().values()]
        found = {}
        if names:
            listed = json.loads(self.docker("inspect", "--type", "container", *names, check=False).stdout or "[]")
            found = {each["Name"].removeprefix("/"): each["State"] for each in listed}
        targets = self.balancer.states()
        with self.lock:
            for task in tasks:
                task.look(found, targets)
            self.service.step()

    def run(self, ended: threading.Event) -> None:
        """Tick until the event."""
        while not ended.wait(TICK):
            self.tick()

    def remove(self) -> None:
        """Leave no container, whatever its state."""
        with self.lock:
            self.service.desired = 0
            tasks = self.service.tasks + self.service.stopped
        for task in tasks:
            task.abandon()

    def _start(self, deployment: Deployment) -> ContainerTask:
        definition = self.definitions[deployment.revision]
        named = [each for container in definition["containerDefinitions"] for each in container.get("secrets", [])]
        values = {
            each["name"]: self.parameters[each["valueFrom"]][0] for each in named if each["valueFrom"] in self.parameters
        }
        task = ContainerTask(
            deployment.id, definition, values, self.docker, self.balancer, self.stack.grace, self.stop_at_once
        )
        task.start()
        return task


@contextmanager
def make_ecs(docker: Docker, stack: Stack, stop_at_once: bool = False) -> Iterator[Ecs]:
    """A cluster with an empty service, as `deploy/fargate/up` leaves it; no container of it is left at the end."""
    from rehearsal.ecs_api import serve

    with make_load_balancer(stack.checks) as balancer:
        ecs = Ecs(stack, docker, balancer, stop_at_once)
        ecs.tags |= {"slipway:url": f"http://127.0.0.1:{balancer.port}", "slipway:tasks": str(stack.tasks)}
        ended = threading.Event()
        scheduler = threading.Thread(target=ecs.run, args=(ended,))
        with serve(ecs) as url:
            ecs.url = url
            scheduler.start()
            try:
                yield ecs
            finally:
                ended.set()
                scheduler.join()
                ecs.remove()
