"""A box in a container: nginx and the release program, set up by its bootstrap, beside the engine of this machine."""

import json
import re
import subprocess
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from rehearsal.containers import LABEL, Docker
from slipway.release.box.archive import pack

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "slipway-rehearsal"
SERVICE = "insurance"  # that the image of the box was set up with
PROGRAM = "/usr/local/sbin/slipway-release"
ENGINE_SOCKET = "/var/run/docker.sock"
RELEASE_KEY = re.compile(r"[0-9a-f]{64}")
SOCKETS = "/var/lib/slipway/services/{}/sockets"
START = "nginx && exec sleep infinity"


def build_box(docker: Docker) -> str:
    """The image of the box; quick when nothing changed since the last time, and in place of the one of then."""
    before = docker("image", "ls", "--quiet", "--no-trunc", IMAGE).stdout.strip()
    with tempfile.TemporaryDirectory() as place:
        context = Path(place)
        pack(context / "box.tar.gz")
        docker("build", "--tag", IMAGE, "--file", ROOT / "deploy/rehearsal/Dockerfile", context)
    if before and docker.inspect(IMAGE)["Id"] != before:
        docker("image", "rm", before, check=False)  # refused while a container uses it
    return IMAGE


@dataclass(frozen=True)
class Box:
    """A service on a running box.

    Parameters
    ----------
    name : str
        Of the box's container.
    port : int
        Where its nginx answers on this machine.
    repository : str
        Of the service's images.
    """

    docker: Docker
    name: str
    port: int
    repository: str
    service: str = SERVICE

    @property
    def settings(self) -> str:
        """Folder of the service's settings."""
        return f"/etc/slipway/services/{self.service}"

    @property
    def state(self) -> str:
        """Folder of the service's state."""
        return f"/var/lib/slipway/services/{self.service}"

    @property
    def path(self) -> str:
        """Where nginx passes requests for a prediction to the service."""
        return "/predict" if self.service == SERVICE else f"/{self.service}/predict"

    @property
    def runner(self) -> str:
        """The user of the service's jobs."""
        return f"runner-{self.service}"

    def configure(self, **changes: object) -> None:
        """Change settings of release.toml."""
        kept = self.run("cat", f"{self.settings}/release.toml").stdout.splitlines()
        lines = [line for line in kept if line.partition(" =")[0] not in changes]
        lines += [f"{name} = {json.dumps(value)}" for name, value in changes.items()]
        self.write(f"{self.settings}/release.toml", "\n".join([*lines, ""]))

    def run(self, *command: str, text: str | None = None, check: bool = True) -> subprocess.CompletedProcess:
        """A command in the box, as root."""
        return self.docker("exec", "--interactive", self.name, *command, input=text, check=check)

    def write(self, path: str, content: str) -> None:
        """A file that only root reads."""
        self.run("sh", "-c", 'umask 077; cat > "$1"', "sh", path, text=content)

    def release(self, request: dict, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        """Ask for a release, as the runner's user does; with arguments, as root."""
        as_runner = ("runuser", "-u", self.runner, "--", "sudo", "--non-interactive", PROGRAM)
        command = (PROGRAM, "--service", self.service, *arguments) if arguments else as_runner
        return self.run(*command, text=json.dumps(request), check=check)

    def rollback(self, check: bool = True) -> subprocess.CompletedProcess:
        """The emergency's command."""
        return self.run(PROGRAM, "--service", self.service, "rollback", check=check)

    def live(self) -> str:
        """Id of the live release."""
        return self.run("readlink", f"{self.state}/sockets/active.sock").stdout.partition("/")[0]

    def releases(self) -> list[str]:
        """Containers of releases, running or not."""
        shown = self.docker("ps", "--all", "--filter", f"label=slipway.repository={self.repository}", "--format", "{{.Names}}")
        return sorted(shown.stdout.split())

    def images(self) -> list[str]:
        """Digests of the images of its repository."""
        shown = self.docker("image", "ls", "--digests", "--format", "{{.Digest}}", self.repository).stdout.split()
        return sorted({each for each in shown if each.startswith("sha256:")})


@contextmanager
def make_box(
    docker: Docker,
    repository: str,
    login: tuple[str, str, str],
    *options: str,
    others: Mapping[str, str] | None = None,
    sockets: str = SOCKETS,
) -> Iterator[Box]:
    """A box that pulls from `repository`; all that it left is removed at the end.

    Parameters
    ----------
    login : (registry, user, password)
    options
        More arguments of ``docker run``.
    others : mapping of str to str
        Repositories of more services by their names, each below the path ``/NAME``; see `neighbour`.
    sockets
        Folder of a service's sockets, with ``{}`` for its name; the engine has to know it.
    """
    names = (SERVICE, *(others or {}))
    with ExitStack() as stack:
        mounts = {name: stack.enter_context(volume(docker)) for name in names}
        targets = (("--mount", f"type=volume,source={each[0]},target={sockets.format(name)}") for name, each in mounts.items())
        engine = ("--mount", f"type=bind,source={ENGINE_SOCKET},target={ENGINE_SOCKET}")
        arguments = ("--publish", "127.0.0.1::80", *engine, *(part for each in targets for part in each), *options)
        name = stack.enter_context(docker.running(*arguments, IMAGE, "sh", "-c", START))
        box = Box(docker, name, docker.port(name, 80), repository)
        log_in = ("docker", "--config", "/etc/slipway/docker", "login", "--username", login[1], "--password-stdin", login[0])
        box.run(*log_in, text=login[2])
        box.configure(repository=repository)
        for service, images in (others or {}).items():
            box.run("env", f"SERVICE={service}", f"REPOSITORY={images}", f"PREFIX=/{service}", "bash", "/deploy/bootstrap")
        if others:
            box.run("nginx", "-s", "reload")
        for service in (box, *(neighbour(box, *each) for each in (others or {}).items())):
            service.configure(sockets_mount=mounts[service.service][1])
            stack.callback(remove, docker, service)
        yield box


def neighbour(box: Box, service: str, repository: str) -> Box:
    """Another service of the same box."""
    return replace(box, service=service, repository=repository)


@contextmanager
def volume(docker: Docker) -> Iterator[tuple[str, str]]:
    """A volume: its name, and where the engine has it."""
    name = f"slipway-rehearsal-{uuid.uuid4().hex[:12]}"
    docker("volume", "create", "--label", LABEL, name)
    try:
        yield name, json.loads(docker("volume", "inspect", name).stdout)[0]["Mountpoint"]
    finally:
        docker("volume", "rm", "--force", name, check=False)


def remove(docker: Docker, box: Box) -> None:
    """Remove the releases of a box and their images."""
    for name in box.releases():
        docker("rm", "--force", name, check=False)
    for digest in box.images():
        docker("image", "rm", "--force", f"{box.repository}@{digest}", check=False)
    for tag in docker("image", "ls", "--format", "{{.Tag}}", box.repository).stdout.split():
        if RELEASE_KEY.fullmatch(tag):
            docker("image", "rm", "--force", f"{box.repository}:{tag}", check=False)
