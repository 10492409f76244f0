"""Whether anything a training depends on has changed since the last one, told without reading the table."""

from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path

from msgspec.structs import asdict

import slipway
from slipway.errors import SlipwayError
from slipway.problem import Problem
from slipway.sources.source import sources_of
from slipway.store.local import LocalStore

LIBRARIES = ("scikit-learn", "numpy", "pandas", "onnx", "onnxruntime")
ROOMS_OF_OTHERS = {"serving", "cli", "doctor", "release", "batch", "project"}  # what they hold, no training runs


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

    None when the source cannot tell whether it changed, as a MongoDB collection cannot.

    Parameters
    ----------
    problem : Problem

    Raises
    ------
    TableError
        When a file of the source is not there.
    """
    sources = [source.fingerprint() for source in sources_of(problem)]
    if None in sources:
        return None
    asked = asdict(problem)
    for name in ("serving", "remote", "folder", "source", "fetch", "data", "limits"):
        asked.pop(name)
    total = sha256(repr(sorted(asked.items())).encode())
    for part in chain.from_iterable(filter(None, sources)):
        total.update(part)
    for name in problem.candidates:
        own = name.partition(":")[0].replace(".", "/") + ".py"
        found = [place / own for place in problem.places if (place / own).is_file()]
        if ":" in name and found:
            total.update(sha256(found[0].read_bytes()).digest())
    for name in LIBRARIES:
        total.update(f"{name} {_version(name)}".encode())
    package = Path(slipway.__file__).parent
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).parts[0] not in ROOMS_OF_OTHERS:
            total.update(sha256(path.read_bytes()).digest())
    return total.hexdigest()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
