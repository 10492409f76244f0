"""The last step of retrain.yaml: one pull request, opened once, then kept up to date."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bundles import make_bundle
from rehearsal.github import GitHub, install
from rehearsal.project import Project
from slipway.release.workflow.proposal import CUT, LONGEST, UNDO, body
from slipway.store.local import LocalStore

ROOT = Path(__file__).resolve().parents[3]
PULLS = "repos/{owner}/{repo}/pulls"
START = "workflow run main.yaml --ref slipway/retrain"


@pytest.fixture
def project(tmp_path) -> Project:
    """A clone, with its origin, of a repository that has a champion."""
    origin = Project(tmp_path / "origin")
    (origin.folder / "artifacts").mkdir(parents=True)
    (origin.folder / "slipway.yaml").write_text("name: regression\nsource: table.csv\ntarget: charges\n")
    (origin.folder / ".gitignore").write_text("bundles/\n")
    origin.git("init", "--quiet", "--initial-branch", "main")
    make_bundle(LocalStore(origin.folder / "artifacts"), "regression")
    origin.commit("The champion")
    return origin.clone(tmp_path / "clone")


@pytest.fixture
def github(tmp_path) -> GitHub:
    (tmp_path / "bin").mkdir()
    return install(tmp_path / "bin")


def propose(project: Project, github: GitHub) -> str:
    """Run the command as the workflow does; what it says in the log and in the run's summary."""
    environ = os.environ | {
        "PATH": os.pathsep.join([str(github.folder), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": str(ROOT / "src"),
    }
    command = [sys.executable, "-m", "slipway.release", "propose"]
    done = subprocess.run(command, cwd=project.folder, env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def promote(project: Project, change: float) -> str:
    weights = [[250.0 + change], [30.0], [23000.0], [1.0]]
    return make_bundle(LocalStore(project.folder / "artifacts"), "regression", weights=weights).digest


def test_the_body_ends_with_how_to_undo_it(project, github):
    promote(project, 1)
    told = propose(project, github)
    [pull] = github.pulls()
    assert pull["body"].startswith("### Model of regression\n\n**") and pull["body"].endswith(UNDO)
    assert UNDO in told


@pytest.mark.parametrize("lines", [LONGEST // 10 - 200, LONGEST // 10 + 200])
def test_a_long_body_is_cut_between_lines_and_says_so(lines):
    said = body("nine char\n" * lines)
    assert len(said) <= LONGEST and said.endswith(UNDO)
    told = said.removesuffix(UNDO)
    assert (CUT in told) == (lines * 10 > LONGEST)
    assert set(told.removesuffix(CUT).splitlines()) == {"nine char"} and len(said) > LONGEST - 3_000


def test_one_line_that_is_too_long_is_cut_in_itself():
    said = body("x" * (LONGEST + 1))
    assert len(said) <= LONGEST and CUT in said and said.endswith(UNDO)


def test_a_champion_that_stays_proposes_nothing(project, github):
    assert propose(project, github) == "The champion stays: nothing to propose.\n"
    assert github.calls() == []


def test_without_a_champion_nothing_is_proposed(project, github):
    (project.folder / "artifacts/champion.json").unlink()
    assert propose(project, github) == "No champion yet: the gate kept the model.\n"
    assert github.calls() == []


def test_a_pull_request_is_opened_then_updated_through_the_api(project, github):
    """gh pr edit would need to read projects, which a workflow's token may not; other branches' are left alone."""
    github.keep([{"number": 1, "head": "other", "base": "main", "title": "Of somebody else", "body": ""}], "before")
    for number, call in enumerate((f"POST {PULLS}", f"PATCH {PULLS}/2"), start=1):
        digest = promote(project, number)
        told = propose(project, github)
        assert github.calls()[-2:] == [call, START]
        pull = github.pulls()[1]
        assert (pull["head"], pull["base"], pull["title"]) == ("slipway/retrain", "main", f"Serve model {digest[:12]}")
        assert pull["body"] in told and f"**{digest[:12]}**" in pull["body"]
        assert (
            project.git("diff", "--name-only", "origin/main", "origin/slipway/retrain")
            == "artifacts/champion.json\nartifacts/verdict.json"
        )
        project.git("switch", "--quiet", "main")
    assert len(github.pulls()) == 2 and github.pulls()[0]["title"] == "Of somebody else"
