"""heroku.yaml: what must hold for it, and its steps run with stand-ins for Docker's client and Heroku's API."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from bundles import make_bundle
from slipway.project.answers import Answers
from slipway.project.rendering import render
from slipway.store.local import LocalStore
from web import Web, serve_web

WORKFLOW = Path(__file__).resolve().parent.parent / ".github" / "workflows" / "heroku.yaml"
TEXT = WORKFLOW.read_text(encoding="utf-8")
JOBS = yaml.safe_load(TEXT)["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]
MAIN = yaml.safe_load((WORKFLOW.parent / "main.yaml").read_text(encoding="utf-8"))
SECRETS = {"HEROKU_API_KEY": "hidden-key", "HEROKU_APP_NAME": "my-app", "HEROKU_EMAIL": "me@example.org"}
COMMIT = "b" * 40
IMAGE = f"sha256:{'c' * 64}"
DOCKER = """#!/bin/sh
printf '%s\\n' "$*" >> "$CALLS"
case "$1" in
  login) printf 'stdin: %s\\n' "$(cat)" >> "$CALLS" ;;
  buildx) echo '{"containerimage.config.digest": "IMAGE"}' > "$RUNNER_TEMP/image.json" ;;
esac
""".replace("IMAGE", IMAGE)
CURL = """#!/bin/sh
printf 'curl %s\\n' "$*" >> "$CALLS"
exec REAL "$@"
"""


def test_it_is_started_by_a_push_that_changes_the_image_or_by_hand_and_may_only_read():
    document = yaml.safe_load(TEXT)
    assert document[True] == {"push": MAIN[True]["push"], "workflow_dispatch": None}  # YAML reads the key "on" as true
    read = {"contents": "read"}
    assert document["permissions"] == {}
    assert {name: job["permissions"] for name, job in JOBS.items()} == {"secrets": {}, "tests": read, "release": read}


def test_it_releases_what_passed_its_tests_and_one_run_after_the_other():
    assert JOBS["tests"]["needs"] == "secrets" and JOBS["tests"]["if"] == "needs.secrets.outputs.found == 'true'"
    assert JOBS["tests"]["steps"][-1]["run"] == "make test"
    assert JOBS["release"]["needs"] == "tests"
    assert yaml.safe_load(TEXT)["concurrency"] == {"group": "heroku", "cancel-in-progress": False}
    assert not any({"environment", "concurrency"} & set(job) for job in JOBS.values())  # nobody's absence blocks a revert


def test_a_new_repository_has_the_same_steps_once_slipway_is_installed():
    theirs = yaml.safe_load(render(".github/workflows/heroku.yaml", Answers(name="churn", heroku=True)))["jobs"]
    assert theirs["release"]["steps"].pop(1)["name"] == "Install Slipway"
    assert theirs["release"].pop("env") | {"PYTHONPATH": "src"} == JOBS["release"]["env"]
    assert {name: job["steps"] for name, job in theirs.items()} == {name: job["steps"] for name, job in JOBS.items()}


def test_its_steps_are_plain_shell():
    scripts = [step["run"] for step in STEPS if "run" in step]
    assert len(scripts) == 5 and not any("${{" in script for script in scripts)


def test_every_step_gets_only_the_secrets_that_it_names():
    for step in STEPS:
        for name, value in step.get("env", {}).items():
            if "HEROKU" in name:
                assert name in step["run"] and value == f"${{{{ secrets.{name} }}}}"


@pytest.fixture
def web() -> Iterator[Web]:
    with serve_web() as web:
        web.pages["/apps/my-app"] = (200, {"web_url": f"{web.url}/"})
        web.pages["/apps/my-app/formation"] = (200, [{"type": "web"}])
        yield web


class Runner:
    """A machine of GitHub's with this checkout on it."""

    def __init__(self, folder: Path, web: Web) -> None:
        self.folder, self.web, self.calls = folder, web, folder / "calls"
        for name, script in (("docker", DOCKER), ("curl", CURL.replace("REAL", shutil.which("curl")))):
            (folder / "bin").mkdir(exist_ok=True)
            (folder / "bin" / name).write_text(script)
            (folder / "bin" / name).chmod(0o755)
        self.calls.touch()

    def run(self, name: str, **secrets: str) -> subprocess.CompletedProcess:
        """Run one step as the runner does."""
        [step] = [step for step in STEPS if step.get("name", "").startswith(name)]
        given = {"GITHUB_EVENT_NAME": "workflow_dispatch"} | SECRETS | secrets
        environ = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "HOME": str(self.folder),
            "CALLS": str(self.calls),
            "RUNNER_TEMP": str(self.folder),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            **JOBS["release"]["env"],
            "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_EVENT_NAME": given["GITHUB_EVENT_NAME"],
            **{name: given.get(name, "") for name in step.get("env", {})},
            "GITHUB_SHA": COMMIT,
            "HEROKU_APP_NAME": given["HEROKU_APP_NAME"],
            "API": self.web.url,
        }
        script = self.folder / "step.sh"
        script.write_text(step["run"])
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", script]
        return subprocess.run(command, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=60)


