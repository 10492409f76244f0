"""The release key: a hash of the files that an image is built from, so that the same files have the same image."""

import subprocess
from hashlib import sha256
from pathlib import Path

from slipway.errors import ReleaseError

# What the Dockerfile copies, and the files that control the build: nothing else may change what an image answers. Besides
# them it has artifacts/verdict.json, for the page of the model: whatever was said of a bundle, it is the same release.
INPUTS = (
    ".dockerignore",
    "Dockerfile",
    "app.py",
    "artifacts/champion.json",
    "gunicorn.conf.py",
    "requirements.txt",
    "slipway.yaml",
    "src",
)
HISTORY = 50


def release_key(repository: Path, commit: str = "HEAD") -> str:
    """64 hexadecimal digits over names, modes and contents of the build inputs in a commit.

    Raises
    ------
    ReleaseError
        If git does not know the commit, or it has no champion.
    """
    listed = git(repository, "ls-tree", "-r", "-z", "--full-tree", commit, "--", *INPUTS)
    entries = sorted(filter(None, listed.split("\0")))
    if not any(entry.endswith("\tartifacts/champion.json") for entry in entries):
        raise ReleaseError(
            f"commit {commit} has no artifacts/champion.json, so there is no model to release",
            "Run slipway train and slipway push, then commit artifacts/champion.json",
        )
    return sha256("\0".join(entries).encode()).hexdigest()


def earlier_keys(repository: Path) -> list[str]:
    """Release keys of earlier commits, the nearest first, without duplicates: a build may reuse their layers."""
    commits = git(repository, "rev-list", "--first-parent", f"--max-count={HISTORY}", "HEAD").split()[1:]
    keys: list[str] = []
    for commit in commits:
        try:
            key = release_key(repository, commit)
        except ReleaseError:
            continue
        if key not in keys:
            keys.append(key)
    return keys


def git(repository: Path, *arguments: str) -> str:
    """Output of a git command; ReleaseError with its message if it fails."""
    done = subprocess.run(["git", *arguments], cwd=repository, capture_output=True, text=True, errors="surrogateescape")
    if done.returncode:
        raise ReleaseError(f"git {arguments[0]} failed: {done.stderr.strip()}")
    return done.stdout
