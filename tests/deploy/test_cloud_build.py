"""The steps of deploy/cloud-build, run under bash with stand-ins for gcloud, docker, make, curl and the release program.

Cloud Build itself, its images and its network are not here: a step that lacks a program in its image would not be noticed.
"""

import base64
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from canned_gcloud import CannedGcloud

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/cloud-build"
HOST, NAME = "europe-west1-docker.pkg.dev", "acme-ml/slipway/insurance"
SOURCE = "projects/acme-ml/locations/europe-west1/connections/github/repositories/insurance"
REQUEST = {"digest": "sha256:" + "a" * 64, "key": "b" * 64, "commit": "c" * 40, "run_number": 3}
STUBS = {  # each notes its call; {tools} and {calls} are paths
    "docker": 'echo "docker $*: $(cat)" >> {calls}',
    "curl": 'echo "curl $*" >> {calls}; echo \'{{"token": "read-only"}}\'',
    "git": 'echo "git ${{GIT_CONFIG_VALUE_0:-}} $*" >> {calls}; exec {git} "$@"',
    "make": """echo "make $*" >> {calls}
mkdir -p .venv/bin; cp {folder}/release .venv/bin/python; echo ok > {tools}/report.xml""",
    "release": """case " $* " in *" -c "*) ;; *) echo "release $*" >> {calls} ;; esac
case " $* " in
  *" -c "*) echo {folder}/installed/slipway ;;
  *" find "*) exit "${{FIND:-0}}" ;;
  *" deliver "*) echo '{request}' > {tools}/request.json ;;
  *" deploy "*) cat > {tools}/asked.json; echo "as $GCP_SERVICE_ACCOUNT with $PYTHONPATH $SSL_CERT_FILE" >> {calls} ;;
esac""",
    "python3": 'case "$1" in -c) exec {python} "$@" ;; esac; exec {folder}/release "$@"',
}


class Build:
    """A build of a shallow clone; `calls` are those of the stand-ins."""

    def __init__(self, folder: Path) -> None:
        self.gcloud = CannedGcloud(folder)
        (folder / "rules").write_text(json.dumps([["print-access-token", [[0, "access"]]]]))
        (folder / "calls").write_text("")
        self.tools, self.workspace = folder / "tools", folder / "workspace"
        self.tools.mkdir()
        (folder / "installed/slipway").mkdir(parents=True)
        (folder / "installed/slipway/__init__.py").write_text("")
        self.environ = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder), "GIT_CONFIG_NOSYSTEM": "1"}
        self._clone(folder / "origin")
        values = {
            "calls": folder / "calls",
            "folder": folder,
            "tools": self.tools,
            "git": shutil.which("git"),
            "python": shutil.which("python3"),
            "request": json.dumps(REQUEST),
        }
        for name, script in STUBS.items():
            (folder / name).write_text("#!/bin/bash\n" + script.format(**values) + "\n")
            (folder / name).chmod(0o755)
        (self.tools.parent / "plugins").mkdir()
        (self.tools.parent / "plugins/docker-buildx").write_text("plugin")

    def _clone(self, origin: Path) -> None:
        def git(*arguments: object) -> None:
            who = ("-c", "user.name=a", "-c", "user.email=a@b")
            subprocess.run(["git", *who, *map(str, arguments)], check=True, capture_output=True, timeout=60)

        git("init", "--initial-branch", "main", origin)
        for number in range(3):
            git("-C", origin, "commit", "--allow-empty", "--message", number)
        git("clone", "--depth", 1, f"file://{origin}", self.workspace)

    def run(self, file: str = "cloudbuild.yaml", **substitutions: str) -> str:
        """Id of the step that failed; empty if none did."""
        config = yaml.safe_load((FOLDER / file).read_text())
        given = {"_REGISTRY": HOST, "_REPOSITORY": NAME, "COMMIT_SHA": "c" * 40, "BUILD_ID": "build-1"}
        environ = config["substitutions"] | given | {"SERVICE_ACCOUNT_EMAIL": "build@acme-ml.iam"} | substitutions
        environ |= dict(each.split("=", 1) for each in config["options"]["env"])
        done: set[str] = set()
        for step in config["steps"]:
            before = step.get("waitFor", sorted(done))
            assert set(before) - {"-"} <= done, "a step waits for an earlier one"
            if self._step(step["script"], environ):
                return step["id"]
            done.add(step["id"])
        return ""

    def _step(self, script: str, environ: dict[str, str]) -> int:
        shell = script.splitlines()[0].removeprefix("#!").removeprefix("/usr/bin/env ")
        script = script.replace("/tools", str(self.tools))
        script = script.replace("/usr/local/libexec/docker/cli-plugins", f"{self.tools.parent}/plugins")
        environ = {name: value.replace("/tools", str(self.tools)) for name, value in environ.items()}
        command = [shell, "-c", script]
        done = subprocess.run(
            command, cwd=self.workspace, env=environ | self.environ, capture_output=True, text=True, timeout=60
        )
        self.said = done.stdout + done.stderr
        return done.returncode

    @property
    def calls(self) -> list[str]:
        return self.gcloud.calls

    def made(self, start: str) -> list[str]:
        return [call for call in self.calls if call.startswith(start)]


