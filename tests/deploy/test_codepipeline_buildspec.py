"""The build specifications of deploy/codepipeline, run phase by phase with stand-ins for the programs that they call."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from canned_aws import CannedAws
from code_pipeline import Built, build

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/codepipeline"
REGISTRY = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
IMAGE = f"{REGISTRY}/churn@sha256:{'d' * 64}"
REQUEST = {"digest": f"sha256:{'d' * 64}", "key": "e" * 64, "commit": "c" * 40, "run_number": 7}
MAKE = """#!/bin/bash
echo "make $*" >> "$CALLS"
if [ "$1" = test ]; then touch report.xml; fi
[ "$FAILS" != "make $1" ]
"""
DOCKER = """#!/bin/bash
echo "docker $*" >> "$CALLS"
echo "password $(cat)" >> "$CALLS"
[ "$FAILS" != "docker $1" ]
"""
PYTHON = f"""#!{sys.executable}
import os, sys
from pathlib import Path
with open(os.environ["CALLS"], "a") as file:
    print("python", *sys.argv[1:], f"REMOTE={{os.environ.get('SLIPWAY_REMOTE')}}", file=file)
if "deliver" in sys.argv:
    if os.environ["FAILS"] == "deliver":
        sys.exit(1)
    Path(sys.argv[sys.argv.index("--request") + 1]).write_text('{json.dumps(REQUEST)}')
    print("key={"e" * 64}\\ndigest=sha256:{"d" * 64}")
elif "images" in sys.argv:
    os.execv({sys.executable!r}, ["python", *sys.argv[1:]])
else:
    print("read", sys.stdin.read())
