"""A bundle: the immutable result of a training, named by the SHA-256 of its manifest.

It has two parts: what serves, and what judged it (the twin, fitted without the rows held out). Each part lists the SHA-256
of its files, and the manifest that of each list, so the digest vouches for every byte, and either part can be verified
without the other: an image carries what serves alone. The digest comes from outside (the pointer in git); nothing inside a
bundle can vouch for the bundle. docs/bundle.md describes the files.
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

FORMAT = 2
MANIFEST = "manifest.json"
SERVING, JUDGING = "serving", "judging"
LISTS = {SERVING: "serving.json", JUDGING: "judging.json"}
MODEL, TWIN = "model.json", "twin.json"
DIGEST = re.compile(r"[0-9a-f]{64}")
FILE_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
JUDGES = re.compile(r"judging\.json|twin\.json|twin(-\d+)?\.onnx")
PULL = "Run slipway pull to repair it, or slipway train with the same data: only training needs the part that judged"
TRAIN_AGAIN = (
    "The bundle is damaged: run slipway pull to repair it, or git restore --source=COMMIT FOLDER if a commit has it, "
    "or delete its folder and run slipway train"
)


class Listed(TypedDict):
    """What a list says of a file."""

    sha256: str
    bytes: int


Files = Mapping[str, Listed]


@dataclass(frozen=True)
class Manifest:
    """manifest.json.

    Parameters
    ----------
    problem : str
    lists : mapping
        Part → SHA-256 of its list; none in format 1, which has one part.
    files : mapping or None
        Of format 1, whose manifest lists the files itself.
    """

    problem: str
    lists: Mapping[str, str]
    files: Files | None = None


@dataclass(frozen=True)
class Bundle:
    """A bundle that was verified when it was read.

    Parameters
    ----------
    folder : Path
    digest : str
        64 hexadecimal digits.
    manifest : Manifest
    lists : mapping
        The lists that are here, by file name.
    parts : mapping
        The parts that are here, each with its files.
    held : mapping
        Content of the files that `hold` keeps in memory.
    damage : BundleError or None
        What is wrong with the part that judged, which then counts as absent: what serves is sound without it.
    """

    folder: Path
    digest: str
    manifest: Manifest
    lists: Files
    parts: Mapping[str, Files]
    held: Mapping[str, bytes] = field(default_factory=dict, repr=False, compare=False)
    damage: BundleError | None = field(default=None, compare=False)

    @property
    def problem(self) -> str:
        return self.manifest.problem

    @property
    def whole(self) -> bool:
        """Whether all parts are here."""
        return self.parts.keys() >= self.manifest.lists.keys()

    @property
    def files(self) -> dict[str, Listed]:
        """All files that are here but the manifest, those of each part before its list."""
        return {name: listed for part in (*self.parts.values(), self.lists) for name, listed in part.items()}

    def carried(self, part: str) -> tuple[str, ...]:
        """The files that make `part` readable elsewhere."""
        return (*self.parts[part], *(LISTS[part],) * (LISTS[part] in self.lists), MANIFEST)

    def require_problem(self, name: str) -> None:
        """BundleError when it is of another problem than `name`."""
        if self.problem != name:
            raise BundleError(
                f"bundle {self.digest[:12]} belongs to the problem {self.problem}, not to {name}",
                f"Run slipway train, or promote a bundle of {name} with slipway promote",
            )

    def has(self, name: str) -> bool:
        """Whether there is such a file; an earlier format may lack it."""
        return name in self.files

    def read(self, name: str) -> bytes:
        """The verified content of one file; BundleError when it is absent or damaged."""
        if name in self.held:
            return self.held[name]
        listed = self.files.get(name)
        if listed is None:
            raise BundleError(f"bundle {self.digest[:12]} has no {name}")
        return _verified(self.folder / name, listed["sha256"], listed["bytes"])

    def hold(self, names: Iterable[str]) -> "Bundle":
        """The same bundle, which reads these of its files from memory when its folder is gone; BundleError as `read`."""
        return replace(self, held={name: self.read(name) for name in names if name in self.files})

    def twin(self) -> "Bundle":
        """The bundle with the model that was judged in place of the one that serves; the same in format 1.

        Raises
        ------
        BundleError
            When nothing judged it, or the part that did is damaged, or not here.
        """
        if self.manifest.files is not None:
            return self
        if JUDGING not in self.manifest.lists:
            raise BundleError(f"bundle {self.digest[:12]} was not judged: it has no model without the held-out rows")
        if self.damage:
            raise self.damage
        if JUDGING not in self.parts:
            raise BundleError(
                f"bundle {self.digest[:12]} is here without the part that judged it",
                "Run slipway pull, or slipway push on the machine that trained it",
            )
        return replace(self, held={**self.held, MODEL: self.read(TWIN)})

    def json(self, name: str) -> dict[str, Any]:
        """One file as JSON."""
        try:
            document: dict[str, Any] = parse(self.read(name))
            return document
        except ValueError as error:
            raise BundleError(f"{self.folder / name}: not JSON ({error})") from error


def packed(problem: str, serving: Mapping[str, bytes], judging: Mapping[str, bytes]) -> dict[str, bytes]:
    """All files of a bundle: those of its parts, their lists, and the manifest; the same files produce the same bytes.

    A bundle that nothing judged has no such part.
    """
    parts = {SERVING: serving} | ({JUDGING: judging} if judging else {})
    found = {name: content for files in parts.values() for name, content in files.items()}
    for name in found:
        if not FILE_NAME.fullmatch(name) or name in (MANIFEST, *LISTS.values()):
            raise BundleError(f"{name!r}: not a valid file name for a bundle")
    lists = {part: _canonical({"files": {name: _listed(files[name]) for name in files}}) for part, files in parts.items()}
    sums = {part: sha256(content).hexdigest() for part, content in lists.items()}
    manifest = _canonical({"format": FORMAT, "problem": problem, "parts": sums})
    return found | {LISTS[part]: content for part, content in lists.items()} | {MANIFEST: manifest}


def _listed(content: bytes) -> Listed:
    return {"sha256": sha256(content).hexdigest(), "bytes": len(content)}


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def digest_of(manifest: bytes) -> str:
    """The digest that names a bundle with this manifest."""
    return sha256(manifest).hexdigest()


def read_bundle(folder: Path, digest: str) -> Bundle:
    """Open the bundle in `folder` and verify every byte of it; what judged it may be absent or damaged.

    Raises
    ------
    BundleError
        When a file is missing, damaged, unlisted or a link, unless it judged; or when a newer Slipway wrote the bundle.
    """
    path = folder / MANIFEST
    content = _content(path)
    if digest_of(content) != digest:
        raise BundleError(f"{path}: its SHA-256 does not match the digest {digest[:12]}", TRAIN_AGAIN)
    manifest = read_manifest(content, str(path))
    try:
        there = {path.name for path in folder.iterdir()}
    except OSError as error:
        raise BundleError(f"{folder}: cannot be read ({error.strerror})", TRAIN_AGAIN) from error
    bundle = Bundle(folder, digest, manifest, {}, {} if manifest.files is None else {SERVING: manifest.files})
    bundle = _with(bundle, SERVING)
    judged = sorted(name for name in there - {MANIFEST, *bundle.files} if JUDGES.fullmatch(name))
    if JUDGING in manifest.lists and judged:
        try:
            bundle = _with(bundle, JUDGING)
        except BundleError as error:
            there -= set(judged)
            bundle = replace(bundle, damage=BundleError(error.cause, PULL))
    if unlisted := sorted(there - {MANIFEST, *bundle.files}):
        raise BundleError(f"{folder / unlisted[0]}: is not in the manifest", "Delete it: a bundle never changes")
    return bundle


def _with(bundle: Bundle, part: str) -> Bundle:
    """The bundle with one part of its folder, verified; BundleError when a file is missing or damaged."""
    lists, parts = dict(bundle.lists), dict(bundle.parts)
    if wanted := bundle.manifest.lists.get(part):
        content = _verified(bundle.folder / LISTS[part], wanted)
        lists[LISTS[part]] = Listed(sha256=wanted, bytes=len(content))
        parts[part] = read_list(content, str(bundle.folder / LISTS[part]))
    found = replace(bundle, lists=lists, parts=parts)
    for name in found.parts[part]:
        found.read(name)
    return found


def _verified(path: Path, wanted: str, size: int | None = None) -> bytes:
    content = _content(path, size)
    if sha256(content).hexdigest() != wanted:
        raise BundleError(f"{path}: differs from the manifest (SHA-256)", TRAIN_AGAIN)
    return content


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


def read_manifest(content: bytes, where: str) -> Manifest:
    """Read a manifest; BundleError naming `where` when it is none, or of a newer format."""
    try:
        document = parse(content)
        if isinstance(document["format"], int) and document["format"] > FORMAT:
            raise BundleError(
                f"{where}: format {document['format']} was written by a newer Slipway",
                f"Upgrade: this version reads formats up to {FORMAT}",
            )
        if document["format"] == 1 and isinstance(document["problem"], str):
            return Manifest(document["problem"], {}, _files(document))
        lists = document["parts"]
        sound = document["format"] == FORMAT and isinstance(document["problem"], str)
        sound &= SERVING in lists and all(part in LISTS and DIGEST.fullmatch(wanted) for part, wanted in lists.items())
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _not_written(where, "a manifest") from error
    if not sound:  # a given digest does not prove that its content was ever checked
        raise _not_written(where, "a manifest")
    return Manifest(document["problem"], {part: lists[part] for part in LISTS if part in lists})


def read_list(content: bytes, where: str) -> Files:
    """Read the list of a part; BundleError naming `where` when it is none."""
    try:
        return _files(parse(content))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _not_written(where, "a list of files") from error


def _files(document: Any) -> Files:
    files: Files = document["files"]
    for name, listed in files.items():
        if not FILE_NAME.fullmatch(name) or not isinstance(listed["sha256"], str) or not isinstance(listed["bytes"], int):
            raise ValueError(name)
    return files


def _not_written(where: str, what: str) -> BundleError:
    return BundleError(f"{where}: not {what}", "Only slipway train writes bundles")
