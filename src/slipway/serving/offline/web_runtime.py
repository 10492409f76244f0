"""onnxruntime-web, with which a device runs the model: the locked version, and where a service keeps it."""

import gzip
import zlib
from pathlib import Path

from slipway.errors import ServingError
from slipway.problem import Problem
from slipway.store.local import open_store

VERSION = "1.30.0"
SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="  # as npm writes it
NAME = f"onnxruntime-web-{VERSION}"
MODULE, BINARY = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
KINDS = {MODULE: "text/javascript", BINARY: "application/wasm"}
FETCH = "python -m slipway.serving.offline.fetch_runtime"


def runtime_folder(problem: Problem) -> Path:
    """Where the files of `KINDS` are, each packed with gzip."""
    return open_store(problem.folder).root / NAME


def packed(folder: Path, name: str) -> Path:
    """One of the files as it is kept."""
    return folder / f"{name}.gz"


def unpacked(folder: Path, name: str) -> bytes:
    """One of the files as a browser wants it; ServingError when it cannot be read."""
    path = packed(folder, name)
    try:
        return gzip.decompress(path.read_bytes())
    except (OSError, EOFError, zlib.error) as error:
        raise ServingError(f"{path} cannot be read: {error}", f"Remove {folder}, and run {FETCH}") from error


def is_complete(folder: Path) -> bool:
    """Whether all files are there; they arrive together."""
    return all(packed(folder, name).is_file() for name in KINDS)


def require_runtime(problem: Problem) -> Path:
    """The folder of the files; ServingError when they were not fetched."""
    folder = runtime_folder(problem)
    if not is_complete(folder):
        raise ServingError(f"serving.offline: {folder} is missing, which the form needs to answer offline", f"Run {FETCH}")
    return folder
