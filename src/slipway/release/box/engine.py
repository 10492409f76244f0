"""The box's Docker engine, through its command line."""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from slipway.errors import ReleaseError
from slipway.release.box.state import ID

SECONDS = 600
LAST_LINES = 40


@dataclass(frozen=True)
class Engine:
    """Docker.

    Parameters
    ----------
    program : str
        Name or path of its client.
    settings : str
        Folder of the client's settings (``DOCKER_CONFIG``), with the login for the registry.
    """

    program: str = "docker"
    settings: str = "/etc/slipway/docker"

    def run(self, arguments: Sequence[str], seconds: float = SECONDS) -> str:
        """Standard output of a command; ReleaseError with the engine's message if it fails."""
        environ = os.environ | {"DOCKER_CONFIG": self.settings}
        try:
            done = subprocess.run(
                [self.program, *arguments],
                env=environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=seconds,
            )
        except FileNotFoundError as error:
            raise ReleaseError(f"{self.program} is not installed", "Run the bootstrap on the box (docs/ec2.md)") from error
        except subprocess.TimeoutExpired as error:
            raise ReleaseError(f"docker {arguments[0]} took longer than {seconds:g} s") from error
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip() or f"exit code {done.returncode}").splitlines()
            raise ReleaseError(f"docker {arguments[0]} failed: {' '.join(said[-3:])}", cure_of(" ".join(said)))
        return done.stdout

    def containers(self, label: str) -> dict[str, str]:
        """State (``running``, ``exited`` …) of every release with a container that has this label, by its id."""
        shown = '{{.Label "slipway.release"}}\t{{.State}}'
        listed = self.run(("ps", "--all", "--filter", f"label={label}", "--format", shown))
        pairs = (line.partition("\t") for line in listed.splitlines())
        return {id: state for id, _, state in pairs if ID.fullmatch(id)}

    def images(self, repository: str) -> dict[str, list[str]]:
        """The names of a repository's images on this machine, ``repository:tag`` or ``repository@digest``, by their digest."""
        shown = "{{.Digest}}\t{{.Tag}}"
        listed = self.run(("image", "ls", "--digests", "--no-trunc", "--format", shown, repository))
        found: dict[str, list[str]] = {}
        for digest, tag in (line.split("\t") for line in sorted(listed.splitlines())):
            if digest.startswith("sha256:"):
                name = f"{repository}@{digest}" if tag == "<none>" else f"{repository}:{tag}"
                found.setdefault(digest, []).append(name)
        return found

    def digests(self, image: str) -> list[str]:
        """The digests of this image in registries."""
        return [each.partition("@")[2] for each in self._inspected("{{json .RepoDigests}}", image) or ()]

    def labels(self, image: str) -> dict[str, str]:
        """Labels of an image."""
        return self._inspected("{{json .Config.Labels}}", image) or {}

    def state(self, container: str) -> dict[str, Any]:
        """``Running``, ``ExitCode``, ``OOMKilled`` of a container."""
        found: dict[str, Any] = self._inspected("{{json .State}}", container)
        return found

    def last_lines(self, container: str) -> list[str]:
        """The last lines a container wrote, at most 40."""
        environ = os.environ | {"DOCKER_CONFIG": self.settings}
        try:
            done = subprocess.run(
                [self.program, "logs", "--tail", str(LAST_LINES), container],
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                timeout=30,
            )
        except subprocess.TimeoutExpired:
            return ["its log could not be read within 30 s"]
        return done.stdout.splitlines()

    def _inspected(self, shown: str, name: str) -> Any:
        return json.loads(self.run(("inspect", "--format", shown, name)))


def cure_of(said: str) -> str:
    """What to do about a message of the engine."""
    for part, cure in (
        ("no space left", "Free disk space: slipway-release status and docker system df show what uses it"),
        ("no basic auth", "The box has no permission to pull: check its instance role and /etc/slipway/docker/config.json"),
        ("denied", "The box has no permission to pull: check its instance role and /etc/slipway/docker/config.json"),
        ("manifest unknown", "The image is not, or no longer, in the registry: run the workflow again"),
        ("Cannot connect to the Docker daemon", "systemctl start docker"),
        ("connection refused", "Check that this box can reach the registry"),
        ("no such host", "Check that this box can reach the registry"),
        ("i/o timeout", "Check that this box can reach the registry"),
    ):
        if part.lower() in said.lower():
            return cure
    return ""
