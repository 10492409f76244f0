"""The commit that a run of main.yaml releases."""

import subprocess
from pathlib import Path

import pytest

from slipway.errors import ReleaseError
from slipway.release.image.commit import chosen_commit


class Clone:
    """A clone with three commits on main, the last one checked out, and one on a branch."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commits = [self.commit(name) for name in ("first", "second", "third")]
        self.git("update-ref", "refs/remotes/origin/main", "HEAD")
        self.git("switch", "--quiet", "--create", "proposal")
        self.proposed = self.commit("proposed")
        self.git("switch", "--quiet", "--detach", "main")

    def git(self, *arguments: str) -> str:
        command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.com", *arguments]
        return subprocess.run(command, cwd=self.folder, check=True, capture_output=True, text=True).stdout.strip()

    def commit(self, message: str) -> str:
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def clone(tmp_path) -> Clone:
    return Clone(tmp_path)


def test_without_a_name_it_is_the_one_that_is_checked_out_wherever_that_is(clone):
    assert chosen_commit(clone.folder, "") == clone.commits[2]
    clone.git("switch", "--quiet", "proposal")
    assert chosen_commit(clone.folder, "") == clone.proposed


@pytest.mark.parametrize("shown", [slice(40), slice(12)], ids=["full", "short"])
def test_an_earlier_commit_of_main_is_named_in_full(clone, shown):
    assert chosen_commit(clone.folder, clone.commits[0][shown]) == clone.commits[0]
    assert chosen_commit(clone.folder, clone.commits[2][shown]) == clone.commits[2]


def test_a_tag_is_the_commit_that_it_names(clone):
    clone.git("tag", "--annotate", "--message", "x", "v1", clone.commits[1])
    assert chosen_commit(clone.folder, "v1") == clone.commits[1]


def test_a_commit_that_was_never_merged_is_refused(clone):
    with pytest.raises(ReleaseError, match=f"{clone.proposed[:12]} is not on main.*Merge it first"):
        chosen_commit(clone.folder, clone.proposed)


@pytest.mark.parametrize("name", ["0" * 40, "no-such", "--all", "$(touch x)", "main:x", " "])
def test_what_is_no_commit_is_refused(clone, name):
    with pytest.raises(ReleaseError, match="is not a commit of this repository.*git log"):
        chosen_commit(clone.folder, name)
