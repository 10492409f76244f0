"""The shell steps of the Jenkinsfile, run in the order of its stages; other programs only write down how they were called."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jenkins_builds import SECRETS, Build, git
from jenkinsfile import Node, check, read
from slipway.release.__main__ import _parser

ROOT = Path(__file__).resolve().parents[2]
JENKINS = ROOT / "deploy/jenkins"
ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
REGISTRY = {"SLIPWAY_REGISTRY": ECR, "SLIPWAY_REPOSITORY": "models/insurance", "AWS_REGION": "eu-west-1"}
PROGRAM = """#!/bin/bash
printf '%s\\n' "${0##*/} $*" >> "$CALLS"
case "${0##*/} $*" in
  "aws ecr "* | "az acr "* | "gcloud auth "*) echo token-of-the-machine ;;
  "docker login "*)
    printf 'stdin %s\n' "$(sha256sum | cut -c1-8)" >> "$CALLS"
    mkdir -p "$DOCKER_CONFIG" && touch "$DOCKER_CONFIG/config.json"
    ;;
  "make test "*) env > "$CALLS.tests"; [ -n "$HOME" ] && [ -d "$HOME" ] && touch report.xml; [ ! -e "$CALLS.broken" ] ;;
  "make --silent install") mkdir -p .venv/bin && cp "$PYTHON_STUB" .venv/bin/python ;;
  "sudo "*) sed 's/^/sudo read /' >> "$CALLS"; echo "Result: live" ;;
esac
"""
PYTHON = """#!/bin/bash
if [ "$1" = -c ]; then exec REAL "$@"; fi
printf '%s\\n' "python $*" >> "$CALLS"
case "$*" in
  *" deliver "*)
    ls "$DOCKER_CONFIG/config.json" >/dev/null
    printf '{"digest": "sha256:%s", "key": "k", "commit": "%s", "run_number": %s}\\n' \\
      "$(git rev-parse HEAD:artifacts/champion.json)" "$(git rev-parse HEAD)" "$(git rev-list --count HEAD)" > request.json
    ;;
  *" deploy "*) sed 's/^/python read /' >> "$CALLS"; echo "Result: live" ;;
  *" train") printf '%s' "$TRAINED" > artifacts/champion.json; echo '{"outcome": "promoted"}' > artifacts/verdict.json ;;
  *" diff "*) echo '### Model' ;;
  *" --in-git")
    mkdir -p artifacts/bundles/abc && echo bundle > artifacts/bundles/abc/model.onnx
    git add --force artifacts/bundles artifacts/champion.json artifacts/verdict.json
    ;;
esac
"""
CHAMPION = json.dumps({"digest": "a" * 64})
CHALLENGER = json.dumps({"digest": "b" * 64})


@pytest.fixture(scope="module")
def pipeline() -> Node:
    return check(read((JENKINS / "Jenkinsfile").read_text()))


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with the files of deploy/jenkins and a champion."""
    folder = tmp_path / "repository"
    shutil.copytree(JENKINS, folder / "deploy/jenkins")
    (folder / "artifacts").mkdir()
    (folder / ".gitignore").write_text(".venv/\nartifacts/*\n!artifacts/champion.json\n!artifacts/verdict.json\n")
    (folder / "artifacts/champion.json").write_text(CHAMPION)
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Start")
    return folder


