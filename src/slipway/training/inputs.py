"""Whether anything a training depends on has changed since the last one, told without reading the table."""

from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import slipway
from slipway.errors import SlipwayError
from slipway.problem import Problem
from slipway.sources.paths import source_files
from slipway.store import LocalStore

LIBRARIES = ("scikit-learn", "numpy", "pandas", "onnx", "onnxruntime")
BLOCK = 1 << 20


def unchanged(store: LocalStore, inputs: str) -> bool:
    """Whether the last training started from just these inputs, and its bundle and the champion are sound."""
    trainings = [entry for entry in store.journal.entries() if entry.get("event") == "verdict"]
    if not trainings or trainings[-1].get("inputs") != inputs:
        return False
    try:
        pointer = store.pointer()
        store.bundle(trainings[-1]["digest"])
        return pointer is not None and store.bundle(pointer.digest) is not None
    except SlipwayError:
        return False


def fingerprint(problem: Problem) -> str:
    """SHA-256 over the source files' bytes, what the problem asks of training, this program and its libraries.

    Parameters
    ----------
    problem : Problem

    Raises
    ------
    TableError
        When a file of the source is not there.
    """
    asked = asdict(problem)
    for name in ("serving", "store", "remote", "folder", "source"):
        asked.pop(name)
    total = sha256(repr(sorted(asked.items())).encode())
    for path in source_files(problem):
        total.update(_of_file(path))
    for name in LIBRARIES:
        total.update(f"{name} {_version(name)}".encode())
    for path in sorted(Path(slipway.__file__).parent.rglob("*.py")):
        if not {"serving", "cli", "release"} & set(path.parts):
            total.update(_of_file(path))
    return total.hexdigest()


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
