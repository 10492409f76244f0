"""How the workflows reach registries of every kind, and who delivers to them."""

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from slipway.release.workflow.road_settings import ROADS, needs_of

FOLDER = Path(__file__).resolve().parents[1] / ".github/workflows"
WORKFLOWS = {name: yaml.safe_load((FOLDER / f"{name}.yaml").read_text()) for name in ("main", "release", "deploy")}
MAIN, RELEASE, DEPLOY = (WORKFLOWS[name]["jobs"] for name in ("main", "release", "deploy"))
NOBODY = "00000000-0000-0000-0000-000000000000"


def test_one_program_delivers_and_a_cancelled_job_signals_it():
    [step] = (step for step in RELEASE["delivery"]["steps"] if step.get("id") == "image")
    assert step["run"] == 'exec python3 -m slipway.release deliver "$REGISTRY" "$REPOSITORY" >> "$GITHUB_OUTPUT"'


def test_an_earlier_commit_is_delivered_by_the_slipway_of_now(tmp_path):
    """Its own may know neither `deliver` nor the registry."""
    names = ["Keep the Slipway of now", "Go to the chosen commit"]
    keep, go = (step for step in RELEASE["delivery"]["steps"] if step["name"] in names)
    assert "if" not in keep and "env" not in keep and "PYTHONPATH" not in RELEASE["delivery"]["env"]
    repository, temporary, environment = tmp_path / "repository", tmp_path / "temporary", tmp_path / "environment"
    temporary.mkdir()

    def run(script: str, **environ: str) -> str:
        own = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            "RUNNER_TEMP": str(temporary),
            "GITHUB_ENV": str(environment),
        }
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", script], cwd=repository, env=own | environ, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    (repository / "src/slipway").mkdir(parents=True)
    (repository / "requirements-release.txt").touch()
    run("git init --quiet --initial-branch main")
    for when in ("then", "now"):
        (repository / "src/slipway/__init__.py").write_text(f"when = {when!r}\n")
        run("git add --all && git -c user.name=x -c user.email=x@example.org commit --quiet --message x")
    run(keep["run"])
    run(go["run"], COMMIT=run("git rev-parse HEAD^"))
    [line] = environment.read_text().splitlines()
    asked = "import slipway; print(slipway.when)"
    assert run(f'python3 -c "{asked}"', PYTHONPATH=line.removeprefix("PYTHONPATH=")) == "now"
    assert run(f'python3 -c "{asked}"', PYTHONPATH="src") == "then"
    assert (temporary / "slipway/requirements-release.txt").is_file(), "what slipway pull is installed from"


def logged_in(tmp_path: Path, step: dict, **environ: str) -> list[str]:
    """Run a step that logs in at a registry, with programs that note what they were asked and what they were told."""
    calls = tmp_path / "calls"
    for name in ("aws", "az", "docker", "python3"):
        told = '"$(cat)"' if name == "docker" else ""
        says = f"echo password-of-{name}" if name in ("aws", "az") else ":"
        (tmp_path / name).write_text(f'#!/bin/bash\necho {name} "$@" {told} >> {calls}\n{says}\n')
        (tmp_path / name).chmod(0o755)
    own = {"PATH": f"{tmp_path}:/usr/bin:/bin", "NOBODY": step["env"]["NOBODY"], "GITHUB_OUTPUT": "/dev/null"}
    subprocess.run(["bash", "-e", "-o", "pipefail", "-c", step["run"]], env=own | environ, check=True, timeout=60)
    return [line for line in calls.read_text().splitlines() if not line.startswith("python3")]


@pytest.mark.parametrize(
    "login, registry, calls",
    [
        (
            "aws",
            "1.dkr.ecr.eu-west-1.amazonaws.com",
            [
                "aws ecr get-login-password --region eu-west-1",
                "docker login --username AWS --password-stdin 1.dkr.ecr.eu-west-1.amazonaws.com password-of-aws",
            ],
        ),
        (
            "azure",
            "models.azurecr.io",
            [
                "az acr login --name models --expose-token --query accessToken --output tsv",
                f"docker login --username {NOBODY} --password-stdin models.azurecr.io password-of-az",
            ],
        ),
        (
            "azure",
            "models-a1b2.azurecr.io",
            [
                "az acr login --name models --suffix a1b2 --expose-token --query accessToken --output tsv",
                f"docker login --username {NOBODY} --password-stdin models-a1b2.azurecr.io password-of-az",
            ],
        ),
        (
            "google",
            "europe-west1-docker.pkg.dev",
            ["docker login --username oauth2accesstoken --password-stdin europe-west1-docker.pkg.dev token"],
        ),
        ("password", "registry.example.org", ["docker login --username me --password-stdin registry.example.org hidden"]),
    ],
)
def test_every_registry_is_logged_in_at_as_its_cloud_says(tmp_path, login, registry, calls):
    [delivering] = (step for step in RELEASE["delivery"]["steps"] if step["name"] == "Log in at the registry")
    [asking] = (step for step in RELEASE["tested"]["steps"] if step.get("id") == "known")
    environ = {"REGISTRY": registry, "AWS_REGION": "eu-west-1", "TOKEN": "token", "USERNAME": "me", "PASSWORD": "hidden"}
    assert sorted(logged_in(tmp_path, delivering, LOGIN=login, **environ)) == sorted(calls)
    (tmp_path / "calls").unlink()
    if login != "password":
        kind = "ecr" if login == "aws" else login
        assert sorted(logged_in(tmp_path, asking, KIND=kind, REPOSITORY="x", **environ)) == sorted(calls)


