"""A task of ECS: the containers of its task definition, run by the Docker engine of this machine.

Containers start in the order of their ``dependsOn``, with the rights, limits, health check and environment that the
definition gives them, and end in the opposite order: SIGTERM, ``stopTimeout``, SIGKILL. A task that the service stops leaves
the load balancer first, and gets SIGTERM when its target is unused, that is after the whole deregistration delay.

What Fargate has otherwise: a network interface for each task, where containers reach one another at 127.0.0.1 (here each has
a port of its own on the loopback address and cannot reach the others), a kernel for each task, limits of the whole task
(here each container gets them), logs that go to CloudWatch (here to Docker), and a role (here none).
"""

import json
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rehearsal.containers import LABEL, Docker
from rehearsal.load_balancer import LoadBalancer

STOP_TIMEOUT = 30
UNHEALTHY_TARGET = "Task failed ELB health checks"
UNHEALTHY_CONTAINER = "Task failed container health checks"
ESSENTIAL = "Essential container in task exited"
PAUSE = 0.2
LINES = 50  # of each container that are kept


@dataclass
class ContainerTask:
    """A task that runs; the thread that started it, and later the one that ends it, change `status`.

    Parameters
    ----------
    secrets : mapping of str to str
        Values of the secrets that the definition names, by the name of the variable.
    grace : float
        Seconds in which nobody minds that it is not healthy.
    stop_at_once : bool
        SIGTERM together with the deregistration, which is what ECS does not do.
    """

    deployment: str
    definition: dict
    secrets: Mapping[str, str]
    docker: Docker
    balancer: LoadBalancer
    grace: float
    stop_at_once: bool = False
    id: str = field(default_factory=lambda: uuid.uuid4().hex)
    status: str = "PENDING"
    reason: str = ""
    address: str = ""
    created: float = field(default_factory=time.time)
    was_healthy: bool = False
    started: float | None = None
    stopped: float | None = None
    target: str = "unused"
    containers: dict[str, dict] = field(default_factory=dict)
    logs: dict[str, list[str]] = field(default_factory=dict)
    _ending: threading.Lock = field(default_factory=threading.Lock)
    _abandoned: threading.Event = field(default_factory=threading.Event)
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        """Begin to run it."""
        self._begin(self._start)

    @property
    def healthy(self) -> bool:
        return self.status == "RUNNING" and self.target == "healthy" and self.health in ("HEALTHY", "UNKNOWN")

    @property
    def health(self) -> str:
        """HEALTHY if all essential containers that are checked are, UNKNOWN if none is checked."""
        found = [self.container_health(each["name"]) for each in self._essential()]
        checked = [each for each in found if each != "UNKNOWN"] or ["UNKNOWN"]
        return min(checked, key=["UNHEALTHY", "STARTING", "HEALTHY", "UNKNOWN"].index)

    def container_health(self, name: str) -> str:
        """Of one container, in the words of Docker's health check, in capitals."""
        return self.containers.get(name, {}).get("Health", {}).get("Status", "unknown").upper()

    def fault(self) -> str:
        """Why the service has to replace it."""
        if self.status != "RUNNING" or self.started is None or time.monotonic() < self.started + self.grace:
            return ""
        if self.health == "UNHEALTHY":
            return UNHEALTHY_CONTAINER
        return UNHEALTHY_TARGET if self.target == "unhealthy" else ""

    def names(self) -> dict[str, str]:
        """Name of each container on this machine, by its name in the definition."""
        return {
            each["name"]: f"slipway-rehearsal-{self.id[:12]}-{each['name']}"
            for each in self.definition["containerDefinitions"]
        }

    def look(self, found: Mapping[str, dict], targets: Mapping[str, str]) -> None:
        """Note what Docker knows of containers, by their name, and the load balancer of targets; end if one is gone."""
        self.containers |= {name: found[own] for name, own in self.names().items() if own in found}
        self.target = targets.get(self.address, "unused")
        if self.status == "RUNNING" and any(self.exit_code(each["name"]) is not None for each in self._essential()):
            self.stop(ESSENTIAL)

    def exit_code(self, name: str) -> int | None:
        """Of a container that has ended."""
        state = self.containers.get(name, {})
        return state.get("ExitCode") if state.get("Status") == "exited" else None

    def stop(self, reason: str) -> None:
        """Begin its end: deregister, wait, SIGTERM, SIGKILL."""
        with self._ending:
            if self.status not in ("PENDING", "RUNNING"):
                return
            before, self.status, self.reason = self.status, "DEACTIVATING", reason
        self._begin(self._end, before == "RUNNING" and reason != ESSENTIAL)

    def abandon(self) -> None:
        """Leave nothing of it, whatever it is doing."""
        self._abandoned.set()
        self._remove()
        for thread in self.threads:
            thread.join()
        self._remove()

    def _begin(self, what: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=what, args=arguments)
        self.threads.append(thread)
        thread.start()

    def _remove(self) -> None:
        self.docker("rm", "--force", "--volumes", *self.names().values(), check=False)
        for volume in self.definition.get("volumes", []):
            self.docker("volume", "rm", "--force", self._volume(volume["name"]), check=False)

    def _essential(self) -> list[dict]:
        return [each for each in self.definition["containerDefinitions"] if each.get("essential", True)]

    def _start(self) -> None:
        try:
            for container in in_order(self.definition["containerDefinitions"]):
                self._wait_for(container)
                if self._abandoned.is_set():
                    return
                environ = {each["name"]: self.secrets[each["name"]] for each in container.get("secrets", [])}
                name = self.names()[container["name"]]
                arguments = run_arguments(self.definition, container, self._volume)
                self.docker("run", "--detach", "--name", name, "--label", LABEL, *arguments, environ=environ)
                self.address = self._published(name, container) or self.address
        except (RuntimeError, KeyError) as error:  # such as an image that cannot be pulled, or a secret that is gone
            self.stop(f"TaskFailedToStart: {error}")
            return
        if not self.address:  # it has ended already
            self.stop(ESSENTIAL)
            return
        with self._ending:
            if self.status != "PENDING":
                return
            self.balancer.register(self.address)
            self.started, self.status = time.monotonic(), "RUNNING"

    def _published(self, name: str, container: dict) -> str:
        """Where a container answers; empty if it does not, or not any more."""
        ports = [each["containerPort"] for each in container.get("portMappings", [])]
        found = self.docker("port", name, f"{ports[0]}/tcp", check=False).stdout.split() if ports else []
        return found[0] if found else ""

    def _wait_for(self, container: dict) -> None:
        for each in container.get("dependsOn", []):
            name = self.names()[each["containerName"]]
            if each["condition"] in ("SUCCESS", "COMPLETE"):
                code = self.docker("wait", name).stdout.strip()
                if each["condition"] == "SUCCESS" and code != "0":
                    raise RuntimeError(f"{each['containerName']} ended with {code}")
            while each["condition"] == "HEALTHY" and self.docker.inspect(name)["State"]["Health"]["Status"] != "healthy":
                time.sleep(PAUSE)

    def _end(self, wait: bool) -> None:
        if self.address and self.started is not None:
            self.balancer.deregister(self.address)
            while wait and not self.stop_at_once and self.address in self.balancer.states():
                if self._abandoned.wait(PAUSE):
                    return
        self.status = "STOPPING"
        for container in reversed(in_order(self.definition["containerDefinitions"])):
            seconds = str(container.get("stopTimeout", STOP_TIMEOUT))
            self.docker("stop", "--time", seconds, self.names()[container["name"]], check=False)
        self.containers |= dict(self._last_states())
        self.logs = {name: self._log(own) for name, own in self.names().items()}
        self._remove()
        self.stopped, self.status = time.time(), "STOPPED"

    def _last_states(self) -> Iterator[tuple[str, dict]]:
        for name, own in self.names().items():
            found = self.docker("inspect", "--format", "{{json .State}}", own, check=False)
            if found.returncode == 0:
                yield name, json.loads(found.stdout)

    def _log(self, own: str) -> list[str]:
        found = self.docker("logs", "--tail", str(LINES), own, check=False)
        return (found.stdout + found.stderr).splitlines()

    def _volume(self, name: str) -> str:
        return f"slipway-rehearsal-{self.id[:12]}-{name}"


