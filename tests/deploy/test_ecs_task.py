"""A task of the ECS stand-in: what Docker is told, in which order it ends, and what makes it unhealthy; without an engine."""

import json
import subprocess
from dataclasses import dataclass, field

import pytest

from rehearsal.ecs_task import ESSENTIAL, UNHEALTHY_CONTAINER, UNHEALTHY_TARGET, ContainerTask, in_order, run_arguments

APP = {
    "name": "app",
    "image": "host/repo@sha256:0",
    "portMappings": [{"containerPort": 8080}],
    "dependsOn": [{"containerName": "prepare", "condition": "SUCCESS"}],
    "secrets": [{"name": "KEY", "valueFrom": "/slipway/x/KEY"}],
    "healthCheck": {"command": ["CMD", "python", "-c", "print('a b')"], "interval": 10, "timeout": 3},
    "stopTimeout": 60,
}
PREPARE = {
    "name": "prepare",
    "image": "host/repo@sha256:0",
    "essential": False,
    "user": "0",
    "command": ["chmod", "1777", "/tmp"],
}
DEFINITION = {
    "family": "x",
    "cpu": "512",
    "memory": "1024",
    "volumes": [{"name": "tmp"}],
    "containerDefinitions": [APP, PREPARE],
}


@dataclass
class World:
    """Docker and the load balancer in one; `did` has what both were told, in order."""

    drains: int = 3
    refused: str = ""
    prepared: str = "0"
    address: str = "127.0.0.1:9000"
    did: list[str] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=dict)

    def __call__(self, command: str, *arguments: str, check: bool = True, **options) -> subprocess.CompletedProcess:
        self.environ |= options.get("environ", {})
        last = str(arguments[-1]).rpartition("-")[2]
        named = next((each.rpartition("-")[2] for each in arguments if str(each).startswith("slipway-rehearsal-")), last)
        self.did.append(f"{command} {' '.join(arguments[:2])} {last}" if command == "stop" else f"{command} {named}")
        if command == "run" and named == self.refused:
            raise RuntimeError("docker run failed: no such image")
        said = {"wait": self.prepared, "port": self.address, "inspect": json.dumps({"Status": "exited", "ExitCode": 0})}.get(
            command, "a\nb\n"
        )
        return subprocess.CompletedProcess([], 0, said, "")

    def register(self, address: str) -> None:
        self.did.append(f"register {address}")

    def deregister(self, address: str) -> None:
        self.did.append(f"deregister {address}")

    def states(self) -> dict[str, str]:
        self.drains -= 1
        self.did.append("still draining" if self.drains > 0 else "unused")
        return {"127.0.0.1:9000": "draining"} if self.drains > 0 else {}


def started(world: World, grace: float = 60, **more: bool) -> ContainerTask:
    task = ContainerTask("deployment", DEFINITION, {"KEY": "hidden"}, world, world, grace, **more)
    task.start()
    joined(task)
    return task


def joined(task: ContainerTask) -> None:
    for thread in task.threads:
        thread.join()


def state(status: str = "running", health: str = "healthy", code: int = 0) -> dict:
    return {"Status": status, "ExitCode": code, "Health": {"Status": health}}


def look(task: ContainerTask, app: dict, target: str) -> None:
    task.look({task.names()["app"]: app}, {"127.0.0.1:9000": target})


def test_containers_start_in_the_order_of_what_they_depend_on_and_then_the_target_is_registered():
    world = World()
    task = started(world)
    assert world.did == ["run prepare", "wait prepare", "run app", "port app", "register 127.0.0.1:9000"]
    assert task.status == "RUNNING"
    assert world.environ == {"KEY": "hidden"}


def test_a_stop_deregisters_waits_for_the_whole_delay_and_only_then_sends_sigterm():
    world = World()
    task = started(world)
    world.did.clear()
    task.stop("Scaling activity")
    joined(task)
    assert world.did[:6] == [
        "deregister 127.0.0.1:9000",
        "still draining",
        "still draining",
        "unused",
        "stop --time 60 app",
        "stop --time 30 prepare",
    ]
    assert world.did[-2:] == ["rm app", "volume tmp"]
    assert (task.status, task.reason, task.logs["app"], task.exit_code("app")) == (
        "STOPPED",
        "Scaling activity",
        ["a", "b"],
        0,
    )


