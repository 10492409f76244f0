"""python -m slipway.release, as the workflows call it: with the standard library alone, beside a system's Python."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from registries import DIGEST, serve_registry
from rehearsal.project import Project

ROOT = Path(__file__).resolve().parents[2]
PINNED = "python:3.11-slim@sha256:" + "b" * 64


@pytest.fixture
def project(tmp_path) -> Project:
    project = Project(tmp_path / "project")
    (project.folder / "artifacts").mkdir(parents=True)
    (project.folder / "Dockerfile").write_text(f"FROM {PINNED}\n")
    (project.folder / "artifacts/champion.json").write_text("{}")
    project.git("init", "--quiet", "--initial-branch", "main")
    project.commit("The first")
    return project


def run(project: Project, *arguments: str, **environ: str) -> subprocess.CompletedProcess:
    """Without the libraries of this environment."""
    return subprocess.run(
        [sys.executable, "-S", "-m", "slipway.release", *arguments],
        cwd=project.folder,
        env={"PATH": os.environ["PATH"], "HOME": str(project.folder), "PYTHONPATH": str(ROOT / "src"), **environ},
        capture_output=True,
        text=True,
        timeout=60,
    )


def answer(project: Project, *arguments: str, **environ: str) -> str:
    done = run(project, *arguments, **environ)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_whether_a_commit_was_tested_goes_to_the_outputs_of_a_job(project, tmp_path):
    key = answer(project, "key").strip()
    assert answer(project, "tests-key").strip().isalnum()
    with serve_registry() as registry:
        login = {"DOCKER_CONFIG": str(registry.login(tmp_path))}
        place = (registry.host, "insurance")
        registry.images[key] = DIGEST
        assert answer(project, "tested", *place, **login).splitlines()[:2] == [f"key={key}", "digest="]
        assert answer(project, "tested", "--note", *place, **login).startswith(f"Noted as tested: {key}-")
        asked = answer(project, "tested", *place, **login).splitlines()
        assert asked[:2] == [f"key={key}", f"digest={DIGEST}"] and asked[2].startswith("reason=No tests run: ")


def test_a_registry_that_cannot_be_asked_is_a_reason_to_test_and_no_failure(project, tmp_path):
    with serve_registry() as registry:
        registry.status = 403
        said = answer(project, "tested", registry.host, "insurance", DOCKER_CONFIG=str(registry.login(tmp_path)))
    assert said.startswith("reason=The tests run: ") and "status 403" in said and said.count("\n") == 1


def test_a_fault_is_an_error_of_the_job_with_its_cure(project):
    done = run(project, "commit", "nowhere", GITHUB_ACTIONS="true")
    assert done.returncode == 7 and done.stderr.startswith(
        "::error::'nowhere' is not a commit of this repository. Give its SHA"
    )


def test_a_report_becomes_markdown_and_the_requirements_are_found(project):
    assert answer(project, "junit", "report.xml").startswith("### Tests\n")
    assert Path(answer(project, "requirements").strip()).is_file()


def test_the_key_of_another_commit_than_the_one_checked_out(project):
    before = answer(project, "key", SLIPWAY_PLATFORM="linux/arm64")
    (project.folder / "Dockerfile").write_text(f"FROM {PINNED}\nUSER 1000\n")
    project.commit("Another user")
    assert answer(project, "key", "HEAD~1", SLIPWAY_PLATFORM="linux/arm64") == before != answer(project, "key")
