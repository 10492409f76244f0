"""python -m slipway.release deploy cloudrun: the standard library, a program `gcloud`, a registry and an address."""

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

import run_cloud
from addresses import serve_answers
from canned_gcloud import CannedGcloud
from clouds import BUNDLE, request
from registries import serve_registry
from run_cloud import SERVICE, RunCloud, cloud_run

ROOT = Path(__file__).resolve().parents[3]
READY = {"status": "ready", "bundle": BUNDLE}


@pytest.fixture
def live(tmp_path) -> RunCloud:
    """A private service where run 1 is live, and a checkout of its commit with a `gcloud` that answers as the cloud does."""
    cloud = RunCloud()
    with run_cloud.answering(cloud):
        list(cloud_run(cloud).deploy(request(1)))
    (tmp_path / "artifacts").mkdir()
    pointer = {"format": 2, "problem": SERVICE, "digest": BUNDLE}
    (tmp_path / "artifacts/champion.json").write_text(json.dumps(pointer))
    (tmp_path / "calls").write_text("")
    return cloud


def deploy(folder: Path, cloud: RunCloud, url: str, repository: str, **environ: str) -> subprocess.CompletedProcess:
    """The command, without the libraries of this environment; the service's address is `url`."""
    CannedGcloud(folder)
    service = cloud("run", "services", "describe", SERVICE, "--region=r")
    [revision] = cloud.traffic
    service["status"]["url"] = url
    answers = {
        "run services describe": json.dumps(service),
        "run revisions describe": json.dumps(cloud.revisions[revision]),
        "print-identity-token": "a-token",
    }
    (folder / "rules").write_text(json.dumps([[text, [[0, answer]]] for text, answer in answers.items()]))
    given = {"PATH": f"{folder}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT / "src"), "DOCKER_CONFIG": str(folder)}
    command = ("-m", "slipway.release", "deploy", "cloudrun", SERVICE, "--repository", repository, "--region", "europe-west1")
    return subprocess.run(
        [sys.executable, "-S", *command],
        **{"cwd": folder, "env": given | environ, "input": json.dumps(asdict(request(1)))},
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_what_is_live_is_found_live_at_a_private_address(live, tmp_path):
    with serve_registry() as registry, serve_answers([(403, b"no")]) as server:
        registry.login(tmp_path)
        registry.images[request(1).key] = request(1).digest
        [revision] = live.traffic
        server.answers.append((200, READY | {"release": revision[-12:]}))
        done = deploy(tmp_path, live, f"http://127.0.0.1:{server.server_port}", f"{registry.host}/acme-ml/slipway/insurance")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[-1].startswith(f"Result: release {revision[-12:]} (run 1, commit aaaaaaaaaaaa")
        assert "is already live" in done.stdout and "a-token" not in done.stdout
        assert server.headers["X-Serverless-Authorization"] == "Bearer a-token"
    calls = (tmp_path / "calls").read_text().splitlines()
    assert all("--project=acme-ml --quiet" in call for call in calls) and not any("update" in call for call in calls)


def test_a_failure_is_the_result_and_an_error_of_the_job(live, tmp_path):
    with serve_registry() as registry:
        registry.login(tmp_path)
        done = deploy(
            tmp_path, live, "http://127.0.0.1:1", f"{registry.host}/acme-ml/slipway/insurance", GITHUB_ACTIONS="true"
        )
    assert done.returncode == 7 and done.stderr.startswith("::error::the registry lists nothing under the release key")
    assert done.stdout.splitlines()[-1].startswith("Result: FAILED: the registry lists nothing")
