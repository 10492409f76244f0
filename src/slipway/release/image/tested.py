"""Tested once: an image under its release key and the hash of its tests has passed them, and need not again."""

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path

from slipway.errors import ReleaseError
from slipway.release.image.key import committed, git, path_of, release_key
from slipway.release.image.registry import Registry

# A push that changes nothing else starts no run, and neither counts here. main.yaml has the same list.
UNTESTED = ("**.md", "docs/**", "examples/**", "LICENSE")
DIGITS = 40  # a tag has at most 128 characters, of which the key and a hyphen take 65
FROM = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+(?P<stage>\S+))?", re.MULTILINE | re.IGNORECASE)
COPIED = re.compile(r"\bfrom=(?P<image>[^\s,]+)")
PINNED = re.compile(r".+@sha256:[0-9a-f]{64}")


@dataclass(frozen=True)
class Known:
    """What the registry knows of a commit.

    Parameters
    ----------
    key : str
        Its release key.
    digest : str
        Of the image that passed the tests of this commit; empty if they must run.
    reason : str
        Why they need not run, or must.
    """

    key: str
    digest: str
    reason: str


def key_of_tests(repository: Path, commit: str = "HEAD") -> str:
    """40 hexadecimal digits over names, modes and contents of all files of a commit, except `UNTESTED`.

    Tests may read any file, so more than ``tests`` counts: the locked requirements, the workflows, a table, a script.
    """
    entries = sorted(
        entry
        for entry in committed(repository, commit)
        if not any(fnmatchcase(path_of(entry), pattern) for pattern in UNTESTED)
    )
    return sha256("\0".join(entries).encode()).hexdigest()[:DIGITS]


def passed(repository: Path, registry: str, name: str) -> Known:
    """Whether the registry has the image of the commit, and knows it as tested with the tests of the commit."""
    key = release_key(repository)
    unpinned = unpinned_images(repository)
    if unpinned:
        return Known(
            key, "", f"The tests run: the Dockerfile names {unpinned[0]} without a digest, so the key does not cover it"
        )
    asked = Registry(registry)
    found = asked.find(name, key)
    if found is None:
        return Known(key, "", "The tests run: there is no image of this commit yet")
    if asked.find(name, f"{key}-{key_of_tests(repository)}") != found:
        return Known(key, "", f"The tests run: {found} is there, but did not pass the tests of this commit")
    return Known(key, found, f"No tests run: {found} passed those of this commit before")


def note_passed(repository: Path, registry: str, name: str) -> str:
    """Tag the image of the commit as tested with the tests of the commit; what was done.

    Raises
    ------
    ReleaseError
        If there is no such image, or the registry refuses the tag.
    """
    if unpinned := unpinned_images(repository):
        return f"Not noted as tested: the Dockerfile names {unpinned[0]} without a digest"
    key = release_key(repository)
    asked = Registry(registry)
    digest = asked.find(name, key)
    if digest is None:
        raise ReleaseError(f"{registry}/{name}:{key} is not in the registry")
    tag = f"{key}-{key_of_tests(repository)}"
    if asked.find(name, tag) != digest:
        asked.add_tag(name, digest, tag)
    return f"Noted as tested: {tag}"


def unpinned_images(repository: Path, commit: str = "HEAD") -> list[str]:
    """Images that the Dockerfile of a commit builds on, or copies from, without naming their digest."""
    text = git(repository, "show", f"{commit}:Dockerfile")
    stages, others = {"scratch"}, []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            continue
        built = FROM.match(line)
        named = ([built["image"]] if built else []) + COPIED.findall(line)
        others += [image for image in named if image.lower() not in stages and not image.isdigit()]
        if built and built["stage"]:
            stages.add(built["stage"].lower())  # for the lines below it: its own image may have the same name
    return [image for image in dict.fromkeys(others) if not PINNED.fullmatch(image)]
