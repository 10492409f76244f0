"""The steps of a swap, as data: planned from the request and the state of the box, without doing anything."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from slipway.release.box.configuration import Configuration
from slipway.release.box.state import USER, Box, Release

INSIDE = "/run/slipway"
KEYS_INSIDE = f"{INSIDE}/keys"
LOG_INSIDE = "/var/log/slipway"
STOP_SECONDS = 40  # gunicorn's graceful_timeout is 20: docker must not kill before it
LABEL = "slipway.repository"
GROUPS = ("Pull", "Start", "Check", "Switch", "Drain", "Clean old images")


@dataclass(frozen=True)
class Docker:
    """Run the Docker client with these arguments."""

    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return "docker " + " ".join(self.arguments)


@dataclass(frozen=True)
class RequireDigest:
    """The registry must list the image with this digest under the release key."""

    image: str
    digest: str

    def __str__(self) -> str:
        return f"check that {self.image} is {self.digest}"


@dataclass(frozen=True)
class Remember:
    """Write the record, make the folder of the socket."""

    release: Release

    def __str__(self) -> str:
        return f"write the record of {self.release.id}, create its folder"


@dataclass(frozen=True)
class AwaitReady:
    """Request /readyz until it reports ready with the bundle that the image names."""

    release: Release
    seconds: int

    def __str__(self) -> str:
        return f"wait until {self.release.id} is ready, at most {self.seconds} s"


@dataclass(frozen=True)
class CheckAnswer:
    """Request the golden prediction that the image names."""

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
    """Request through the proxy: the release itself must answer."""

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
    """Remove the record of a release that is no longer available for a rollback."""

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
    """A failure `before` the switch does not affect the old release."""

    before: tuple[Group, ...]
    switch: Group

    def __str__(self) -> str:
        return "\n".join(map(str, (*self.before, self.switch)))


def plan_release(release: Release, key: str, configuration: Configuration, box: Box) -> Plan:
    """The steps that make `release` live.

    Parameters
    ----------
    key : str
        The release key: the image is pulled by it, so that only an image that the registry lists under a key can run.
    """
    image = f"{configuration.repository}:{key}"
    pull = Group("Pull", (Docker(("pull", "--quiet", image)), RequireDigest(image, release.digest)))
    return Plan((pull, *_start(release, configuration, box)), _switch(release))


def plan_return(release: Release, configuration: Configuration, box: Box) -> Plan:
    """The steps that restart an earlier release without a container; its image still exists."""
    return Plan(_start(release, configuration, box), _switch(release))


def _start(release: Release, configuration: Configuration, box: Box) -> tuple[Group, ...]:
    start = (Remember(release), Docker(run_arguments(release, configuration, box)))
    check = (AwaitReady(release, configuration.ready_seconds), CheckAnswer(release))
    return Group("Start", start), Group("Check", check)


def _switch(release: Release) -> Group:
    # From now on it must restart with the machine: it is about to go live.
    survive = Docker(("update", "--restart", "unless-stopped", release.container))
    return Group("Switch", (survive, Point(release), Probe(release)))


def end_steps(id: str) -> list[Step]:
    """Stop an idle release that no new connection reaches."""
    return [Docker(("stop", "--time", str(STOP_SECONDS), f"slipway-{id}")), *discard_steps(id)]


def discard_steps(id: str) -> list[Step]:
    """Stop a release at once, whatever it is doing."""
    return [Docker(("rm", "--force", f"slipway-{id}")), Leave(id)]


def clean_steps(
    keep: Sequence[Release],
    images: Mapping[str, Sequence[str]],
    folders: Sequence[str],
    records: Sequence[str],
) -> Group:
    """Remove what a rollback cannot use: images (only of this repository), folders and records.

    Parameters
    ----------
    keep : sequence of Release
        Releases to keep; see `slipway.release.box.state.kept`.
    images : mapping of str to sequence of str
        The names of the repository's images on this machine, by their digest.
    folders, records : sequence of str
        Ids of releases without a container that have one.
    """
    digests, ids = {each.digest for each in keep}, {each.id for each in keep}
    # Engines drop an image's digest with its last tag, but keep tags without a digest: remove each name.
    unused = [Docker(("image", "rm", name)) for each, names in images.items() if each not in digests for name in names]
    left = (Leave(id) for id in folders)
    return Group("Clean old images", (*unused, *left, *(Forget(id) for id in records if id not in ids)))


def run_arguments(release: Release, configuration: Configuration, box: Box) -> tuple[str, ...]:
    """``docker run``: no capabilities, no network, nothing writable but memory and the folders of its socket and log."""
    mount = configuration.sockets_mount or str(box.sockets)
    inside = inside_folder(release.id)
    return (
        "run",
        "--detach",
        "--name",
        release.container,
        "--restart",
        "no",
        "--no-healthcheck",
        "--label",
        f"{LABEL}={configuration.repository}",
        "--label",
        f"slipway.service={box.service}",
        "--label",
        f"slipway.release={release.id}",
        "--read-only",
        "--tmpfs",
        "/tmp:rw,noexec,nosuid,nodev,size=256m",
        "--cap-drop",
        "ALL",
        "--security-opt",
        "no-new-privileges",
        "--network",
        "none",
        "--user",
        f"{USER}:{USER}",
        "--memory",
        configuration.memory,
        "--memory-swap",
        configuration.memory,
        "--pids-limit",
        str(configuration.pids),
        "--log-driver",
        "json-file",
        "--log-opt",
        "max-size=10m",
        "--log-opt",
        "max-file=3",
        "--mount",
        f"type=bind,source={mount}/{release.id},target={inside}",
        "--mount",
        f"type=bind,source={mount}/keys,target={KEYS_INSIDE},readonly",
        *_log(configuration),
        "--env-file",
        str(box.environment),
        "--env",
        f"GUNICORN_CMD_ARGS=--bind=unix:{inside}/web.sock",
        "--env",
        f"SLIPWAY_RELEASE={release.id}",
        "--env",
        f"SLIPWAY_COMMIT={release.commit}",
        "--env",
        "SLIPWAY_TRUSTED_PROXIES=1",
        *(("--env", f"SLIPWAY_URL_PREFIX={configuration.prefix}") if configuration.prefix else ()),
        f"{configuration.repository}@{release.digest}",
    )


def _log(configuration: Configuration) -> tuple[str, ...]:
    """What lets a release write its prediction log, if there is a folder for it."""
    if not configuration.log_mount:
        return ()
    return "--mount", f"type=bind,source={configuration.log_mount},target={LOG_INSIDE}", "--env", f"SLIPWAY_LOG={LOG_INSIDE}"


def inside_folder(id: str) -> str:
    """Path of the socket folder inside a release."""
    return f"{INSIDE}/{id}"