@pytest.fixture
def build(tmp_path: Path, repository: Path, pipeline: Node) -> Callable[..., Build]:
    """Run a build; its settings by name, and `branch`, `train`, `previous`."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("aws", "az", "gcloud", "docker", "make", "sudo"):
        (programs / name).write_text(PROGRAM)
        (programs / name).chmod(0o755)
    (tmp_path / "python").write_text(PYTHON.replace("REAL", sys.executable))
    (tmp_path / "python").chmod(0o755)

    def run(branch: str = "main", train: bool = False, previous: str = "SUCCESS", **settings: str) -> Build:
        settings = {**REGISTRY, "PYTHON_STUB": str(tmp_path / "python"), **settings}
        (tmp_path / "calls").unlink(missing_ok=True)
        path = f"{programs}{os.pathsep}/usr/bin{os.pathsep}/bin"
        return Build(tmp_path, repository, path, branch, settings, train, previous).run(pipeline)

    return run


def test_a_pull_request_is_tested_and_nothing_else(build):
    done = build("PR-1", SLIPWAY_AWS_CREDENTIALS="id", SLIPWAY_REGISTRY_CREDENTIALS="id")
    assert (done.result, done.stages) == ("SUCCESS", ["Test"])
    [call] = done.calls()
    assert call.startswith("make test ") and call.endswith("@tmp/venv JUNIT=report.xml")
    assert done.steps == ["deleteDir()", "checkout(scm)", "junit(testResults: 'report.xml', allowEmptyResults: true)"]
    assert (done.folder / "slipway-test/workspace/report.xml").exists()


def test_what_tests_write_into_the_workspace_runs_in_no_later_build(build, tmp_path):
    build("PR-1")
    workspace = tmp_path / "slipway-test/workspace"
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/ran\n")
    program.chmod(0o755)
    git(workspace, "config", "core.fsmonitor", str(program))
    (workspace / "left").touch()
    assert build("PR-1").result == "SUCCESS"
    assert not (tmp_path / "ran").exists(), "outside of the container"
    assert not (workspace / "left").exists()


def test_main_is_tested_delivered_and_goes_to_the_box(build, repository):
    done = build()
    assert (done.result, done.stages) == ("SUCCESS", ["Settings", "Test", "Delivery", "Box"])
    commit = git(repository, "rev-parse", "HEAD").strip()
    programs = [call.partition(" ")[0] for call in done.calls()]
    assert sorted(programs[2:5]) == ["aws", "docker", "stdin"], "both ends of a pipe, in either order"
    assert programs[:2] + programs[5:] == ["make", "make", "python", "sudo", "sudo"]
    assert f"python -m slipway.release deliver {ECR} models/insurance --request request.json" in done.calls()
    assert done.calls()[-2] == "sudo --non-interactive /usr/local/sbin/slipway-release"
    assert f'"commit": "{commit}", "run_number": 1' in done.calls()[-1]
    assert (done.archive / "request.json").exists()
    assert "Result: live" in done.said


def test_main_is_tested_without_its_settings(build, tmp_path):
    assert build(SLIPWAY_REMOTE="s3://bucket/artifacts").result == "SUCCESS"
    assert "SLIPWAY_" not in (tmp_path / "calls.tests").read_text()


def test_after_failed_tests_nothing_is_delivered(build, tmp_path):
    (tmp_path / "calls.broken").touch()
    done = build(SLIPWAY_MAIL_TO="team@example.com")
    assert (done.result, done.stages) == ("FAILURE", ["Settings", "Test"])
    assert done.steps[-1] == "junit(testResults: 'report.xml', allowEmptyResults: true)"
    assert len(done.calls()) == 1
    assert done.mails == 1


ROADS = [
    ("fargate", {}, "fargate insurance"),
    ("kubernetes", {"SLIPWAY_OVERLAY": "eks"}, "kubernetes insurance --overlay deploy/kubernetes/eks"),
    ("webapp", {"AZURE_WEBAPP_NAME": "prices", "AZURE_RESOURCE_GROUP": "models"}, "webapp prices --group models"),
    ("cloudrun", {"GCP_LOCATION": "europe-west1"}, "cloudrun insurance --region europe-west1"),
]


@pytest.mark.parametrize("road, settings, arguments", ROADS)
def test_each_road_of_a_cloud(build, road, settings, arguments):
    done = build(SLIPWAY_ROAD=road, **settings)
    assert (done.result, done.stages) == ("SUCCESS", ["Settings", "Test", "Delivery", "Cloud"])
    assert f"python -m slipway.release deploy {arguments} --repository {ECR}/models/insurance" in done.calls()
    assert done.calls()[-1].startswith('python read {"digest": "sha256:')
    for call in done.calls():
        if call.startswith("python -m slipway.release "):
            _parser().parse_args(call.split()[3:])  # exits if Slipway does not know it


@pytest.mark.parametrize(
    "program, settings, says",
    [
        ("deploy", {"SLIPWAY_ROAD": "kubernetes"}, "SLIPWAY_OVERLAY: is not set"),
        ("deploy", {"SLIPWAY_ROAD": "webapp"}, "AZURE_WEBAPP_NAME: is not set"),
        ("deploy", {"SLIPWAY_ROAD": "webapp", "AZURE_WEBAPP_NAME": "prices"}, "AZURE_RESOURCE_GROUP: is not set"),
        ("deploy", {"SLIPWAY_ROAD": "cloudrun"}, "GCP_LOCATION: is not set"),
        ("deploy", {"SLIPWAY_ROAD": "heroku"}, 'SLIPWAY_ROAD is "heroku"'),
        ("login", {"SLIPWAY_REGISTRY": ""}, "SLIPWAY_REGISTRY: is not set"),
        ("login", {"SLIPWAY_REPOSITORY": ""}, "SLIPWAY_REPOSITORY: is not set"),
        ("login", {"AWS_REGION": ""}, "AWS_REGION: is not set"),
        ("login", {"SLIPWAY_REGISTRY": "registry.example.com"}, "needs a user and a password"),
    ],
)
def test_a_missing_setting_is_named(program, settings, says):
    environ = {"PATH": "/usr/bin:/bin"} | REGISTRY | settings
    done = subprocess.run([JENKINS / program], env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert done.returncode != 0
    assert says in done.stderr


@pytest.mark.parametrize(
    "host, asked, user",
    [
        (ECR, "aws ecr get-login-password --region eu-west-1", "AWS"),
        (
            "models.azurecr.io",
            "az acr login --name models --expose-token --query accessToken --output tsv",
            "00000000-0000-0000-0000-000000000000",
        ),
        (
            "models-a1b2.azurecr.io",
            "az acr login --name models --suffix a1b2 --expose-token --query accessToken --output tsv",
            "00000000-0000-0000-0000-000000000000",
        ),
        ("europe-west1-docker.pkg.dev", "gcloud auth print-access-token", "oauth2accesstoken"),
    ],
)
def test_the_agent_logs_in_as_itself(build, host, asked, user):
    calls = build(SLIPWAY_REGISTRY=host).calls()
    assert asked in calls
    assert f"docker login --username {user} --password-stdin {host}" in calls


def test_a_login_ends_with_its_step_and_no_secret_is_told(build, tmp_path):
    names = ("SLIPWAY_AWS_CREDENTIALS", "SLIPWAY_REGISTRY_CREDENTIALS", "SLIPWAY_KUBECONFIG_CREDENTIALS")
    done = build(SLIPWAY_ROAD="fargate", SLIPWAY_REGISTRY="registry.example.com", **dict.fromkeys(names, "id"))
    assert done.result == "SUCCESS"
    assert "docker login --username robot --password-stdin registry.example.com" in done.calls()
    assert not [call for call in done.calls() if call.startswith(("aws", "az", "gcloud"))]
    assert not list(tmp_path.rglob("docker/config.json"))
    told = done.said + "\n".join(done.calls())
    assert [
        secret
        for bound in SECRETS.values()
        for name, secret in bound.items()
        if "SECRET" in name or "PASSWORD" in name
        if secret in told
    ] == []


def test_an_approval_is_asked_for_after_the_delivery(build):
    done = build(SLIPWAY_APPROVERS="ann,bob")
    assert done.stages == ["Settings", "Test", "Delivery", "Approval", "Box"]
    [asked] = [step for step in done.steps if step.startswith("input")]
    assert "submitter: env.SLIPWAY_APPROVERS" in asked


def test_a_revert_deploys_the_earlier_image_with_a_higher_number(build, repository):
    requests = [json.loads(build().stashed["request.json"])]
    (repository / "artifacts/champion.json").write_text(CHALLENGER)
    git(repository, "commit", "--quiet", "--all", "--message", "Next model")
    requests.append(json.loads(build().stashed["request.json"]))
    git(repository, "revert", "--no-edit", "HEAD")
    requests.append(json.loads(build().stashed["request.json"]))
    assert [each["run_number"] for each in requests] == [1, 2, 3]
    assert requests[0]["digest"] == requests[2]["digest"] != requests[1]["digest"]


def test_what_a_build_left_does_not_reach_the_next(build, tmp_path):
    build()
    workspace = tmp_path / "slipway-delivery/workspace"
    (workspace / "left").touch()
    (workspace / "artifacts/champion.json").write_text("changed")
    assert build().result == "SUCCESS"
    assert git(workspace, "status", "--porcelain").split() == ["??", "request.json"]
    assert (workspace / ".venv").is_dir(), "it is used again"


@pytest.mark.parametrize("remote", ["", "s3://bucket/artifacts"])
def test_a_training_ends_with_a_patch(build, repository, tmp_path, remote):
    done = build(train=True, SLIPWAY_REMOTE=remote, TRAINED=CHALLENGER)
    assert (done.result, done.stages) == ("SUCCESS", ["Settings", "Test", "Train"])
    commands = [call.removeprefix("python -m slipway ") for call in done.calls() if call.startswith("python -m slipway ")]
    assert commands == (
        ["pull", "train", "diff HEAD", "push"] if remote else ["train", "diff HEAD", f"promote {'b' * 64} --in-git"]
    )
    git(repository, "am", "--quiet", str(done.archive / "model.patch"))
    assert json.loads((repository / "artifacts/champion.json").read_text()) == json.loads(CHALLENGER)
    changed = git(repository, "diff", "--name-only", "HEAD~1").split()
    assert changed == [
        *([] if remote else ["artifacts/bundles/abc/model.onnx"]),
        "artifacts/champion.json",
        "artifacts/verdict.json",
    ]
    assert (done.archive / "model.md").read_text() == "### Model\n"


def test_a_training_that_keeps_the_model_proposes_nothing(build):
    done = build(train=True, TRAINED=CHAMPION)
    assert done.result == "SUCCESS"
    assert "The gate kept the model" in done.said
    assert list(done.archive.iterdir()) == []


@pytest.mark.parametrize(
    "mail, previous, mails",
    [
        ("always", "SUCCESS", 1),
        ("always", "FAILURE", 1),
        ("change", "SUCCESS", 0),
        ("change", "FAILURE", 1),
        ("", "FAILURE", 1),
    ],
)
def test_when_a_mail_is_sent(build, mail, previous, mails):
    assert build(SLIPWAY_MAIL=mail, previous=previous, SLIPWAY_MAIL_TO="team@example.com").mails == mails
    assert build(SLIPWAY_MAIL=mail, previous=previous).mails == 0