def in_order(containers: Sequence[dict]) -> list[dict]:
    """Containers, each after those that it depends on."""
    left, done = list(containers), []
    while left:
        names = {each["name"] for each in done}
        free = [each for each in left if all(other["containerName"] in names for other in each.get("dependsOn", []))]
        if not free:
            raise ValueError(f"these containers depend on one another: {', '.join(each['name'] for each in left)}")
        done += free
        left = [each for each in left if each not in free]
    return done


def run_arguments(definition: dict, container: dict, volume: Callable[[str], str]) -> list[str]:
    """``docker run`` for a container of a task definition; `volume` names the task's volumes."""
    arguments = ["--network", "bridge"]
    for each in container.get("portMappings", []):
        arguments += ["--publish", f"127.0.0.1::{each['containerPort']}"]
    if "cpu" in definition:
        arguments += ["--cpus", str(int(definition["cpu"]) / 1024), "--memory", f"{definition['memory']}m"]
    if container.get("readonlyRootFilesystem"):
        arguments.append("--read-only")
    if "user" in container:
        arguments += ["--user", container["user"]]
    for each in container.get("mountPoints", []):
        mode = "ro" if each.get("readOnly") else "rw"  # nocopy: empty and root's, as on Fargate, whatever the image has there
        arguments += ["--volume", f"{volume(each['sourceVolume'])}:{each['containerPath']}:{mode},nocopy"]
    for each in container.get("environment", []):
        arguments += ["--env", f"{each['name']}={each['value']}"]
    for each in container.get("secrets", []):  # the value is in the environment of docker, not in its arguments
        arguments += ["--env", each["name"]]
    entry, *first = container.get("entryPoint", [""])
    if entry:
        arguments += ["--entrypoint", entry]
    return [*arguments, *_linux(container), *_health(container), container["image"], *first, *container.get("command", [])]


def _linux(container: dict) -> list[str]:
    parameters = container.get("linuxParameters", {})
    arguments = ["--init"] if parameters.get("initProcessEnabled") else []
    for each in parameters.get("capabilities", {}).get("drop", []):
        arguments += ["--cap-drop", each]
    for each in parameters.get("tmpfs", []):
        options = ",".join([*each.get("mountOptions", []), f"size={each['size']}m"])
        arguments += ["--tmpfs", f"{each['containerPath']}:{options}"]
    return arguments


def _health(container: dict) -> list[str]:
    """The definition's health check; ECS ignores that of the image."""
    check = container.get("healthCheck")
    if not check:
        return ["--no-healthcheck"]
    kind, *words = check["command"]
    command = words[0] if kind == "CMD-SHELL" else " ".join(_quoted(word) for word in words)
    return [
        "--health-cmd",
        command,
        "--health-interval",
        f"{check.get('interval', 30)}s",
        "--health-timeout",
        f"{check.get('timeout', 5)}s",
        "--health-retries",
        str(check.get("retries", 3)),
        "--health-start-period",
        f"{check.get('startPeriod', 0)}s",
    ]


def _quoted(word: str) -> str:
    return "'" + word.replace("'", "'\\''") + "'"
