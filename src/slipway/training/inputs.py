"""Whether anything a training depends on has changed since the last one, told without reading the table."""

from collections.abc import Iterator
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from msgspec.structs import asdict

import slipway
from slipway.errors import SlipwayError
from slipway.problem import MONGODB, Problem
from slipway.sources.paths import S3, source_files
from slipway.store.local import LocalStore

LIBRARIES = ("scikit-learn", "numpy", "pandas", "onnx", "onnxruntime")
ROOMS_OF_OTHERS = {"serving", "cli", "doctor", "release", "batch"}  # what they hold, no training runs
BLOCK = 1 << 20


def unchanged(store: LocalStore, inputs: str | None) -> bool:
    """Whether the last training started from just these inputs, and its bundle and the champion are sound."""
    trainings = [entry for entry in store.journal.entries() if entry.get("event") == "verdict"]
    if inputs is None or not trainings or trainings[-1].get("inputs") != inputs:
        return False
    try:
        store.bundle(trainings[-1]["digest"])
        store.champion()
    except SlipwayError:
        return False
    return True


def fingerprint(problem: Problem) -> str | None:
    """SHA-256 over the source, what the problem asks of training, this program and its libraries.

    Of files it is their bytes, of objects in S3 their names, ETags and sizes. None when the source is a MongoDB
    collection, which cannot tell whether it changed.

    Parameters
    ----------
    problem : Problem

    Raises
    ------
    TableError
        When a file of the source is not there.
    """
    if MONGODB in problem.source:
        return None
    asked = asdict(problem)
    for name in ("serving", "remote", "folder", "source", "fetch", "data", "limits"):
        asked.pop(name)
    total = sha256(repr(sorted(asked.items())).encode())
    for source in problem.source:
        for part in _of_objects(source) if source.startswith(S3) else map(_of_file, source_files(problem, source)):
            total.update(part)
    for name in LIBRARIES:
        total.update(f"{name} {_version(name)}".encode())
    package = Path(slipway.__file__).parent
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).parts[0] not in ROOMS_OF_OTHERS:
            total.update(_of_file(path))
    return total.hexdigest()


def _of_objects(location: str) -> Iterator[bytes]:
    from slipway.sources.s3 import objects  # boto3 takes a while

    return (f"{each.key} {each.etag} {each.size}\n".encode() for each in objects(location))


def _of_file(path: Path) -> bytes:
    hashed = sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            hashed.update(block)
    return hashed.digest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
