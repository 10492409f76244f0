"""What a training depends on, and what of it has changed since the last one, told without reading the table."""

from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from itertools import chain
from pathlib import Path
from typing import Any

from msgspec.structs import asdict

import slipway
from slipway.errors import SlipwayError
from slipway.problem import Problem
from slipway.sources.source import files_at, sources_of
from slipway.store.local import LocalStore

LIBRARIES = ("scikit-learn", "numpy", "pandas", "onnx", "onnxruntime")
# What they hold no training runs; of rows that the monitor brings back from the log, the fingerprint of the data tells.
ROOMS_OF_OTHERS = {"serving", "cli", "doctor", "release", "batch", "project", "monitoring", "export"}


def reason(store: LocalStore, inputs: Mapping[str, str]) -> str:
    """Why to train: what differs from the last training, or is missing since; empty if these are just its inputs."""
    trainings = [entry for entry in store.journal.entries() if entry.get("event") == "verdict"]
    if not trainings:
        return "nothing was trained here yet"
    before = trainings[-1].get("inputs")
    if not isinstance(before, dict):
        return "the inputs of the last training are not recorded"
    changed = [name for name in sorted({*inputs, *before}) if inputs.get(name) != before.get(name)]
    if changed:
        return f"changed since the last training: {', '.join(changed)}"
    try:
        store.bundle(trainings[-1]["digest"])
        store.champion()
    except SlipwayError as error:
        return error.cause
    return ""


def fingerprint(problem: Problem) -> dict[str, str] | None:
    """SHA-256 of each thing a training starts from, by the name that a person knows it by.

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
    anchor = files_at(problem.gate.anchor, problem.folder, "gate.anchor").fingerprint() if problem.gate.anchor else None
    return {
        "data": _total(chain.from_iterable(filter(None, sources))),
        "settings": _total([repr(sorted(_asked(problem).items())).encode()]),
        "candidates of your own": _total(path.read_bytes() for path in _own(problem)),
        "libraries": _total(f"{name} {_version(name)}".encode() for name in LIBRARIES),
        "Slipway": _total(path.read_bytes() for path in _code()),
    } | ({"anchor set": _total(anchor)} if anchor else {})


def _total(parts: Iterable[bytes]) -> str:
    """One SHA-256 for all: each part by its own, so that none runs into the next."""
    total = sha256()
    for part in parts:
        total.update(sha256(part).digest())
    return total.hexdigest()


def _asked(problem: Problem) -> dict[str, Any]:
    """The settings that training depends on."""
    asked = asdict(problem)
    for name in ("serving", "remote", "folder", "source", "fetch", "data", "limits", "log", "retrain_when"):
        asked.pop(name)
    return asked | {"max_row_microseconds": problem.serving.max_row_microseconds}


def _own(problem: Problem) -> Iterator[Path]:
    """The modules of the person's own candidates."""
    for name in problem.candidates:
        own = name.partition(":")[0].replace(".", "/") + ".py"
        found = [place / own for place in problem.places if (place / own).is_file()]
        if ":" in name and found:
            yield found[0]


def _code() -> Iterator[Path]:
    """The files of this program that training uses."""
    package = Path(slipway.__file__).parent
    for path in sorted(package.rglob("*.py")):
        if path.relative_to(package).parts[0] not in ROOMS_OF_OTHERS:
            yield path


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "absent"
