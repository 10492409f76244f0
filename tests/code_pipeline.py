"""CodeBuild and CodePipeline's action for ECS, as far as AWS's documentation and its users describe them."""

import json
import shlex
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import yaml

from slipway.release.clock import Clock
from slipway.release.fargate.revision import READ_ONLY

PHASES = ("install", "pre_build", "build", "post_build")
SHELL = """
export CODEBUILD_BUILD_SUCCEEDING=1
phase() {
  local name=$1 command
  shift
  for command; do eval "$command" || { echo "phase $name failed" >&2; export CODEBUILD_BUILD_SUCCEEDING=0; return 1; }; done
}
%s && %s && { %s; %s; }
env -0 > "$ENVIRONMENT"
exit $((1 - CODEBUILD_BUILD_SUCCEEDING))
"""


class Built(NamedTuple):
    """How a build ended: exit code, what it said, the files of its artifact and report, and the variables that it exports."""

    code: int
    said: str
    artifacts: dict[str, str]
    reports: list[str]
    exported: dict[str, str]


def build(specification: Path, checkout: Path, environ: Mapping[str, str]) -> Built:
    """Run the phases of a build specification in one bash.

    A phase ends with its first command that fails. If that is `build`, `post_build` runs all the same; if it is one before,
    none does. Artifacts and reports are looked for in any case.
    """
    document = yaml.safe_load(specification.read_text())
    assert (document["version"], document["env"]["shell"]) == (0.2, "bash")
    assert set(document["phases"]) <= set(PHASES)
    given = {name: document["phases"].get(name, {}).get("commands", []) for name in PHASES}
    phases = [" ".join(["phase", name, *map(shlex.quote, commands)]) for name, commands in given.items()]
    ended = checkout.parent / "environment"
    ended.write_text("")
    own = {**environ, "ENVIRONMENT": str(ended)}
    done = subprocess.run(
        ["bash", "-c", SHELL % tuple(phases)], cwd=checkout, env=own, capture_output=True, text=True, timeout=120
    )
    variables = dict(each.split("=", 1) for each in ended.read_text().split("\0") if "=" in each)
    wanted = document.get("artifacts", {"files": []})
    folder = checkout / wanted.get("base-directory", ".")
    found = {path.name: path.read_text() for pattern in wanted["files"] for path in folder.glob(pattern)}
    reports = [name for each in document.get("reports", {}).values() for name in each["files"] if (checkout / name).exists()]
    exported = {name: variables.get(name, "") for name in document["env"].get("exported-variables", [])}
    return Built(done.returncode, done.stdout + done.stderr, found, reports, exported)


class ActionFailed(Exception):
    """The action for ECS ended in red."""


def deploy_by_action(
    aws: Callable, clock: Clock, name: str, definitions: Sequence[Mapping[str, str]], minutes: float = 15, pause: float = 5
) -> str:
    """CodePipeline's action for ECS; the revision that it made.

    It copies the revision that the service runs, replaces images by the names of containers, updates the service, and waits
    until the new tasks alone run. Of a rollback it knows nothing: it waits on (aws/containers-roadmap#1399).
    """
    place = ("--cluster", name, "--services", name)
    running = aws("ecs", "describe-services", *place)["services"][0]["deployments"]
    current = aws("ecs", "describe-task-definition", "--task-definition", running[0]["taskDefinition"])["taskDefinition"]
    images = {each["name"]: each["imageUri"] for each in definitions}
    if unknown := set(images) - {each["name"] for each in current["containerDefinitions"]}:
        raise ActionFailed(f"no container {unknown}")
    containers = [each | {"image": images.get(each["name"], each["image"])} for each in current["containerDefinitions"]]
    document = {name: value for name, value in current.items() if name not in READ_ONLY} | {"containerDefinitions": containers}
    made = aws("ecs", "register-task-definition", "--cli-input-json", json.dumps(document))["taskDefinition"][
        "taskDefinitionArn"
    ]
    aws("ecs", "update-service", "--cluster", name, "--service", name, "--task-definition", made)
    deadline = clock.now() + 60 * minutes
    while clock.now() < deadline:
        [primary, *others] = aws("ecs", "describe-services", *place)["services"][0]["deployments"]
        if primary["taskDefinition"] == made and not others and primary["runningCount"] == primary["desiredCount"]:
            return made
        clock.pause(pause)
    raise ActionFailed("timed out")
