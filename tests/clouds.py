"""An account of AWS with one service of ECS, without tasks: what happens to a release is decided by its digest.

Time passes when the program waits. See deploy/rehearsal for a stand-in that runs containers.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from slipway.release.clock import Cancelled
from slipway.release.fargate.aws import failure
from slipway.release.fargate.ecs import Ecs
from slipway.release.fargate.release import Fargate
from slipway.release.public_address import PublicAddress
from slipway.release.request import Request

NAME = "insurance"
HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
REPOSITORY = f"{HOST}/{NAME}"
BUNDLE = "b" * 64
ARN = f"arn:aws:ecs:eu-west-1:123456789012:task-definition/{NAME}"
URL = "https://charges.example.com"
GROUP = {"awslogs-group": f"/slipway/{NAME}", "awslogs-stream-prefix": "app"}
BASE = {
    "family": NAME,
    "cpu": "512",
    "memory": "1024",
    "status": "ACTIVE",
    "revision": 1,
    "registeredBy": "arn:aws:iam::123456789012:role/stack",
    "containerDefinitions": [
        {
            "name": "app",
            "image": "placeholder",
            "environment": [{"name": "SLIPWAY_LOG", "value": "/var/log/slipway"}],
            "logConfiguration": {"logDriver": "awslogs", "options": GROUP},
        },
        {"name": "prepare", "image": "placeholder"},
        {"name": "other", "image": "public.ecr.aws/other/sidecar:1"},
    ],
}


def request(run: int, digest: str = "a", commit: str = "") -> Request:
    """A request of a run: the digest names the fate, the commit is the digest's unless told."""
    return Request(f"sha256:{digest * 64}", digest * 64, (commit or digest) * 40, run)


