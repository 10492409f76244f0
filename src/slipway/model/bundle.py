"""A bundle: the immutable result of a training, named by the SHA-256 of its manifest.

The manifest lists the SHA-256 of every other file, so the digest vouches for all of them. The digest comes from
outside (the pointer in git); nothing inside a bundle can vouch for the bundle. docs/bundle.md describes the files.
"""

import json
import re
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any, TypedDict

from slipway.errors import BundleError
from slipway.model.document import parse

FORMAT = 1
MANIFEST = "manifest.json"
DIGEST = re.compile(r"[0-9a-f]{64}")
FILE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class Listed(TypedDict):
    """What the manifest says of a file."""

    sha256: str
    bytes: int


class Manifest(TypedDict):
    """manifest.json."""

    format: int
    problem: str
    files: dict[str, Listed]


@dataclass(frozen=True)
class Bundle:
    """A bundle that was verified when it was read.

    Parameters
    ----------
    folder : Path
    digest : str
        64 hexadecimal digits.
    manifest : Manifest
    held : mapping
        Content of the files that `hold` keeps in memory.
    """

    folder: Path
    digest: str
    manifest: Manifest
    held: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)

    @property
    def problem(self) -> str:
        return self.manifest["problem"]

    def require_problem(self, name: str) -> None:
        """BundleError when it is of another problem than `name`."""
        if self.problem != name:
            raise BundleError(
                f"bundle {self.digest[:12]} belongs to the problem {self.problem}, not to {name}",
                f"Run slipway train, or promote a bundle of {name} with slipway promote",
            )

    def has(self, name: str) -> bool:
        """Whether there is such a file; an earlier format may lack it."""
        return name in self.manifest["files"]

    def read(self, name: str) -> bytes:
        """The verified content of one file; BundleError when it is absent or damaged."""
        if name in self.held:
            return self.held[name]
        listed = self.manifest["files"].get(name)
        if listed is None:
            raise BundleError(f"bundle {self.digest[:12]} has no {name}")
        path = self.folder / name
        content = _content(path, listed["bytes"])
        if sha256(content).hexdigest() != listed["sha256"]:
            raise BundleError(f"{path}: differs from the manifest (SHA-256)", TRAIN_AGAIN)
        return content

    def hold(self, names: Iterable[str]) -> "Bundle":
        """The same bundle, which reads these of its files from memory when its folder is gone; BundleError as `read`."""
        return replace(self, held={name: self.read(name) for name in names if name in self.manifest["files"]})

    def json(self, name: str) -> dict[str, Any]:
        """One file as JSON."""
        try:
            document: dict[str, Any] = parse(self.read(name))
            return document
        except ValueError as error:
            raise BundleError(f"{self.folder / name}: not JSON ({error})") from error


TRAIN_AGAIN = "The bundle is damaged: delete its folder and run slipway train, or fetch it again"


def manifest_bytes(problem: str, files: Mapping[str, bytes]) -> bytes:
    """The manifest of these files; the same files produce the same bytes."""
    for name in files:
        if not FILE_NAME.fullmatch(name) or name == MANIFEST:
            raise BundleError(f"{name!r}: not a valid file name for a bundle")
    document = {
        "format": FORMAT,
        "problem": problem,
        "files": {name: {"sha256": sha256(content).hexdigest(), "bytes": len(content)} for name, content in files.items()},
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode() + b"\n"


def digest_of(manifest: bytes) -> str:
    """The digest that names a bundle with this manifest."""
    return sha256(manifest).hexdigest()


def read_bundle(folder: Path, digest: str) -> Bundle:
    """Open the bundle in `folder` and verify every byte of it.

    Raises
    ------
    BundleError
        When a file is missing, damaged, unlisted or a link, or when a newer Slipway wrote the bundle.
    """
    bundle = Bundle(folder, digest, _manifest(folder, digest))
    listed = {MANIFEST, *bundle.manifest["files"]}
    try:
        unlisted = sorted({path.name for path in folder.iterdir()} - listed)
    except OSError as error:
        raise BundleError(f"{folder}: cannot be read ({error.strerror})", TRAIN_AGAIN) from error
    if unlisted:
        raise BundleError(f"{folder / unlisted[0]}: is not in the manifest", "Delete it: a bundle never changes")
    for name in bundle.manifest["files"]:
        bundle.read(name)
    return bundle


def _content(path: Path, size: int | None = None) -> bytes:
    """The content of a regular file of `size` bytes; a link could point anywhere, a pipe would never end."""
    try:
        found = path.lstat()
        if not stat.S_ISREG(found.st_mode):
            raise BundleError(f"{path}: is not a regular file", TRAIN_AGAIN)
        if size is not None and found.st_size != size:
            raise BundleError(f"{path}: differs from the manifest ({found.st_size} bytes instead of {size})", TRAIN_AGAIN)
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror})", TRAIN_AGAIN) from error


def _manifest(folder: Path, digest: str) -> Manifest:
    path = folder / MANIFEST
    content = _content(path)
    if digest_of(content) != digest:
        raise BundleError(f"{path}: its SHA-256 does not match the digest {digest[:12]}", TRAIN_AGAIN)
    try:
        manifest: Manifest = parse(content)
        newer = manifest["format"] > FORMAT
        sound = (
            newer
            or manifest["format"] == FORMAT
            and isinstance(manifest["problem"], str)
            and all(
                FILE_NAME.fullmatch(name) and isinstance(listed["sha256"], str) and isinstance(listed["bytes"], int)
                for name, listed in manifest["files"].items()
            )
        )
    except (ValueError, TypeError, KeyError, AttributeError):
        newer = sound = False
    if not sound:  # a given digest does not prove that its content was ever checked
        raise BundleError(f"{path}: not a manifest", "Only slipway train writes bundles")
    if newer:
        raise BundleError(
            f"{path}: format {manifest['format']} was written by a newer Slipway",
            f"Upgrade: this version reads formats up to {FORMAT}",
        )
    return manifest
