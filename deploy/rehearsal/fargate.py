"""Releases on the road Fargate: an image of a checkout, and the command that makes it live, as deploy.yaml runs it."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from rehearsal.box import ROOT
from rehearsal.containers import Docker
from rehearsal.ecs import Ecs
from rehearsal.traffic import Traffic
from slipway.release.image.labels import labels
from slipway.store.local import LocalStore


@dataclass(frozen=True)
class Image:
    """An image in the registry, and the checkout that it was made of."""

    folder: Path
    digest: str

    @property
    def key(self) -> str:
        """What stands for its release key: the digits of its digest."""
        return self.digest.removeprefix("sha256:")

    def request(self, run_number: int) -> dict:
        """What asks for its release; each run stands for another commit."""
        return {"digest": self.digest, "key": self.key, "commit": f"{run_number:040x}", "run_number": run_number}


def build_image(docker: Docker, folder: Path, repository: str, *lines: str) -> Image:
    """Build and push the image of a checkout; with `lines` of a Dockerfile, one that is made of it and wrong on purpose."""
    named = labels(LocalStore(folder / "artifacts"))
    arguments = [part for name, value in named.items() for part in ("--label", f"{name}={value}")]
    tag = f"{repository}:build"
    docker("build", "--quiet", "--tag", tag, *arguments, folder)
    if lines:
        docker("build", "--quiet", "--tag", tag, "-", input="\n".join([f"FROM {tag}", *lines, ""]))
    docker("push", "--quiet", tag)
    found = docker.inspect(tag)["RepoDigests"]
    image = Image(folder, next(each.partition("@")[2] for each in found if each.startswith(f"{repository}@")))
    docker("tag", tag, f"{repository}:{image.key}")
    docker("push", "--quiet", f"{repository}:{image.key}")
    return image


@dataclass
class Play:
    """What happened, and when."""

    what: str
    begun: float
    ended: float
    code: int
    said: str
    live: str

    @property
    def seconds(self) -> float:
        return self.ended - self.begun

    @property
    def result(self) -> str:
        """Its last line, or the error."""
        return self.said.strip().rpartition("\n")[2]

    def sent(self, found: Traffic) -> Traffic:
        """The requests sent meanwhile."""
        return Traffic([each for each in found.requests if self.begun <= each.sent < self.ended])

    def until_all(self, found: Traffic) -> float:
        """Seconds until the last answer of another release than the one that is live at the end."""
        late = [each.answered for each in self.sent(found).requests if each.status == 200 and each.release != self.live]
        return max(late, default=self.begun) - self.begun


@dataclass(frozen=True)
class Road:
    """A service on the stand-in of ECS, and the releases to it."""

    ecs: Ecs
    repository: str

    def release(self, what: str, image: Image, run_number: int) -> Play:
        """Run the command in the image's checkout."""
        command = [sys.executable, "-m", "slipway.release", "deploy", "fargate", self.ecs.stack.name]
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # of the `aws` beside this Python
        environ = os.environ | self.ecs.environ | {"PYTHONPATH": str(ROOT / "src"), "PATH": path}
        begun = time.monotonic()
        done = subprocess.run(
            [*command, "--repository", self.repository],
            cwd=image.folder,
            env=environ,
            input=json.dumps(image.request(run_number)),
            capture_output=True,
            text=True,
        )
        said = done.stdout + done.stderr
        return Play(what, begun, time.monotonic(), done.returncode, said, self.live())

    def do(self, what: str, action: object, seconds: float = 300) -> Play:
        """Call `action`, and wait until the service has settled."""
        begun = time.monotonic()
        action()
        self.settle(seconds)
        return Play(what, begun, time.monotonic(), 0, "", self.live())

    def settle(self, seconds: float = 300) -> None:
        """Until the service has what it wants."""
        deadline = time.monotonic() + seconds
        while not self.ecs.settled():
            if time.monotonic() > deadline:
                raise RuntimeError(f"the service does not settle: {self.ecs.service.events[:5]}")
            time.sleep(0.2)

    def live(self) -> str:
        """Id of the live release; empty before the first one."""
        return self.ecs.labels().get("slipway.release", "")