class Cloud:
    """`aws` and a clock; `crashing`, `hanging` and `wrong` are digests, `denied` operations that the role may not do."""

    def __init__(self, url: str = URL, tasks: int = 2) -> None:
        self.definitions = {f"{ARN}:1": BASE | {"taskDefinitionArn": f"{ARN}:1"}}
        self.tags = {"slipway:tasks": str(tasks)} | ({"slipway:url": url} if url else {})
        self.desired = 0
        self.deployments: list[dict] = []
        self.events: list[dict] = []
        self.parameters: dict[str, int] = {}
        self.crashing: set[str] = set()
        self.hanging: set[str] = set()
        self.wrong: set[str] = set()
        self.denied: set[str] = set()
        self.health: list[str] = []  # of tasks, in turn; HEALTHY afterwards
        self.breaker = True
        self.empty = False
        self.stoppable = True
        self.calls: list[tuple[str, ...]] = []
        self.before: dict[str, Callable[[], object]] = {}
        self.passed = 0.0
        self.ended: float | None = None
        self._start(f"{ARN}:1")
        self._live(30)

    # the clock

    def now(self) -> float:
        return self.passed

    def pause(self, seconds: float) -> None:
        if self.ended is not None and self.passed + seconds >= self.ended:
            raise Cancelled
        self.passed += seconds
        self._live(seconds)

    # the program

    def __call__(self, *arguments: str):
        self.calls.append(arguments)
        operation = arguments[1]
        options = dict(zip(arguments[2::2], arguments[3::2]))
        if operation in self.denied:
            raise failure(
                f"aws {operation}", f"An error occurred (AccessDeniedException) when calling it: User: not {operation}"
            )
        self.before.pop(operation, lambda: None)()
        return getattr(self, "_" + operation.replace("-", "_"))(options)

    def made(self, operation: str) -> int:
        """How often an operation was called."""
        return [each[1] for each in self.calls].count(operation)

    def app(self, revision: str = "") -> dict:
        """The container `app` of a revision, by default of the one that ECS works towards."""
        definition = self.definitions[revision or self.deployments[0]["taskDefinition"]]
        return definition["containerDefinitions"][0]

    def serving(self) -> str:
        """The digest that tasks of a complete deployment serve, without sha256: and but one character; empty if none."""
        found = [each for each in self.deployments if each["rolloutState"] == "COMPLETED" and each["runningCount"]]
        return self._digest(found[-1])[:1] if found else ""

    def readyz(self):
        deployment = next((each for each in self.deployments if each["runningCount"]), None)
        if deployment is None:
            return 503, None
        labels = self.app(deployment["taskDefinition"])["dockerLabels"]
        bundle = "e" * 64 if self._digest(deployment)[:1] in self.wrong else BUNDLE
        return 200, {"status": "ready", "release": labels["slipway.release"], "bundle": bundle}

    def update(self, revision: str, tasks: int | None = None) -> None:
        """What update-service does."""
        if tasks is not None:
            self.desired = tasks
        self._start(revision)

    def _start(self, revision: str, reason: str = "") -> None:
        for each in self.deployments:
            each["status"] = "ACTIVE"
        self.deployments.insert(
            0,
            {
                "id": f"ecs-svc/{len(self.calls)}",
                "status": "PRIMARY",
                "taskDefinition": revision,
                "desiredCount": self.desired,
                "runningCount": 0,
                "failedTasks": 0,
                "rolloutState": "IN_PROGRESS",
                "rolloutStateReason": reason,
                "age": 0.0,
            },
        )

    def _digest(self, deployment: dict) -> str:
        return self.app(deployment["taskDefinition"])["image"].rpartition("@sha256:")[2]

    def _live(self, seconds: float) -> None:
        primary = self.deployments[0]
        primary["age"] = primary.get("age", 0) + seconds
        if primary["rolloutState"] == "COMPLETED" and primary["age"] >= 30:
            del self.deployments[1:]
        if primary["rolloutState"] != "IN_PROGRESS":
            return
        fate = self._digest(primary)[:1]
        if fate in self.hanging:
            primary["runningCount"] = self.desired
            self.events.insert(0, {"id": f"event {self.passed}", "message": "(task x) failed container health checks."})
        elif fate in self.crashing:
            self._crash(primary)
        elif primary["age"] >= 20:
            primary |= {"rolloutState": "COMPLETED", "runningCount": self.desired}

    def _crash(self, primary: dict) -> None:
        primary["failedTasks"] += 1
        if primary["failedTasks"] == 3:
            primary |= {
                "rolloutState": "FAILED",
                "rolloutStateReason": "ECS deployment circuit breaker: tasks failed to start.",
            }
            if self.breaker:
                self._back()

    def _back(self) -> None:
        complete = [each for each in self.deployments if each["rolloutState"] == "COMPLETED"]
        self._start(complete[-1]["taskDefinition"], "ECS deployment circuit breaker: rolling back to deploymentId ecs-svc/0.")

    # operations

    def _describe_services(self, options: dict):
        if options["--services"] != NAME:
            return {"services": [], "failures": [{"reason": "MISSING"}]}
        service = {"status": "ACTIVE", "desiredCount": self.desired, "events": self.events, "deployments": self.deployments}
        return {"services": [service | {"tags": [{"key": name, "value": value} for name, value in self.tags.items()]}]}

    def _describe_task_definition(self, options: dict):
        return {"taskDefinition": self.definitions[options["--task-definition"]]}

    def _register_task_definition(self, options: dict):
        revision = f"{ARN}:{len(self.definitions) + 1}"
        self.definitions[revision] = json.loads(options["--cli-input-json"]) | {"taskDefinitionArn": revision}
        return {"taskDefinition": self.definitions[revision]}

    def _update_service(self, options: dict):
        count = options.get("--desired-count")
        self.update(options["--task-definition"], None if count is None else int(count))

    def _list_service_deployments(self, options: dict):
        return {"serviceDeployments": [{"serviceDeploymentArn": "arn:deployment"}] if self.stoppable else []}

    def _stop_service_deployment(self, options: dict):
        self.deployments[0]["rolloutState"] = "FAILED"
        self._back()

    def _describe_parameters(self, options: dict):
        return {"Parameters": [{"Name": name, "Version": version} for name, version in self.parameters.items()]}

    def _describe_images(self, options: dict):
        if self.empty:
            raise failure("aws describe-images", "An error occurred (ImageNotFoundException) when calling it: not there")
        return {"imageDetails": [{"imageDigest": f"sha256:{options['--image-ids'].removeprefix('imageTag=')}"}]}

    def _list_tasks(self, options: dict):
        return {"taskArns": ["all"]}

    def _describe_tasks(self, options: dict):
        """One of each of the two newest revisions."""
        newest = len(self.definitions)
        return {"tasks": [self._task(revision) for revision in (newest - 1, newest)]}

    def _task(self, revision: int) -> dict:
        return {
            "taskArn": f"arn:aws:ecs:eu-west-1:123456789012:task/{NAME}/task-of-{revision}",
            "taskDefinitionArn": f"{ARN}:{revision}",
            "healthStatus": self.health.pop(0) if self.health else "HEALTHY",
            "stoppedReason": f"Essential container of {revision} exited",
            "containers": [{"name": "app", "exitCode": 6, "reason": "Error"}, {"name": "other"}],
            "attachments": [{"details": [{"name": "networkInterfaceId", "value": f"eni-{revision}"}]}],
        }

    def _get_log_events(self, options: dict):
        return {"events": [{"message": f"last line of {options['--log-stream-name']}\n"}]}

    def _describe_network_interfaces(self, options: dict):
        return {"NetworkInterfaces": [{"Association": {"PublicIp": f"203.0.113.{options['--network-interface-ids'][4:]}"}}]}


@contextmanager
def answering(cloud: Cloud) -> Iterator[list[PublicAddress]]:
    """The public address answers what the service's tasks would; the addresses that were asked."""
    asked: list[PublicAddress] = []

    def ask(address: PublicAddress, seconds: float = 0):
        asked.append(address)
        return cloud.readyz()

    original, PublicAddress.ask = PublicAddress.ask, ask
    try:
        yield asked
    finally:
        PublicAddress.ask = original


def fargate(cloud: Cloud, bundle: str = BUNDLE, name: str = NAME) -> Fargate:
    """The program on this cloud."""
    return Fargate(Ecs(cloud, name), cloud, REPOSITORY, bundle)
