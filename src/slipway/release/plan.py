"""What a swap consists of, as data: made from what is asked and what is there, without doing any of it."""

from collections.abc import Sequence
from dataclasses import dataclass

from slipway.release.box import USER, Box, Release
from slipway.release.configuration import Configuration

ENVIRONMENT = "/etc/slipway/service.env"
INSIDE = "/run/slipway"
STOP_SECONDS = 40  # gunicorn's graceful_timeout is 20: docker must not kill before it
LABEL = "slipway.repository"
GROUPS = ("Pull", "Start", "Check", "Switch", "Drain", "Clean old images")


@dataclass(frozen=True)
class Docker:
    """Run the engine's client with these arguments."""

    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return "docker " + " ".join(self.arguments)


@dataclass(frozen=True)
class Remember:
    """Write the record, make the folder of the socket."""

    release: Release

    def __str__(self) -> str:
        return f"write the record of {self.release.id}, make its folder"


@dataclass(frozen=True)
class AwaitReady:
    """Ask for /readyz until it says ready with the bundle that the image names."""

    release: Release
    seconds: int

    def __str__(self) -> str:
        return f"wait until {self.release.id} is ready, {self.seconds} s at most"


@dataclass(frozen=True)
class CheckAnswer:
    """Ask for the golden prediction that the image names."""

    release: Release

    def __str__(self) -> str:
        return f"ask {self.release.id} for the golden prediction"


@dataclass(frozen=True)
class Point:
    """Send new connections to a release."""

    release: Release

    def __str__(self) -> str:
        return f"rename active.sock to {self.release.id}"


@dataclass(frozen=True)
class Probe:
    """Ask through the proxy: the release itself must answer."""

    release: Release

    def __str__(self) -> str:
        return f"ask through nginx until {self.release.id} answers"


@dataclass(frozen=True)
class AwaitIdle:
    """Wait until nothing is in flight to a release, seen twice."""

    id: str
    seconds: int

    def __str__(self) -> str:
        return f"wait until {self.id} is idle, {self.seconds} s at most"


@dataclass(frozen=True)
class Leave:
    """Remove the folder of the socket of a release whose container is gone."""

    id: str

    def __str__(self) -> str:
        return f"remove the folder of {self.id}"


@dataclass(frozen=True)
class Forget:
    """Remove the record of a release that cannot be gone back to any more."""

    id: str

    def __str__(self) -> str:
        return f"remove the record of {self.id}"


Step = Docker | Remember | AwaitReady | CheckAnswer | Point | Probe | AwaitIdle | Leave | Forget


@dataclass(frozen=True)
class Group:
    """Steps under one heading of the log."""

    name: str
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Plan:
    """`before` the switch a failure leaves the old release alone; `after` it there is nothing left to fail for users."""

    before: tuple[Group, ...]
    switch: Group
    after: tuple[Group, ...]

    def __str__(self) -> str:
        groups = (*self.before, self.switch, *self.after)
        return "\n".join(line for group in groups for line in (group.name, *(f"  {step}" for step in group.steps)))


def plan_release(release: Release, configuration: Configuration, box: Box, present: Sequence[str]) -> Plan:
    """The steps that make `release` live, pulled by digest.

    Parameters
    ----------
    present : sequence of str
        Ids of the containers that are there, running or not.
    """
    image = f"{configuration.repository}@{release.digest}"
    pull = Group("Pull", (Docker(("pull", "--quiet", image)),))
    return Plan((pull, *_start(release, configuration, box)), _switch(release), _after(release, configuration, present))


def plan_return(release: Release, configuration: Configuration, box: Box) -> Plan:
    """The steps that start an earlier release again whose container is gone; its image is still there."""
    return Plan(_start(release, configuration, box), _switch(release), ())


def _start(release: Release, configuration: Configuration, box: Box) -> tuple[Group, ...]:
    start = (Remember(release), Docker(run_arguments(release, configuration, box)))
    check = (AwaitReady(release, configuration.ready_seconds), CheckAnswer(release))
    return Group("Start", start), Group("Check", check)


def _switch(release: Release) -> Group:
    # From here on it must come back when the machine restarts: it is about to be the live one.
    survive = Docker(("update", "--restart", "unless-stopped", release.container))
    return Group("Switch", (survive, Point(release), Probe(release)))


def _after(release: Release, configuration: Configuration, present: Sequence[str]) -> tuple[Group, ...]:
    seconds = configuration.drain_seconds
    drain: list[Step] = [AwaitIdle(release.before, seconds)] if release.before in present else []
    for id in present:
        if id not in (release.before, release.id):
            drain += remove_steps(id, seconds)
    return (Group("Drain", tuple(drain)),)


def remove_steps(id: str, seconds: int) -> list[Step]:
    """How a release that no new connection reaches is ended without cutting off an answer."""
    stop = Docker(("stop", "--time", str(STOP_SECONDS), f"slipway-{id}"))
    idle, *rest = discard_steps(id, seconds)
    return [idle, stop, *rest]


def discard_steps(id: str, seconds: int) -> list[Step]:
    """The same for one that failed, and may not listen to a signal."""
    return [AwaitIdle(id, seconds), Docker(("rm", "--force", f"slipway-{id}")), Leave(id)]


def clean_steps(
    configuration: Configuration, keep: Sequence[Release], images: Sequence[str], folders: Sequence[str],
    records: Sequence[str],
) -> Group:
    """Remove what cannot be gone back to: images of this repository alone, folders and records.

    Parameters
    ----------
    keep : sequence of Release
        What stays; see `slipway.release.box.kept`.
    images : sequence of str
        Digests of the repository's images on this machine.
    folders, records : sequence of str
        Ids of releases without a container that have one.
    """
    digests, ids = {each.digest for each in keep}, {each.id for each in keep}
    unused = [Docker(("image", "rm", f"{configuration.repository}@{each}")) for each in images if each not in digests]
    left = (Leave(id) for id in folders)
    return Group("Clean old images", (*unused, *left, *(Forget(id) for id in records if id not in ids)))


def run_arguments(release: Release, configuration: Configuration, box: Box) -> tuple[str, ...]:
    """``docker run``: no rights, no network, nothing writable but its socket's folder and memory."""
    mount = configuration.sockets_mount or str(box.sockets)
    inside = inside_folder(release.id)
    return (
        "run", "--detach", "--name", release.container, "--restart", "no", "--no-healthcheck",
        "--label", f"{LABEL}={configuration.repository}", "--label", f"slipway.release={release.id}",
        "--read-only", "--tmpfs", "/tmp:rw,noexec,nosuid,nodev,size=256m", "--cap-drop", "ALL",
        "--security-opt", "no-new-privileges", "--network", "none", "--user", f"{USER}:{USER}",
        "--memory", configuration.memory, "--memory-swap", configuration.memory, "--pids-limit", str(configuration.pids),
        "--log-driver", "json-file", "--log-opt", "max-size=10m", "--log-opt", "max-file=3",
        "--mount", f"type=bind,source={mount}/{release.id},target={inside}",
        "--env-file", ENVIRONMENT,
        "--env", f"GUNICORN_CMD_ARGS=--bind=unix:{inside}/web.sock",
        "--env", f"SLIPWAY_RELEASE={release.id}", "--env", f"SLIPWAY_COMMIT={release.commit}",
        "--env", "SLIPWAY_TRUSTED_PROXIES=1",
        f"{configuration.repository}@{release.digest}",
    )


def inside_folder(id: str) -> str:
    """Where a release sees the folder of its socket."""
    return f"{INSIDE}/{id}"
