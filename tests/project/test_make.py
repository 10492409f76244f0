"""make rehearse in a new repository: a clone of Slipway plays it."""

import os
import subprocess
from pathlib import Path

import pytest

CLONE = "rehearse:\n\t@echo plays $(REPOSITORY)\n"


@pytest.fixture
def folder(new, tmp_path) -> Path:
    """A new repository whose libraries are installed."""
    new("churn")
    (tmp_path / "churn/.venv/bin").mkdir(parents=True)
    for name in ("bin/pip", "train.stamp"):
        (tmp_path / "churn/.venv" / name).touch()
    return tmp_path / "churn"


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "VENV"}
    return subprocess.run(["make", *arguments], cwd=folder, env=environ, capture_output=True, text=True)


def test_a_clone_of_slipway_rehearses_it(folder, tmp_path):
    clone = tmp_path / "slipway"
    (clone / "deploy").mkdir(parents=True)
    (clone / "deploy/rehearse.py").touch()
    (clone / "Makefile").write_text(CLONE)
    done = make(folder, "rehearse", "SLIPWAY=../slipway")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"plays {folder}\n" in done.stdout


@pytest.mark.parametrize("arguments", [(), ("SLIPWAY=../nowhere",)])
def test_without_a_clone_it_says_what_it_needs(folder, arguments):
    done = make(folder, "rehearse", *arguments)
    assert done.returncode == 2
    assert "clone Slipway's repository beside this one, then: make rehearse SLIPWAY=../slipway" in done.stderr


def test_help_lists_every_target_for_people(folder):
    listed = [line.split()[1] for line in make(folder, "help").stdout.splitlines()]
    assert listed == ["help", "install", "up", "test", "diff", "audit", "rehearse", "clean"]


def test_an_environment_whose_making_was_killed_is_made_again(folder):
    (folder / ".venv/bin/pip").unlink()
    (folder / ".venv/train.stamp").unlink()
    planned = make(folder, "--dry-run", "install").stdout
    assert planned.index("python3 -m venv .venv") < planned.index("pip install")
