"""A registry that wants a password, as ECR does, in a container on this machine."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException

from rehearsal.box import IMAGE
from rehearsal.containers import Docker

USER = "AWS"
START = """set -e
htpasswd -Bbn "$1" "$2" > /tmp/passwords
cat > /tmp/registry.yml <<END
version: 0.1
log: {level: warn}
storage: {filesystem: {rootdirectory: /tmp/registry}}
http: {addr: ":5000"}
auth: {htpasswd: {realm: rehearsal, path: /tmp/passwords}}
END
exec docker-registry serve /tmp/registry.yml
"""


@dataclass(frozen=True)
class Registry:
    """A running registry; `host` is what AWS_ECR_LOGIN_URI would be."""

    docker: Docker
    name: str
    host: str
    password: str

    def stop(self) -> None:
        self.docker("stop", "--time", "1", self.name)

    def start(self) -> None:
        """Start it again, at the same address."""
        self.docker("start", self.name)
        wait(self.host)


@contextmanager
def make_registry(docker: Docker, password: str, port: int) -> Iterator[Registry]:
    """A registry at a free `port`, the same after a restart; at the end the engine forgets the images that are named by it.

    Boxes that pull from it must be gone by then: an image loses its name while a container runs it, and stays.
    """
    with docker.running("--publish", f"127.0.0.1:{port}:5000", IMAGE, "sh", "-c", START, "sh", USER, password) as name:
        host = f"127.0.0.1:{port}"
        wait(host)
        try:
            yield Registry(docker, name, host, password)
        finally:
            forget_images(docker, host)


def forget_images(docker: Docker, host: str) -> None:
    listed = docker("image", "ls", "--filter", f"reference={host}/*", "--format", "{{.Repository}}:{{.Tag}}", check=False)
    for name in listed.stdout.split():
        docker("image", "rm", "--force", name, check=False)


def wait(host: str, seconds: float = 30) -> None:
    """Until it asks for a password."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            connection = HTTPConnection(host, timeout=5)
            connection.request("GET", "/v2/")
            status = connection.getresponse().status
            connection.close()
            if status == 401:
                return
            said = str(status)
        except (OSError, HTTPException) as error:
            said = str(error)
        if time.monotonic() > deadline:
            raise RuntimeError(f"the registry at {host} does not answer: {said}")
        time.sleep(0.05)
