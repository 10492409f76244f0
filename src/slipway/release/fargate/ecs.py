"""One service of ECS: what it says of itself, and the calls that change it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from slipway.errors import ReleaseError
from slipway.release.fargate.aws import UP


@dataclass(frozen=True)
class Deployment:
    """A deployment as the service lists it.

    Parameters
    ----------
    id : str
        ``ecs-svc/…``; a new one for every change of the revision, also for a rollback.
    status : str
        ``PRIMARY`` is the one that ECS works towards; ``ACTIVE`` ones still have tasks.
    revision : str
        ARN of its task definition.
    rollout : str
        ``IN_PROGRESS``, ``COMPLETED`` or ``FAILED``.
    reason : str
        In the words of ECS.
    wanted, running, failed : int
        Tasks.
    """

    id: str
    status: str
    revision: str
    rollout: str
    reason: str
    wanted: int
    running: int
    failed: int


@dataclass(frozen=True)
class Service:
    """What a service says of itself.

    Parameters
    ----------
    desired : int
        How many tasks it should have.
    tags : mapping of str to str
    deployments : tuple of Deployment
    events : mapping of str to str
        Id → message, the newest first.
    """

    desired: int
    tags: Mapping[str, str]
    deployments: tuple[Deployment, ...]
    events: Mapping[str, str]

    @property
    def primary(self) -> Deployment:
        return next(each for each in self.deployments if each.status == "PRIMARY")

    @property
    def revisions(self) -> set[str]:
        return {each.revision for each in self.deployments}


def parse_service(document: Mapping[str, Any]) -> Service:
    """A service from describe-services."""
    return Service(
        document["desiredCount"],
        {each["key"]: each.get("value", "") for each in document.get("tags", [])},
        tuple(map(_deployment, document["deployments"])),
        {each["id"]: each["message"] for each in document.get("events", [])},
    )


def _deployment(document: Mapping[str, Any]) -> Deployment:
    return Deployment(
        document["id"],
        document["status"],
        document["taskDefinition"],
        document.get("rolloutState", ""),
        document.get("rolloutStateReason", ""),
        document.get("desiredCount", 0),
        document.get("runningCount", 0),
        document.get("failedTasks", 0),
    )


@dataclass(frozen=True)
class Ecs:
    """The service `name` of the cluster `name`."""

    aws: Callable[..., Any]
    name: str

    @property
    def _service(self) -> tuple[str, ...]:
        return "--cluster", self.name, "--service", self.name

    def look(self) -> Service:
        """The service as it is now; ReleaseError if there is none."""
        answer = self.aws("ecs", "describe-services", "--cluster", self.name, "--services", self.name, "--include", "TAGS")
        found = [each for each in answer["services"] if each["status"] == "ACTIVE" and each["deployments"]]
        if not found:
            raise ReleaseError(f"there is no service {self.name} in the cluster {self.name}", UP)
        return parse_service(found[0])

    def definition(self, revision: str) -> dict[str, Any]:
        """A task definition."""
        answer = self.aws("ecs", "describe-task-definition", "--task-definition", revision)
        return dict(answer["taskDefinition"])

    def register(self, document: Mapping[str, Any]) -> str:
        """Make a revision; returns its ARN."""
        answer = self.aws("ecs", "register-task-definition", "--cli-input-json", json.dumps(document))
        return str(answer["taskDefinition"]["taskDefinitionArn"])

    def update(self, revision: str, tasks: int | None = None) -> None:
        """Make ECS work towards a revision, with another number of tasks if one is given."""
        count = () if tasks is None else ("--desired-count", str(tasks))
        self.aws("ecs", "update-service", *self._service, "--task-definition", revision, *count)

    def stop_deployment(self) -> bool:
        """Make ECS roll back the deployment in progress; returns whether there was one to stop."""
        answer = self.aws("ecs", "list-service-deployments", *self._service, "--status", "IN_PROGRESS")
        for each in answer["serviceDeployments"][:1]:
            place = ("--service-deployment-arn", each["serviceDeploymentArn"])
            self.aws("ecs", "stop-service-deployment", *place, "--stop-type", "ROLLBACK")
            return True
        return False

    def tasks(self, status: str) -> list[dict[str, Any]]:
        """Tasks that run (``RUNNING``), or that ended within the last hour (``STOPPED``)."""
        place = ("--cluster", self.name)
        found = self.aws("ecs", "list-tasks", *place, "--service-name", self.name, "--desired-status", status)["taskArns"]
        if not found:
            return []
        return list(self.aws("ecs", "describe-tasks", *place, "--tasks", *found[:100])["tasks"])