@pytest.fixture
def build(tmp_path) -> Build:
    return Build(tmp_path)


def test_a_commit_is_tested_delivered_and_released_with_its_whole_history(build):
    assert build.run(_ROAD="cloudrun", _LOCATION="europe-west1", _REPORTS="acme-reports") == "", build.said
    kinds = [call.split(" ")[0] for call in build.calls if call.split(" ")[0] in ("make", "storage", "release")]
    assert kinds == ["make", "make", "storage", "release", "release"]
    assert build.made("storage") == [f"storage cp {build.tools}/report.xml gs://acme-reports/{'c' * 40}/build-1.xml --quiet"]
    assert build.made("docker") == [f"docker login --username oauth2accesstoken --password-stdin {HOST}: access"]
    delivered, deployed = build.made("release")
    assert delivered == f"release -m slipway.release deliver {HOST} {NAME} --request {build.tools}/request.json"
    assert deployed == f"release -m slipway.release deploy cloudrun insurance --repository {HOST}/{NAME} --region europe-west1"
    assert json.loads((build.tools / "asked.json").read_text()) == REQUEST
    certificates = "/etc/ssl/certs/ca-certificates.crt"
    assert build.made("as ") == [f"as build@acme-ml.iam with {build.tools}/program {certificates}"]
    assert (build.tools / "program/slipway/__init__.py").exists(), "without libraries of another Python"
    assert (build.tools / "docker/cli-plugins/docker-buildx").exists() and (build.tools / "bin/docker").exists()
    count = subprocess.run(
        ["git", "-C", build.workspace, "rev-list", "--count", "HEAD"], capture_output=True, text=True, timeout=60
    )
    assert count.stdout.strip() == "3"


def test_a_private_repository_is_fetched_with_a_token_of_the_connection(build):
    assert build.run(_SOURCE=SOURCE) == "", build.said
    [asked] = build.made("curl")
    assert asked.endswith(f"https://cloudbuild.googleapis.com/v2/{SOURCE}:accessReadToken") and "Bearer access" in asked
    header = f"Authorization: Basic {base64.b64encode(b'x-access-token:read-only').decode()}"
    assert f"git {header} fetch --quiet --unshallow origin" in build.calls


def test_failed_tests_leave_their_report_and_deliver_nothing(build):
    script = (build.tools.parent / "make").read_text()
    (build.tools.parent / "make").write_text(f'{script}case "$1" in test) exit 2 ;; esac\n')
    assert build.run(_REPORTS="acme-reports", _ROAD="cloudrun") == "report"
    assert "The tests failed: nothing is delivered" in build.said
    assert len(build.made("storage cp")) == 1 and build.made("release") == build.made("docker") == []


def test_on_a_cluster_of_gke(build):
    assert (
        build.run(_ROAD="kubernetes", _LOCATION="europe-west1", _CLUSTER="main", _STAGE="staging", _OVERLAY="gke-staging")
        == ""
    )
    assert build.made("container") == ["container clusters get-credentials main --location=europe-west1 --quiet"]
    assert build.made("release")[-1].endswith(
        f"deploy kubernetes insurance-staging --repository {HOST}/{NAME} --overlay deploy/kubernetes/gke-staging"
    )


def test_without_a_road_the_image_is_delivered_and_a_wrong_one_is_said(build):
    assert build.run() == "" and "approved.yaml makes it live" in build.said
    assert len(build.made("release")) == 1
    assert build.run(_ROAD="heroku") == "deploy" and "expected cloudrun, kubernetes or nothing" in build.said


def test_what_was_approved_is_found_and_never_built(build):
    assert build.run("approved.yaml", _LOCATION="europe-west1") == "", build.said
    assert [call.split(" ")[3] for call in build.made("release")] == ["find", "deliver", "deploy"]
    assert build.made("make") == ["make install"]


def test_an_image_that_no_tests_let_through_is_not_released(build):
    build.environ["FIND"] = "7"
    assert build.run("approved.yaml", _LOCATION="europe-west1") == "find"
    assert len(build.made("release")) == 1


def test_both_files_say_the_same_where_they_do_the_same():
    first, second = (yaml.safe_load((FOLDER / name).read_text()) for name in ("cloudbuild.yaml", "approved.yaml"))
    steps = [{step["id"]: step for step in file["steps"]} for file in (first, second)]
    for name in ("history", "login"):
        assert steps[0][name]["script"] == steps[1][name]["script"]
    assert first["options"] == second["options"]
    images = {step["name"] for file in (first, second) for step in file["steps"]}
    assert all(":" in image and not image.endswith(":latest") for image in images)
    assert set(second["substitutions"]) < set(first["substitutions"])
