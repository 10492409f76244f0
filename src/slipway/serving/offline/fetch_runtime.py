"""Fetch onnxruntime-web from npm's registry, or the mirror in ``NPM_CONFIG_REGISTRY``, if ``serving.offline`` is on.

python -m slipway.serving.offline.fetch_runtime
"""

import base64
import gzip
import hashlib
import os
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from http.client import HTTPException
from pathlib import Path
from typing import IO
from urllib.parse import unquote, urlsplit
from urllib.request import Request, urlopen

from slipway.errors import ServingError, SlipwayError
from slipway.problem import load_problem
from slipway.serving.offline.web_runtime import KINDS, NAME, SHA512, VERSION, is_complete, packed, runtime_folder
from slipway.store.atomic import unwritable

VARIABLE = "NPM_CONFIG_REGISTRY"
REGISTRY = "https://registry.npmjs.org"
SECONDS = 60.0  # without a byte
PIECE = 1 << 20
MOST_BYTES = 100 << 20
ADDRESS = re.compile(r"https?://(?:[^/@\s]*@)?(?:[\w.-]+|\[[0-9a-fA-F:.]+\])(?::\d+)?(?:/[^\s?#]*)?")


def fetch_runtime(folder: Path, environ: Mapping[str, str] = os.environ, sha512: str = SHA512) -> None:
    """Put the files that a browser needs into the folder, unless they are there.

    Raises
    ------
    ServingError
        When the registry does not answer, or what it sends is not the locked package.
    """
    if is_complete(folder):
        return
    registry = (environ.get(VARIABLE) or REGISTRY).rstrip("/")
    if not ADDRESS.fullmatch(registry):
        raise ServingError(f"{VARIABLE} is not the address of a registry", f"Set it like {REGISTRY}, or unset it")
    with tempfile.TemporaryFile() as file:
        _download(f"{registry}/onnxruntime-web/-/{NAME}.tgz", file, sha512)
        try:
            _unpack(file, folder)
        except OSError as error:
            raise unwritable(folder, error, ServingError) from error


def _download(address: str, file: IO[bytes], sha512: str) -> None:
    """Write what the registry sends to the file; ServingError unless its SHA-512 is the locked one."""
    cure = f"Set {VARIABLE} to a registry that can be reached, or switch serving.offline off"
    digest = hashlib.sha512()
    try:
        with urlopen(_request(address), timeout=SECONDS) as answer:
            while piece := answer.read(PIECE):
                digest.update(piece)
                file.write(piece)
                if file.tell() > MOST_BYTES:
                    raise ServingError(f"{_shown(address)}: more than {MOST_BYTES >> 20} MiB", cure)
    except (OSError, HTTPException) as error:
        raise ServingError(f"{_shown(address)}: cannot be fetched ({error})", cure) from error
    if base64.b64encode(digest.digest()).decode() != sha512:
        raise ServingError(
            f"{_shown(address)}: not the package that this Slipway is locked to (SHA-512)",
            f"Run it again. If it fails again, the registry has another file: set {VARIABLE} to one that has the original",
        )


def _request(address: str) -> Request:
    """A name and password go into a header, which the host of a redirect does not get."""
    request = Request(_shown(address))
    name, at, _ = urlsplit(address).netloc.rpartition("@")
    if at:
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(unquote(name).encode()).decode()}")
    return request


def _shown(address: str) -> str:
    """The address without the name and password that it may have."""
    parts = urlsplit(address)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _unpack(file: IO[bytes], folder: Path) -> None:
    """Put the files into the folder, all at once: another process may do the same."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{NAME}-", dir=folder.parent))
    try:
        file.seek(0)
        with tarfile.open(fileobj=file, mode="r:gz") as archive:
            for name in KINDS:
                content = archive.extractfile(f"package/dist/{name}")
                assert content is not None, name
                packed(draft, name).write_bytes(gzip.compress(content.read(), 9, mtime=0))
        draft.chmod(0o755)
        if folder.exists() and not is_complete(folder):
            shutil.rmtree(folder)
        draft.rename(folder)
    except OSError:
        if not is_complete(folder):
            raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def main() -> None:
    """Fetch it for the problem of the environment; nothing to do without ``serving.offline``."""
    problem = load_problem()
    if problem.serving.offline:
        folder = runtime_folder(problem)
        fetch_runtime(folder)
        print(f"onnxruntime-web {VERSION} is in {folder}")


if __name__ == "__main__":
    try:
        main()
    except SlipwayError as error:
        print(f"slipway: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