@pytest.fixture
def runner(tmp_path, web) -> Runner:
    for program in ("curl", "jq"):
        if not shutil.which(program):
            pytest.skip(f"needs {program}")
    return Runner(tmp_path, web)


@pytest.mark.parametrize("absent", [("HEROKU_EMAIL",), ("HEROKU_API_KEY", "HEROKU_APP_NAME")])
def test_a_missing_secret_is_named_with_where_to_set_it(runner, absent):
    done = runner.run("Name the secrets", **dict.fromkeys(absent, ""))
    assert done.returncode == 1
    assert f"Missing secrets: {' '.join(absent)}. Set them under Settings, Secrets and variables" in done.stdout
    assert not (runner.folder / "output").exists()


@pytest.mark.parametrize("event", ["push", "workflow_dispatch"])
def test_with_its_secrets_a_push_goes_on_like_a_start_by_hand(runner, event):
    assert runner.run("Name the secrets", GITHUB_EVENT_NAME=event).returncode == 0
    assert (runner.folder / "output").read_text() == "found=true\n"


def test_a_push_without_the_key_releases_nothing_and_is_no_failure(runner):
    assert runner.run("Name the secrets", GITHUB_EVENT_NAME="push", HEROKU_API_KEY="").returncode == 0
    assert not (runner.folder / "output").exists()
    assert "nothing is released to Heroku" in (runner.folder / "summary").read_text()
    assert runner.run("Name the secrets", GITHUB_EVENT_NAME="push", HEROKU_EMAIL="").returncode == 1


def test_a_bundle_in_the_commit_is_not_fetched(runner):
    make_bundle(LocalStore(runner.folder / "artifacts"), "regression")
    assert runner.run("Fetch the champion").returncode == 0
    assert not (runner.folder / "venv").exists()


def test_the_image_is_pushed_in_docker_s_own_format_and_the_key_is_on_no_command_line(runner):
    done = runner.run("Build the image")
    assert done.returncode == 0, done.stderr
    login, given, create, build = runner.calls.read_text().splitlines()
    assert login == "login --username me@example.org --password-stdin registry.heroku.com"
    assert given == "stdin: hidden-key"
    assert create == "buildx create --use"
    assert "name=registry.heroku.com/my-app/web,push=true,oci-mediatypes=false" in build and "--provenance=false" in build
    assert f"--build-arg SLIPWAY_COMMIT={COMMIT}" in build
    dockerfile = (WORKFLOW.parents[2] / "Dockerfile").read_text()
    assert "ARG SLIPWAY_COMMIT\nENV SLIPWAY_COMMIT=$SLIPWAY_COMMIT\n" in dockerfile.rpartition("FROM ")[2]


def test_the_image_is_released_and_has_to_answer(runner, web):
    digest = make_bundle(LocalStore(runner.folder / "artifacts"), "regression").digest
    web.pages["/readyz"] = (200, {"status": "ready", "bundle": digest, "commit": COMMIT})
    (runner.folder / "image.json").write_text(json.dumps({"containerimage.config.digest": IMAGE}))
    done = runner.run("Release it")
    assert done.returncode == 0, done.stdout + done.stderr
    assert web.calls == [
        ("/apps/my-app/formation", "Bearer hidden-key"),
        ("/apps/my-app", "Bearer hidden-key"),
        ("/readyz", None),
    ]
    assert json.loads(web.sent["/apps/my-app/formation"]) == {"updates": [{"type": "web", "docker_image": IMAGE}]}
    summary = (runner.folder / "summary").read_text()
    assert digest in summary and COMMIT in summary
    assert "hidden-key" not in runner.calls.read_text() + done.stdout + done.stderr


def test_the_previous_release_with_the_same_model_is_not_taken_for_the_new_one(runner, web):
    (runner.folder / "bin" / "sleep").write_text("#!/bin/sh\n")
    (runner.folder / "bin" / "sleep").chmod(0o755)
    digest = make_bundle(LocalStore(runner.folder / "artifacts"), "regression").digest
    (runner.folder / "image.json").write_text(json.dumps({"containerimage.config.digest": IMAGE}))
    for answer in ({"bundle": digest}, {"bundle": digest, "commit": "a" * 40}, {"bundle": "d" * 64, "commit": COMMIT}):
        web.pages["/readyz"] = (200, {"status": "ready"} | answer)
        done = runner.run("Release it")
        assert done.returncode == 1
        assert f"does not answer with commit {COMMIT} and champion {digest}" in done.stdout


def test_a_release_that_heroku_refuses_ends_the_run(runner, web):
    make_bundle(LocalStore(runner.folder / "artifacts"), "regression")
    (runner.folder / "image.json").write_text(json.dumps({"containerimage.config.digest": IMAGE}))
    web.pages["/apps/my-app/formation"] = (403, {"message": "You do not have access to the app."})
    done = runner.run("Release it")
    assert done.returncode != 0 and "You do not have access" in done.stdout
    assert not (runner.folder / "summary").exists()
