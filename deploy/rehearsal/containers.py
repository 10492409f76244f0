"""The Docker engine, through its client."""

import json
import os
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

SECONDS = 900
LABEL = "slipway.rehearsal"


class Docker:
    """The engine's client."""

    def __call__(self, *arguments: str | Path, check: bool = True, **options) -> subprocess.CompletedProcess:
        environment = os.environ | {"DOCKER_BUILDKIT": "1", "BUILDKIT_PROGRESS": "plain"} | options.pop("environ", {})
        done = subprocess.run(
            ["docker", *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=SECONDS, **options
        )
        if check and done.returncode:
            raise RuntimeError(f"docker {arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return done

    def inspect(self, name: str) -> dict:
        """What the engine knows of a container or an image."""
        return json.loads(self("inspect", name).stdout)[0]

    def reachable(self) -> bool:
        """Whether there is an engine to talk to."""
        try:
            return self("info", check=False).returncode == 0
        except OSError:
            return False

    @contextmanager
    def running(self, *arguments: str) -> Iterator[str]:
        """A container, removed at the end; the arguments are those of ``docker run``."""
        name = f"slipway-rehearsal-{uuid.uuid4().hex[:12]}"
        try:
            self("run", "--detach", "--name", name, "--label", LABEL, *arguments)
            yield name
        finally:
            self("rm", "--force", "--volumes", name, check=False)

    def port(self, name: str, inside: int) -> int:
        """Where a container's port is published on this machine."""
        return int(self("port", name, f"{inside}/tcp").stdout.split()[0].rpartition(":")[2])
