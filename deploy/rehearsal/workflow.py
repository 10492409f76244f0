"""Runs the repository's own workflows with act, on this machine; GitHub's actions are replaced by stand-ins."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rehearsal.aws import ACCOUNT, REGION, Aws
from rehearsal.box import Box
from rehearsal.github import GitHub, install
from rehearsal.project import Project

SECONDS = 1_500
ROOT = Path(__file__).resolve().parents[2]
LABELS = ("ubuntu-latest", "self-hosted", "slipway", "slipway-staging")
MUCH_LATER = 4_102_444_800  # 2100-01-01
USES = re.compile(r"^\s*(?:- )?uses:\s*(?P<name>[^@\s]+)@(?P<ref>\S+)", re.MULTILINE)
# [main/Approval], or [Release/release/Continuous Delivery] of a workflow that is called
JOB = r"^\[(?:(?P<call>[^\]/]+)/[^\]/]+|[^\]/]+)/(?P<job>[^\]/]+?)\s*\] "
STEP = re.compile(JOB + r"⭐ Run Main (?P<step>.+)$")
ENDED = re.compile(JOB + r".*(?:Job succeeded|Job failed)")
DEPLOYMENT = "Continuous Deployment / Box"
NOTHING = 'name: {name}\ndescription: Does nothing here\nruns:\n  using: composite\n  steps: [{shell: bash, run: "true"}]\n'
CREDENTIALS = """name: aws-actions/configure-aws-credentials
description: Hands the keys to the steps that follow
inputs: {aws-region: {}, role-to-assume: {}, aws-access-key-id: {}, aws-secret-access-key: {}}
runs:
  using: composite
  steps:
    - shell: bash
      env:
        KEY: ${{ inputs.aws-access-key-id || 'TEMPORARY' }}
        SECRET: ${{ inputs.aws-secret-access-key || 'temporary' }}
        REGION: ${{ inputs.aws-region }}
      run: |
        printf 'AWS_ACCESS_KEY_ID=%s\\nAWS_SECRET_ACCESS_KEY=%s\\nAWS_REGION=%s\\nAWS_DEFAULT_REGION=%s\\n' \\
          "$KEY" "$SECRET" "$REGION" "$REGION" >> "$GITHUB_ENV"
