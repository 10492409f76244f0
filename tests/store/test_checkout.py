"""The checkout, as git tells of it."""

import subprocess
from pathlib import Path

import pytest

from slipway.store.checkout import Checkout

WHO = ("-c", "user.name=Ann", "-c", "user.email=ann@desk")


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *WHO, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path) -> Path:
    git(tmp_path, "init", "--quiet", "--initial-branch", "main")
    git(tmp_path, "commit", "--quiet", "--allow-empty", "--message", "first")
    return tmp_path


def test_a_branch_beside_the_default_one_is_named(repository):
    assert Checkout(repository).side_branch() == ""
    git(repository, "switch", "--quiet", "--create", "feature/bmi")
    assert Checkout(repository).side_branch() == "feature/bmi"
    git(repository, "switch", "--quiet", "--detach", "main")  # as CI checks out
    assert Checkout(repository).side_branch() == ""


def test_the_default_branch_of_a_clone_is_that_of_its_origin(repository, tmp_path_factory):
    git(repository, "branch", "--move", "trunk")
    clone = tmp_path_factory.mktemp("clone")
    git(clone, "clone", "--quiet", str(repository), ".")
    assert Checkout(clone).side_branch() == ""
    git(clone, "switch", "--quiet", "--create", "main")
    assert Checkout(clone).side_branch() == "main"


@pytest.mark.parametrize("prepared", [False, True])
def test_where_git_knows_no_default_branch_none_is_beside_it(tmp_path, prepared):
    if prepared:
        git(tmp_path, "init", "--quiet", "--initial-branch", "develop")
    assert Checkout(tmp_path).side_branch() == ""
