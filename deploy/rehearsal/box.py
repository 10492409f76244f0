"""A box in a container: nginx and the release program, set up by its bootstrap, beside the engine of this machine."""

import json
import re
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rehearsal.containers import LABEL, Docker
from slipway.release.box.archive import pack

ROOT = Path(__file__).resolve().parents[2]
IMAGE = "slipway-rehearsal"
PROGRAM = "/usr/local/sbin/slipway-release"
ENGINE_SOCKET = "/var/run/docker.sock"
RELEASE_KEY = re.compile(r"[0-9a-f]{64}")
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
    """A running box.

    Parameters
    ----------
    name : str
        Of its container.
    port : int
        Where its nginx answers on this machine.
    """

    docker: Docker
    name: str
    port: int
    repository: str

    def run(self, *command: str, text: str | None = None, check: bool = True) -> subprocess.CompletedProcess:
        """A command in the box, as root."""
        return self.docker("exec", "--interactive", self.name, *command, input=text, check=check)

    def write(self, path: str, content: str) -> None:
        """A file that only root reads."""
        self.run("sh", "-c", 'umask 077; cat > "$1"', "sh", path, text=content)

    def release(self, request: dict, *arguments: str, check: bool = True) -> subprocess.CompletedProcess:
        """Ask for a release, as the runner's user does."""
        as_runner = ("runuser", "-u", "runner", "--", "sudo", "--non-interactive", PROGRAM)
        command = (PROGRAM, *arguments) if arguments else as_runner
        return self.run(*command, text=json.dumps(request), check=check)

    def rollback(self, check: bool = True) -> subprocess.CompletedProcess:
        """The emergency's command."""
        return self.run(PROGRAM, "rollback", check=check)

    def live(self) -> str:
        """Id of the live release."""
        return self.run("readlink", "/var/lib/slipway/sockets/active.sock").stdout.partition("/")[0]

    def releases(self) -> list[str]:
        """Containers of releases, running or not."""
        shown = self.docker("ps", "--all", "--filter", f"label=slipway.repository={self.repository}", "--format", "{{.Names}}")
        return sorted(shown.stdout.split())

    def images(self) -> list[str]:
        """Digests of the images of its repository."""
        shown = self.docker("image", "ls", "--digests", "--format", "{{.Digest}}", self.repository).stdout.split()
        return sorted({each for each in shown if each.startswith("sha256:")})


def configuration(repository: str, mount: str, **changes: object) -> str:
    """release.toml."""
    values = {"repository": repository, "sockets_mount": mount, "ready_seconds": 30} | changes
    return "".join(f"{name} = {json.dumps(value)}\n" for name, value in values.items())


@contextmanager
def make_box(docker: Docker, repository: str, login: tuple[str, str, str], *options: str) -> Iterator[Box]:
    """A box that pulls from `repository`; all that it left is removed at the end.

    Parameters
    ----------
    login : (registry, user, password)
    options
        More arguments of ``docker run``.
    """
    volume = f"slipway-rehearsal-{uuid.uuid4().hex[:12]}"
    docker("volume", "create", "--label", LABEL, volume)
    mount = json.loads(docker("volume", "inspect", volume).stdout)[0]["Mountpoint"]
    try:
        with docker.running(
            "--publish",
            "127.0.0.1::80",
            "--mount",
            f"type=bind,source={ENGINE_SOCKET},target={ENGINE_SOCKET}",
            "--mount",
            f"type=volume,source={volume},target=/var/lib/slipway/sockets",
            *options,
            IMAGE,
            "sh",
            "-c",
            START,
        ) as name:
            box = Box(docker, name, docker.port(name, 80), repository)
            box.write("/etc/slipway/release.toml", configuration(repository, mount))
            registry, user, password = login
            box.run(
                "docker",
                "--config",
                "/etc/slipway/docker",
                "login",
                "--username",
                user,
                "--password-stdin",
                registry,
                text=password,
            )
            try:
                yield box
            finally:
                remove(docker, box)
    finally:
        docker("volume", "rm", "--force", volume, check=False)


def remove(docker: Docker, box: Box) -> None:
    """Remove the releases of a box and their images."""
    for name in box.releases():
        docker("rm", "--force", name, check=False)
    for digest in box.images():
        docker("image", "rm", "--force", f"{box.repository}@{digest}", check=False)
    for tag in docker("image", "ls", "--format", "{{.Tag}}", box.repository).stdout.split():
        if RELEASE_KEY.fullmatch(tag):
            docker("image", "rm", "--force", f"{box.repository}:{tag}", check=False)
