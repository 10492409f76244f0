"""The commit that a run releases: the one it was started on, or an earlier one of main that a person chose."""

from pathlib import Path

from slipway.errors import ReleaseError
from slipway.release.image.key import git

MAIN = "origin/main"


def chosen_commit(repository: Path, name: str) -> str:
    """The 40 hexadecimal digits of a commit.

    Parameters
    ----------
    name : str
        A commit in any form that git accepts; empty for the one checked out.

    Raises
    ------
    ReleaseError
        If there is no such commit, or it is not on main: unmerged commits are never released.
    """
    if not name:
        return git(repository, "rev-parse", "HEAD").strip()
    try:
        commit = git(repository, "rev-parse", "--verify", "--end-of-options", f"{name}^{{commit}}").strip()
    except ReleaseError as error:
        raise ReleaseError(f"{name!r} is not a commit of this repository", "Give its SHA: git log --oneline main") from error
    if commit not in git(repository, "rev-list", MAIN).split():
        raise ReleaseError(f"commit {commit[:12]} is not on main", "Merge it first, or choose a commit on main")
    return commit