@pytest.mark.parametrize(
    "outcomes, reason",
    [
        ({}, "nobody may ask the registry. Set AWS_READ_ROLE_ARN, AZURE_READ_CLIENT_ID or GCP_READ_SERVICE_ACCOUNT"),
        ({"azure": "failure"}, "could not be asked: the step that failed says why"),
        ({"google": "success", "known": "failure"}, "could not be asked: the step that failed says why"),
    ],
)
def test_an_identity_that_was_refused_is_not_called_missing(outcomes, reason):
    [step] = (step for step in RELEASE["tested"]["steps"] if step["name"] == "Say why the tests run, or do not")
    text = step["env"]["REASON"].removeprefix("${{").removesuffix("}}").replace("&&", "and").replace("||", "or")
    text = re.sub(r"steps\.(\w+)\.outcome", lambda found: repr(outcomes.get(found[1], "skipped")), text)
    assert eval(text.replace("steps.known.outputs.reason", "''").strip()).endswith(reason)


def test_a_cloud_is_logged_in_at_only_for_what_it_has():
    steps = {step["name"]: step for step in RELEASE["delivery"]["steps"]}
    assert steps["Take the role, or the keys"]["if"] == "steps.settings.outputs.login == 'aws' || env.SLIPWAY_REMOTE != ''"
    for cloud in ("Azure", "Google"):
        assert steps[f"Log in at {cloud}"]["if"] == f"steps.settings.outputs.login == '{cloud.lower()}'"
    journal = {step["name"]: step.get("if") for step in MAIN["journal"]["steps"]}
    for name in ("Take the role, or the keys", "Sync artifacts and journal"):
        assert journal[name] == "env.SLIPWAY_REMOTE != ''"


def test_no_credentials_of_google_get_into_the_checkout_that_is_built():
    for job in ("tested", "delivery"):
        [login] = (step for step in RELEASE[job]["steps"] if step.get("uses", "").startswith("google-github-actions/auth@"))
        assert (login["with"]["token_format"], login["with"]["create_credentials_file"]) == ("access_token", False)


def test_one_road_gets_one_secret_and_only_if_it_has_no_client_id():
    """azure/login ignores the credentials where one of the three ids is set. By name, only repository secrets are passed."""
    secret = {"AZURE_CREDENTIALS": "${{ secrets.AZURE_CREDENTIALS }}"}
    assert MAIN["staging"]["secrets"] == MAIN["deployment"]["secrets"] == secret
    assert WORKFLOWS["deploy"][True]["workflow_call"]["secrets"].keys() == secret.keys()
    used = {road: re.findall(r"secrets\.(\w+)", str(job)) for road, job in DEPLOY.items()}
    assert used == {road: ["AZURE_CREDENTIALS"] * 2 if road == "webapp" else [] for road in ROADS}
    for job in (DEPLOY["webapp"], RELEASE["delivery"]):
        [login] = (step for step in job["steps"] if step.get("uses", "").startswith("azure/login@"))
        assert login["with"] == {
            "client-id": "${{ vars.AZURE_CLIENT_ID }}",
            "tenant-id": "${{ vars.AZURE_CLIENT_ID && vars.AZURE_TENANT_ID }}",
            "subscription-id": "${{ vars.AZURE_CLIENT_ID && vars.AZURE_SUBSCRIPTION_ID }}",
            "creds": secret["AZURE_CREDENTIALS"],
        }


@pytest.mark.parametrize("road", ROADS[1:])
def test_a_road_in_the_cloud_pulls_from_the_registry_that_is_pushed_to(road):
    """Its settings see the names of both kinds, and refuse a registry of another cloud."""
    job = DEPLOY[road]
    assert job["env"]["REGISTRY"] == "${{ vars.SLIPWAY_REGISTRY || vars.AWS_ECR_LOGIN_URI }}"
    assert job["env"]["REPOSITORY"] == "${{ vars.SLIPWAY_REPOSITORY || vars.ECR_REPOSITORY_NAME }}"
    names = {"SLIPWAY_REGISTRY", "SLIPWAY_REPOSITORY", "AWS_ECR_LOGIN_URI", "ECR_REPOSITORY_NAME"}
    [check] = (step for step in job["steps"] if step["name"] == "Check the settings")
    assert names < set(check["env"])
    assert {need.name for need in needs_of({}, road)} <= set(check["env"]) | set(job["env"])
    assert ' --repository "$REGISTRY/$REPOSITORY" ' in job["steps"][-1]["run"]
    if road != "webapp":
        assert "name=${REPOSITORY##*/}\n" in job["steps"][-1]["run"], "the last part, as settings checks it"
