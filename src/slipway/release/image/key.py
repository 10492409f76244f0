"""The release key: a hash of the files that an image is built from, so that the same files have the same image."""

import os
import re
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from slipway.errors import ReleaseError

POINTER = "artifacts/champion.json"
IGNORED = ("Dockerfile.dockerignore", ".dockerignore")  # Docker reads the first that there is
PLAIN_PATH = re.compile(r"!/?([^!*?\[\\]+?)/?")
HISTORY = 50
PLATFORMS = ("linux/amd64", "linux/arm64")  # the first is meant where SLIPWAY_PLATFORM names none


def release_key(repository: Path, commit: str = "HEAD", environ: Mapping[str, str] = os.environ) -> str:
    """64 hexadecimal digits over names, modes and contents of what a commit's image is built from.

    These are the Dockerfile, .dockerignore, and all that .dockerignore lets in: whatever a Dockerfile copies is among it.
    Of ``artifacts`` the pointer counts alone: it names the bundle, and artifacts/verdict.json is for the page of the model.
    Whatever was said of a bundle, it is the same release. An image is of one platform: another than the usual one, which
    SLIPWAY_PLATFORM names, counts too.

    Raises
    ------
    ReleaseError
        If git does not know the commit, or it has no champion.
    """
    entries = sorted(each for each in committed(repository, commit, *_build_inputs(repository, commit)) if _counts(each))
    if not any(each.endswith(f"\t{POINTER}") for each in entries):
        raise ReleaseError(
            f"commit {commit} has no {POINTER}, so there is no model to release",
            f"Run slipway train and slipway push, then commit {POINTER}",
        )
    platform = environ.get("SLIPWAY_PLATFORM") or PLATFORMS[0]
    if platform != PLATFORMS[0]:
        entries.append(platform)
    return sha256("\0".join(entries).encode()).hexdigest()


def committed(repository: Path, commit: str, *paths: str) -> list[str]:
    """Entries of a commit, ``<mode> <type> <object>\\t<path>``; of all files if no path is given."""
    listed = git(repository, "ls-tree", "-r", "-z", "--full-tree", commit, "--", *paths)
    return [entry for entry in listed.split("\0") if entry]


def path_of(entry: str) -> str:
    """The path in an entry of a commit."""
    return entry.partition("\t")[2]


def _build_inputs(repository: Path, commit: str) -> tuple[str, ...]:
    """What can get into an image. Empty for every file, unless .dockerignore shuts out all but what it names."""
    patterns = _patterns(repository, commit)
    allowed = [PLAIN_PATH.fullmatch(each) for each in patterns if each.startswith("!")]
    if patterns[:1] != ["*"] or not all(allowed):
        return ()
    return ("Dockerfile", *IGNORED, POINTER, *(found[1] for found in allowed if found))


def unsaved(repository: Path) -> list[str]:
    """Files that get into the image and are not as committed.

    New files are among them where .dockerignore shuts out all but what it names; elsewhere any report would be in the way.
    """
    inputs = _build_inputs(repository, "HEAD")
    others = "all" if inputs else "no"
    listed = git(repository, "status", "--porcelain", "-z", "--no-renames", f"--untracked-files={others}", "--", *inputs)
    paths = [entry[3:] for entry in listed.split("\0") if entry]
    return [path for path in paths if path == POINTER or not path.startswith("artifacts/")]


def _patterns(repository: Path, commit: str) -> list[str]:
    for name in IGNORED:
        with suppress(ReleaseError):  # there is no such file
            lines = git(repository, "show", f"{commit}:{name}").splitlines()
            return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    return []


def _counts(entry: str) -> bool:
    path = path_of(entry)
    return path == POINTER or not path.startswith("artifacts/")


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