"""
STAND_INS = {
    "actions/checkout": NOTHING,  # act works in place
    "actions/setup-python": NOTHING,
    "actions/upload-artifact": NOTHING,
    "aws-actions/configure-aws-credentials": CREDENTIALS,
    "azure/login": NOTHING,
    "google-github-actions/auth": NOTHING,
    "google-github-actions/get-gke-credentials": NOTHING,
}


@dataclass(frozen=True)
class Run:
    """What a run of a workflow ended with.

    Parameters
    ----------
    ended : mapping
        Jobs that ran, named as on GitHub → seconds from the start of the run to their end.
    """

    code: int
    log: str
    ended: Mapping[str, float]

    @property
    def jobs(self) -> list[str]:
        """Names of the jobs that ran."""
        return list(self.ended)

    @property
    def live(self) -> float:
        """Seconds from the push until the box had released the commit."""
        return self.ended[DEPLOYMENT]

    @property
    def built(self) -> bool:
        """Whether the delivery built an image; the workflows of an earlier Slipway have a step for it."""
        return "| Building " in self.log or self.ran("Build")

    def ran(self, step: str) -> bool:
        """Whether a step ran."""
        return f"⭐ Run Main {step}\n" in self.log


@dataclass(frozen=True)
class Runner:
    """What runs workflows.

    Parameters
    ----------
    place : Path
        An empty folder for its own files.
    secrets, variables : mapping
        Of the repository.
    environ : mapping
        Added to the environment of the jobs.
    """

    place: Path
    secrets: Mapping[str, str]
    variables: Mapping[str, str]
    environ: Mapping[str, str] = field(default_factory=dict)

    @property
    def github(self) -> GitHub:
        """What the jobs asked of GitHub."""
        return GitHub(self.place / "bin")

    def run(
        self,
        project: Project,
        number: int,
        workflow: str = "main.yaml",
        event: str = "push",
        payload: dict | None = None,
        begun: Callable[[str, str], None] = lambda job, step: None,
    ) -> Run:
        """Run a workflow on the project's present commit.

        Parameters
        ----------
        number : int
            The run's number.
        begun : callable
            Told the job and the step as each step begins.
        """
        folder = project.folder / ".github/workflows"
        text = "".join(path.read_text() for path in sorted(folder.glob("*.yaml")))
        command = [
            str(Path(sys.executable).parent / "act"),
            event,
            "--action-offline-mode",
            "--workflows",
            str(folder / workflow),
            "--eventpath",
            self._file("event.json", json.dumps(payload or {})),
            "--secret-file",
            self._file("secrets", _lines(self.secrets)),
            "--var-file",
            self._file("vars", _lines(self.variables)),
            "--env",
            f"GITHUB_RUN_NUMBER={number}",
            "--matrix",
            "python:3.11",
            *[part for label in LABELS for part in ("-P", f"{label}=-self-hosted")],
            *self._stand_ins(text),
        ]
        lines, ended, start = [], {}, time.monotonic()
        with subprocess.Popen(
            command,
            cwd=project.folder,
            env=self._environ(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        ) as process:
            limit = threading.Timer(SECONDS, process.kill)
            limit.start()
            try:
                for line in process.stdout:
                    lines.append(line)
                    if found := ENDED.match(line):
                        ended[_name(found)] = time.monotonic() - start
                    if (found := STEP.match(line)) and f"- name: {found['step']}\n" in text:  # no step of a stand-in
                        begun(_name(found), found["step"])
            except BaseException:  # Ctrl-C
                process.kill()
                raise
            finally:
                limit.cancel()
        return Run(process.returncode, "".join(lines), ended)

    def _environ(self) -> dict[str, str]:
        (self.place / "config/act").mkdir(parents=True, exist_ok=True)
        (self.place / "config/act/actrc").touch()
        homes = {"XDG_CONFIG_HOME": "config", "XDG_CACHE_HOME": "cache", "HOME": "home"}
        own = {name: str(self.place / folder) for name, folder in homes.items()}
        (self.place / "home").mkdir(exist_ok=True)
        return os.environ | own | dict(self.environ)

    def _file(self, name: str, content: str) -> str:
        path = self.place / name
        path.touch(mode=0o600)
        path.write_text(content)
        return str(path)

    def _stand_ins(self, workflow: str) -> Sequence[str]:
        arguments: list[str] = []
        for name, ref in sorted(set(USES.findall(workflow))):
            if name not in STAND_INS:
                raise RuntimeError(f"{name} has no stand-in, so this workflow cannot be rehearsed")
            folder = self.place / "actions" / name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "action.yml").write_text(STAND_INS[name].replace("{name}", name))
            arguments += ["--local-repository", f"{name}@{ref}={folder}"]
        return arguments


def _name(found: re.Match[str]) -> str:
    """A job that another workflow has is named after the job that calls it, too."""
    return " / ".join(part for part in (found["call"], found["job"]) if part)


def _lines(values: Mapping[str, str]) -> str:
    return "".join(f"{name}={value}\n" for name, value in values.items())


def make_runner(
    place: Path, aws: Aws, registry: str, name: str, box: Box, tests: str = "", environment: Path | None = None
) -> Runner:
    """A runner whose jobs reach the stand-ins of AWS, the local registry, and the box through ``sudo``.

    Parameters
    ----------
    tests : str
        Which tests of Slipway the job Continuous Integration runs; all take minutes, and were run before.
    environment : Path
        The environment of a repository that `slipway new` made, with the Slipway of its locks. Without it the
        repository is Slipway's own, and its jobs use the environment that runs this.
    """
    programs = place / "bin"
    programs.mkdir()
    sudo = programs / "sudo"
    sudo.write_text(f'#!/bin/sh\nexec docker exec --interactive --user {box.runner} {box.name} sudo "$@"\n')
    sudo.chmod(0o755)
    install(programs)
    own = Path(sys.executable).parent.parent
    venv = installed(place, environment or own)
    secrets = {name: value for name, value in aws.environ.items() if name.endswith(("KEY_ID", "ACCESS_KEY"))}
    variables = {
        "AWS_REGION": REGION,
        "AWS_ECR_LOGIN_URI": registry,
        "ECR_REPOSITORY_NAME": name,
        "SLIPWAY_REMOTE": aws.remote,
        "AWS_READ_ROLE_ARN": f"arn:aws:iam::{ACCOUNT}:role/read",
    }
    environ = {
        "PATH": os.pathsep.join([str(programs), str(venv / "bin"), str(own / "bin"), os.environ["PATH"]]),
        "PYTHONPATH": "" if environment else "src",
        "AWS_ENDPOINT_URL": aws.url,
        "VENV": str(venv),
        "MYPY_CACHE_DIR": str(ROOT / ".mypy_cache"),  # each run lints a fresh checkout of nearly the same files
        "TESTS": tests,
        "DOCKER_CONFIG": str(place / "docker"),
        "OMP_NUM_THREADS": "1",
    }
    return Runner(place, secrets, variables, environ)


def installed(place: Path, environment: Path) -> Path:
    """A view of an environment in which make finds everything installed, whatever the age of its files."""
    view = place / "venv"
    view.mkdir()
    for path in environment.iterdir():
        if path.suffix != ".stamp":
            (view / path.name).symlink_to(path)
    for name in ("train", "dev", "lint"):
        stamp = view / f"{name}.stamp"
        stamp.touch()
        os.utime(stamp, (MUCH_LATER, MUCH_LATER))
    return view