def test_the_bad_case_sends_sigterm_together_with_the_deregistration():
    world = World()
    task = started(world, stop_at_once=True)
    world.did.clear()
    task.stop("Scaling activity")
    joined(task)
    assert world.did[:2] == ["deregister 127.0.0.1:9000", "stop --time 60 app"]


def test_it_is_healthy_when_container_and_target_are():
    task = started(World())
    for health, target, wanted in (
        ("starting", "healthy", False),
        ("healthy", "initial", False),
        ("healthy", "healthy", True),
        ("unhealthy", "healthy", False),
    ):
        look(task, state(health=health), target)
        assert task.healthy is wanted, (health, target)


@pytest.mark.parametrize(
    ("health", "target", "fault"),
    [
        ("healthy", "healthy", ""),
        ("healthy", "unhealthy", UNHEALTHY_TARGET),
        ("unhealthy", "healthy", UNHEALTHY_CONTAINER),
        ("starting", "initial", ""),
    ],
)
def test_faults_count_after_the_grace_period(health, target, fault):
    for grace, wanted in ((60, ""), (0, fault)):
        task = started(World(), grace)
        look(task, state(health=health), target)
        assert task.fault() == wanted


def test_the_end_of_an_essential_container_ends_the_task_without_a_delay():
    world = World()
    task = started(world)
    world.did.clear()
    look(task, state("exited", code=3), "healthy")
    joined(task)
    assert world.did[:2] == ["deregister 127.0.0.1:9000", "stop --time 60 app"]
    assert (task.status, task.reason) == ("STOPPED", ESSENTIAL)


def test_an_image_that_cannot_be_run_and_a_preparation_that_fails_stop_the_task():
    for world, reason in ((World(refused="app"), "no such image"), (World(prepared="1"), "prepare ended with 1")):
        task = started(world)
        joined(task)
        assert task.status == "STOPPED" and reason in task.reason
        assert not any(each.startswith(("register", "deregister")) for each in world.did)


def test_a_container_that_ends_right_at_the_start_is_told_with_its_exit_code():
    world = World(address="")
    task = started(world)
    joined(task)
    assert (task.status, task.reason, task.exit_code("app")) == ("STOPPED", ESSENTIAL, 0)


def test_an_abandoned_task_leaves_nothing():
    world = World(drains=10**9)
    task = started(world)
    task.stop("Scaling activity")
    task.abandon()
    assert world.did[-1] == "volume tmp"
    assert not any(thread.is_alive() for thread in task.threads)


def test_a_circle_of_dependencies_has_no_order():
    circle = [{"name": one, "dependsOn": [{"containerName": other}]} for one, other in ("ab", "ba")]
    with pytest.raises(ValueError, match="depend on one another"):
        in_order(circle)


def test_docker_is_told_what_the_definition_says():
    container = APP | {
        "user": "10001",
        "readonlyRootFilesystem": True,
        "environment": [{"name": "A", "value": "b"}],
        "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp"}],
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
        "command": ["serve"],
    }
    said = " ".join(run_arguments(DEFINITION, container, lambda name: f"volume-{name}"))
    for part in (
        "--network bridge --publish 127.0.0.1::8080",
        "--cpus 0.5 --memory 1024m --read-only --user 10001",
        "--volume volume-tmp:/tmp:rw,nocopy",
        "--env A=b --env KEY --init --cap-drop ALL",
        "--health-cmd 'python' '-c' 'print('\\''a b'\\'')' --health-interval 10s --health-timeout 3s --health-retries 3",
        "host/repo@sha256:0 serve",
    ):
        assert part in said, said
    assert "--no-healthcheck" in run_arguments(DEFINITION, PREPARE, str)
