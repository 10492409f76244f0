"""Whether anything a training depends on has changed since the last one, told without reading the table."""

from collections.abc import Sequence
from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import slipway
from slipway.problem import Problem

LIBRARIES = ("scikit-learn", "numpy", "pandas", "onnx", "onnxruntime")
BLOCK = 1 << 20


def fingerprint(problem: Problem, paths: Sequence[Path]) -> str:
    """SHA-256 over the source files' bytes, what the problem asks of training, this program and its libraries.

    Parameters
    ----------
    problem : Problem
    paths : sequence of Path
        The files of the source.
    """
    asked = asdict(problem)
    for name in ("serving", "store", "folder", "source"):
        asked.pop(name)
    total = sha256(repr(sorted(asked.items())).encode())
    for path in sorted(paths):
        total.update(_of_file(path))
    for name in LIBRARIES:
        total.update(f"{name} {_version(name)}".encode())
    for path in sorted(Path(slipway.__file__).parent.rglob("*.py")):
        if "serving" not in path.parts and "cli" not in path.parts:
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