"""


def definition(*names: str) -> str:
    containers = [{"name": name, "image": f"{REGISTRY}/churn:old"} for name in names]
    foreign = {"name": "proxy", "image": "public.ecr.aws/other/proxy:1"}
    return json.dumps({"taskDefinition": {"containerDefinitions": [*containers, foreign]}})


def service(revision: str) -> str:
    deployment = {"id": "1", "status": "PRIMARY", "taskDefinition": revision}
    return json.dumps({"services": [{"status": "ACTIVE", "desiredCount": 2, "deployments": [deployment]}]})


RULES = {
    "get-login-password": (0, "secret"),
    "describe-services --cluster churn-staging": (0, service("staging:3")),
    "describe-services --cluster churn ": (0, service("production:5")),
    "--task-definition staging:3": (0, definition("prepare", "app")),
    "--task-definition production:5": (0, definition("prepare", "log", "app")),
}


@pytest.fixture
def run(tmp_path) -> Callable[..., tuple[Built, list[str]]]:
    """Run a specification in a checkout: how it ended, and the calls of programs in their order."""
    checkout, programs = tmp_path / "checkout", tmp_path / "programs"
    (checkout / ".venv/bin").mkdir(parents=True)
    programs.mkdir()
    CannedAws(programs)

    def call(name: str, **environ: str) -> tuple[Built, list[str]]:
        (programs / "rules").write_text(json.dumps([(text, [answer]) for text, answer in RULES.items()]))
        calls = tmp_path / "calls"
        calls.write_text("")
        made = {
            programs / "make": MAKE,
            programs / "docker": DOCKER,
            checkout / ".venv/bin/python": PYTHON,
        }
        for path, text in made.items():
            path.write_text(text)
            path.chmod(0o755)
        given = {
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "src"),
            "AWS_REGION": "eu-west-1",
            "CALLS": str(calls),
            "FAILS": "",
            "DEPLOY": "ecs",
            "SERVICE": "churn",
            "STAGING": "",
            "REGISTRY": REGISTRY,
            "REMOTE": "s3://bucket/artifacts",
        }
        ended = build(FOLDER / name, checkout, given | environ)
        return ended, calls.read_text().splitlines()

    return call


def test_the_image_is_tested_delivered_and_named_by_digest_for_each_container_that_runs_it(run):
    built, calls = run("buildspec.yml")
    assert built.code == 0, built.said
    install, login, password, tests, deliver, images = calls
    assert (install, tests) == ("make install", "make test JUNIT=report.xml")
    assert (login, password) == (f"docker login --username AWS --password-stdin {REGISTRY}", "password secret")
    assert deliver == (
        f"python -m slipway.release deliver {REGISTRY} churn --request build/release/request.json REMOTE=s3://bucket/artifacts"
    )
    assert images.startswith(f"python -m slipway.release.fargate.ecs_action images churn {REGISTRY}/churn")
    assert set(built.artifacts) == {"request.json", "imagedefinitions.json"}
    assert json.loads(built.artifacts["request.json"]) == REQUEST
    assert json.loads(built.artifacts["imagedefinitions.json"]) == [
        {"name": name, "imageUri": IMAGE} for name in ("prepare", "log", "app")
    ]
    assert built.exported == {"KEY": "e" * 64, "DIGEST": f"sha256:{'d' * 64}"}
    assert built.reports == ["report.xml"]


def test_only_the_action_for_ecs_needs_to_know_what_runs(run):
    built, calls = run("buildspec.yml", DEPLOY="slipway")
    assert built.code == 0, built.said
    assert set(built.artifacts) == {"request.json"} and "deliver" in calls[-1]


def test_the_tests_do_not_see_the_store(run):
    """A remote store would have them fetch what a checkout alone does not."""
    _, calls = run("buildspec.yml")
    assert [each for each in calls if "REMOTE=s3" in each] == [each for each in calls if "deliver" in each]


def test_staging_has_containers_of_its_own(run):
    built, _ = run("buildspec.yml", STAGING="churn-staging")
    assert built.code == 0, built.said
    staging = json.loads(built.artifacts["imagedefinitions-staging.json"])
    assert staging == [{"name": name, "imageUri": IMAGE} for name in ("prepare", "app")]
    assert len(json.loads(built.artifacts["imagedefinitions.json"])) == 3


def test_without_a_login_nothing_is_tested(run):
    built, calls = run("buildspec.yml", FAILS="docker login")
    assert (built.code, built.artifacts, built.reports) == (1, {}, [])
    assert len(calls) == 3 and "phase pre_build failed" in built.said


def test_where_tests_fail_they_are_reported_and_nothing_is_delivered(run):
    built, calls = run("buildspec.yml", FAILS="make test")
    assert (built.code, built.artifacts, built.reports) == (1, {}, ["report.xml"])
    assert calls[-1] == "make test JUNIT=report.xml"


def test_what_was_not_delivered_is_not_released_although_the_last_phase_runs(run):
    built, calls = run("buildspec.yml", FAILS="deliver")
    assert (built.code, built.artifacts, built.reports) == (1, {}, ["report.xml"])
    assert "phase build failed" in built.said and "phase post_build failed" in built.said
    assert not any("images" in each for each in calls)


def test_a_service_that_is_not_there_fails_the_build(run):
    built, _ = run("buildspec.yml", STAGING="other")
    assert built.code == 1


@pytest.mark.parametrize(
    ("deploy", "command"),
    [
        ("slipway", f"-m slipway.release deploy fargate churn-staging --repository {REGISTRY}/churn"),
        ("ecs", f"-m slipway.release.fargate.ecs_action verify churn-staging {REGISTRY}/churn"),
    ],
)
def test_the_release_reads_the_request_of_the_build(run, tmp_path, deploy, command):
    (tmp_path / "built").mkdir()
    (tmp_path / "built/request.json").write_text(json.dumps(REQUEST))
    given = {"DEPLOY": deploy, "IMAGES": f"{REGISTRY}/churn", "CODEBUILD_SRC_DIR_Built": str(tmp_path / "built")}
    built, calls = run("release.yml", SERVICE="churn-staging", **given)
    assert built.code == 0, built.said
    assert calls == ["make install", f"python {command} REMOTE=None"]
    assert f"read {json.dumps(REQUEST)}" in built.said
