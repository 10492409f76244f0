"""What publish.yaml refuses to publish, what it builds, and with which rights it publishes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import slipway
from rehearsal.project import Project, make_project

ROOT = Path(__file__).resolve().parents[1]
JOBS = yaml.safe_load((ROOT / ".github/workflows/publish.yaml").read_text())["jobs"]
VERSION = slipway.__version__


def step(job: str, name: str) -> str:
    [found] = [each["run"] for each in JOBS[job]["steps"] if each["name"] == name]
    return found


def run(script: str, project: Project, **environ: str) -> subprocess.CompletedProcess[str]:
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=project.folder,
        env={"PATH": programs, "HOME": str(project.folder), "GITHUB_REF_NAME": f"v{VERSION}"} | environ,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def released(tmp_path_factory) -> Project:
    """This repository on main, with the changelog of a version that is released."""
    project = make_project(tmp_path_factory.mktemp("released"))
    changelog = project.folder / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace(f"## {VERSION} (unreleased)", f"## {VERSION} (2026-11-22)"))
    project.commit("A version")
    project.git("update-ref", "refs/remotes/origin/main", "HEAD")
    return project


@pytest.fixture
def checkout(released, tmp_path) -> Project:
    project = released.clone(tmp_path / "checkout")
    project.git("update-ref", "refs/remotes/origin/main", "HEAD")
    return project


def check_tag(project: Project, folder: Path, passed: int = 1, **environ: str) -> str:
    """What the step says; empty if it lets the tag pass. `passed` is how many runs of main.yaml did."""
    gh = folder / "bin/gh"
    gh.parent.mkdir()
    gh.write_text(f'#!/bin/sh\necho "$@" > {folder}/asked\necho {passed}\n')
    gh.chmod(0o755)
    places = {"PATH": f"{gh.parent}:{os.environ['PATH']}", "GITHUB_REPOSITORY": "owner/name"}
    script = step("build", "Check tag, changelog and tests")
    done = run(script, project, GITHUB_SHA=project.git("rev-parse", "HEAD"), **places | environ)
    assert (done.returncode == 0) == ("::error" not in done.stdout + done.stderr)
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_a_tested_commit_of_main_whose_changelog_names_the_version_is_published(checkout, tmp_path):
    assert check_tag(checkout, tmp_path) == ""
    asked = (tmp_path / "asked").read_text()
    assert f"--workflow main.yaml --branch main --commit {checkout.git('rev-parse', 'HEAD')} --status success" in asked


def test_a_tag_of_another_version_is_refused(checkout, tmp_path):
    assert f"The tag is v9.9.9, but __version__ is {VERSION}" in check_tag(checkout, tmp_path, GITHUB_REF_NAME="v9.9.9")


def test_a_version_without_a_date_in_the_changelog_is_refused(checkout, tmp_path):
    changelog = checkout.folder / "CHANGELOG.md"
    changelog.write_text(changelog.read_text().replace("(2026-11-22)", "(unreleased)"))
    assert f"CHANGELOG.md has no heading '## {VERSION} (YYYY-MM-DD)'" in check_tag(checkout, tmp_path)


def test_a_commit_beside_main_is_refused(checkout, tmp_path):
    checkout.git("commit", "--quiet", "--allow-empty", "--message", "not merged")
    assert "is not on main" in check_tag(checkout, tmp_path, GITHUB_ACTIONS="true")


def test_a_commit_that_main_yaml_has_not_passed_is_refused(checkout, tmp_path):
    assert "main.yaml has not passed on" in check_tag(checkout, tmp_path, passed=0)


def test_the_same_commit_gives_the_same_bytes(released, checkout):
    built = []
    for project in (released, checkout):
        done = run(step("build", "Build"), project)
        assert done.returncode == 0, done.stdout + done.stderr
        built.append({path.name: path.read_bytes() for path in (project.folder / "dist").iterdir()})
    assert set(built[0]) == {f"slipway_ml-{VERSION}.tar.gz", f"slipway_ml-{VERSION}-py3-none-any.whl"}
    assert built[0] == built[1]
    shutil.unpack_archive(checkout.folder / f"dist/slipway_ml-{VERSION}.tar.gz", checkout.folder / "unpacked")
    assert (checkout.folder / f"unpacked/slipway_ml-{VERSION}/pyproject.toml").exists()


def test_the_notes_are_the_changelog_of_this_version_alone(checkout):
    changelog = f"# Changelog\n\n## {VERSION} (2026-11-22)\n\n- New.\n\n## 0.0.9 (2026-10-01)\n\n- Old.\n"
    (checkout.folder / "CHANGELOG.md").write_text(changelog)
    (checkout.folder / "dist").mkdir()
    script = step("build", "Write notes and bill of materials").partition("SOURCE_DATE_EPOCH")[0]
    assert run(script, checkout).returncode == 0
    assert (checkout.folder / "dist/notes.md").read_text().strip() == "- New."


def test_only_the_job_that_publishes_can_sign_and_it_runs_no_code_of_the_package():
    assert JOBS["build"]["permissions"] == {"actions": "read", "contents": "read"}
    assert JOBS["publish"]["permissions"] == {"actions": "read", "contents": "write", "id-token": "write"}
    assert JOBS["publish"]["environment"] == "pypi" and JOBS["publish"]["needs"] == "build"
    scripts = [each.get("run", "") for each in JOBS["publish"]["steps"]]
    assert not [each for each in scripts if "make" in each or "build" in each or "slipway " in each]
    assert "secrets." not in json.dumps(JOBS), "nobody keeps a password for it"


def test_the_tools_that_publish_are_locked():
    lock = (ROOT / "requirements-publish.txt").read_text()
    for name in ("build", "cyclonedx-bom", "pypi-attestations", "sigstore", "twine"):
        assert f"\n{name}==" in lock
