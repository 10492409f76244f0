"""The way from a commit to a box: registry, store, box and a repository of its own, for the tests that play workflows."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3

from bundles import ROWS, make_bundle
from images import BASE
from rehearsal.aws import PASSWORD, Aws
from rehearsal.box import ROOT, Box, make_box
from rehearsal.containers import Docker
from rehearsal.project import Project, make_project, name_base
from rehearsal.registry import Registry, make_registry
from rehearsal.workflow import Run, Runner, make_runner
from servers import free_port
from slipway.store.local import LocalStore

NAME = "insurance"
PROBLEM = "name: regression\nsource: table.csv\ntarget: charges\n"


@dataclass
class Way:
    """The way from a commit to the box."""

    aws: Aws
    registry: Registry
    box: Box
    project: Project
    runner: Runner
    number: int = 0

    def slipway(self, *arguments: str) -> None:
        environ = os.environ | self.aws.environ | {"SLIPWAY_REMOTE": self.aws.remote, "PYTHONPATH": str(ROOT / "src")}
        command = [sys.executable, "-m", "slipway", *arguments]
        done = subprocess.run(command, cwd=self.project.folder, env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def model(self, change: float) -> str:
        """Make another model the champion and keep its bundle in the remote store, not in git; its digest."""
        store = LocalStore(self.project.folder / "artifacts")
        bundle = make_bundle(store, "regression", weights=[[250.0 + change], [30.0], [23000.0], [1.0]])
        self.slipway("push")
        return bundle.digest

    def forget(self, digest: str) -> None:
        """Remove a bundle from the checkout, as a runner's clean one has none that is not in git."""
        shutil.rmtree(self.project.folder / "artifacts/bundles" / digest)

    def push(self, **options) -> Run:
        self.number += 1
        return self.runner.run(self.project, self.number, **options)

    def live(self) -> dict:
        """What the box noted of the live release."""
        return json.loads(self.box.run("cat", f"{self.box.state}/releases/{self.box.live()}.json").stdout)

    def noted(self) -> list[dict]:
        """What the remote journal says of this project's releases."""
        commits = self.project.git("rev-list", "--all").split()
        return [each for each in self.journal("release") if each["commit"] in commits]

    def journal(self, event: str) -> list[dict]:
        """The lines of a kind in the remote journal."""
        bucket, _, prefix = self.aws.remote.removeprefix("s3://").partition("/")
        content = self.s3().get_object(Bucket=bucket, Key=f"{prefix}/journal.jsonl")["Body"].read()
        return [each for each in map(json.loads, content.splitlines()) if each["event"] == event]

    def put(self, name: str, content: bytes) -> None:
        """Write an object into the remote store."""
        bucket, _, prefix = self.aws.remote.removeprefix("s3://").partition("/")
        self.s3().put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=content)

    def keys(self) -> list[str]:
        """What is in the remote store."""
        bucket = self.aws.remote.removeprefix("s3://").partition("/")[0]
        return [each["Key"] for each in self.s3().list_objects_v2(Bucket=bucket)["Contents"]]

    def s3(self):
        """A client of the remote store."""
        return boto3.client(
            "s3",
            endpoint_url=self.aws.url,
            region_name="eu-west-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )

    def digest(self) -> str:
        """Of the image that is live."""
        return self.live()["digest"]


@contextmanager
def make_way(docker: Docker, aws: Aws, folder: Path, source: Path, **options) -> Iterator[Way]:
    """The way of a copy of the repository `source`, with a problem of its own; `options` are those of its runner."""
    with make_registry(docker, PASSWORD, free_port()) as registry:
        repository = f"{registry.host}/{NAME}"
        with make_box(docker, repository, (registry.host, "AWS", registry.password)) as box:
            project = make_project(folder / "project", source)
            (project.folder / "slipway.yaml").write_text(PROBLEM)
            write_table(project.folder / "table.csv")
            name_base(project.folder, BASE)
            place = folder / "runner"
            place.mkdir()
            yield Way(aws, registry, box, project, make_runner(place, aws, registry.host, NAME, box, **options))


def write_table(path: Path) -> None:
    """A table that fits the bundles of `Way.model`."""
    lines = [",".join([*ROWS[0], "charges"]), *(",".join([*map(cell, row.values()), "1"]) for row in ROWS * 10)]
    path.write_text("\n".join([*lines, ""]))


def cell(value: object) -> str:
    return "" if value is None else str(value)
