"""Where a repository gets Slipway from: a wheel in its vendor/, or the package index that pip uses."""

import io
import subprocess
import sys
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from slipway import __version__
from slipway.errors import ProjectError
from slipway.project.pins import SLIPWAY
from slipway.project.wheel import Wheel, repacked

VENDOR = "vendor"


@dataclass(frozen=True)
class Origin:
    """The line of a lock that installs Slipway, and the wheel that it names if the repository has one."""

    line: str
    wheel: Wheel | None = None


def origin(vendored: bool) -> Origin:
    """The Slipway that runs here, for the locks of a repository.

    Parameters
    ----------
    vendored : bool
        Whether the repository has the wheel; otherwise pip's index must have the same one.

    Raises
    ------
    ProjectError
        If there is no wheel to vendor, or the index has no such wheel, or another one of this version.
    """
    if vendored:
        wheel = repacked()
        return Origin(f"./{VENDOR}/{wheel.name} --hash=sha256:{wheel.digest}", wheel)
    return Origin(f"{SLIPWAY}=={__version__} --hash=sha256:{_indexed()}")


def _indexed() -> str:
    """SHA-256 of the wheel on the index; its files must be those that run here, whoever has the name there."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "--dest", folder]
        done = subprocess.run([*command, f"{SLIPWAY}=={__version__}"], capture_output=True, text=True)
        if done.returncode:
            says = (done.stderr.strip().splitlines() or ["pip failed"])[-1].removeprefix("ERROR: ")
            raise ProjectError(
                f"{SLIPWAY} {__version__} cannot be downloaded: {says}", "Omit --index: the wheel is vendored then"
            )
        [wheel] = Path(folder).iterdir()
        content = wheel.read_bytes()
    if not _runs_here(content):
        raise ProjectError(
            f"the index has another {SLIPWAY} {__version__} than the one that runs here",
            f"Install that one: pip install --force-reinstall --no-deps {SLIPWAY}=={__version__}. Or omit --index",
        )
    return sha256(content).hexdigest()


def _runs_here(wheel: bytes) -> bool:
    """Whether a wheel has the files that are installed here, and no others."""
    try:
        return _members(wheel) == _members(repacked().content)
    except (ProjectError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError):  # the last: encrypted, or packed otherwise
        return False


def _members(wheel: bytes) -> list[tuple[str, str]]:
    """The name and hash of each file; of RECORD, whose order is the builder's, the name alone."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        return sorted(
            (info.filename, "" if info.filename.endswith(".dist-info/RECORD") else sha256(archive.read(info)).hexdigest())
            for info in archive.infolist()
        )
