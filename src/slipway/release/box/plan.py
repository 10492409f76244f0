"""What a swap consists of, as data: made from what is asked and what is there, without doing any of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slipway.release.box.configuration import Configuration
from slipway.release.box.state import USER, Box, Release

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
class RequireDigest:
    """What the registry lists under a release key must be the image with this digest."""

    image: str
    digest: str

    def __str__(self) -> str:
        return f"require that {self.image} is {self.digest}"


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


Step = Docker | RequireDigest | Remember | AwaitReady | CheckAnswer | Point | Probe | Leave | Forget


@dataclass(frozen=True)
class Group:
    """Steps under one heading of the log."""

    name: str
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return "\n".join((self.name, *(f"  {step}" for step in self.steps)))


@dataclass(frozen=True)
class Plan:
    """`before` the switch a failure leaves the old release alone."""

    before: tuple[Group, ...]
    switch: Group

    def __str__(self) -> str:
        return "\n".join(map(str, (*self.before, self.switch)))


def plan_release(release: Release, key: str, configuration: Configuration, box: Box) -> Plan:
    """The steps that make `release` live.

    Parameters
    ----------
    key : str
        The release key: the image is pulled by it, so that only what the registry lists under one can run.
    """
    image = f"{configuration.repository}:{key}"
    pull = Group("Pull", (Docker(("pull", "--quiet", image)), RequireDigest(image, release.digest)))
    return Plan((pull, *_start(release, configuration, box)), _switch(release))


def plan_return(release: Release, configuration: Configuration, box: Box) -> Plan:
    """The steps that start an earlier release again whose container is gone; its image is still there."""
    return Plan(_start(release, configuration, box), _switch(release))


def _start(release: Release, configuration: Configuration, box: Box) -> tuple[Group, ...]:
    start = (Remember(release), Docker(run_arguments(release, configuration, box)))
    check = (AwaitReady(release, configuration.ready_seconds), CheckAnswer(release))
    return Group("Start", start), Group("Check", check)


def _switch(release: Release) -> Group:
    # From here on it must come back when the machine restarts: it is about to be the live one.
    survive = Docker(("update", "--restart", "unless-stopped", release.container))
    return Group("Switch", (survive, Point(release), Probe(release)))


def end_steps(id: str) -> list[Step]:
    """How an idle release that no new connection reaches is ended."""
    return [Docker(("stop", "--time", str(STOP_SECONDS), f"slipway-{id}")), *discard_steps(id)]


def discard_steps(id: str) -> list[Step]:
    """How a release is ended at once, whatever it does."""
    return [Docker(("rm", "--force", f"slipway-{id}")), Leave(id)]


def clean_steps(
    keep: Sequence[Release], images: Mapping[str, Sequence[str]], folders: Sequence[str], records: Sequence[str],
) -> Group:
    """Remove what cannot be gone back to: images of this repository alone, folders and records.

    Parameters
    ----------
    keep : sequence of Release
        What stays; see `slipway.release.box.state.kept`.
    images : mapping of str to sequence of str
        The names of the repository's images on this machine, by their digest.
    folders, records : sequence of str
        Ids of releases without a container that have one.
    """
    digests, ids = {each.digest for each in keep}, {each.id for each in keep}
    # Engines drop an image's digest with its last tag, and keep the tags when its digest goes: each name is removed.
    unused = [Docker(("image", "rm", name)) for each, names in images.items() if each not in digests for name in names]
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
