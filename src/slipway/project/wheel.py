"""The wheel that Slipway was installed from, packed again from the installed files: the same bytes on each machine."""

import csv
import io
import json
import zipfile
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

import slipway
from slipway.errors import ProjectError
from slipway.project.pins import SLIPWAY

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date of a zip file
METADATA = {"METADATA", "WHEEL", "entry_points.txt", "top_level.txt"}  # the rest of .dist-info is the installer's
BUILD = "In a checkout: pip install build && python -m build --wheel && pip install dist/slipway_ml-*.whl"


@dataclass(frozen=True)
class Wheel:
    """A wheel, in memory."""

    name: str
    content: bytes

    @property
    def digest(self) -> str:
        """Its SHA-256, in hexadecimal digits."""
        return sha256(self.content).hexdigest()


def repacked() -> Wheel:
    """The wheel of the Slipway that runs here.

    Uncompressed, so that no version of zlib changes its bytes; git compresses it.

    Raises
    ------
    ProjectError
        If Slipway is not installed from a wheel, or its files were changed since.
    """
    installed = _installed()
    packed: dict[str, bytes] = {}
    for path, stated in _recorded(installed):
        try:
            content = Path(str(installed.locate_file(path))).read_bytes()
        except OSError as error:
            raise ProjectError(f"{path}: cannot be read ({error.strerror})", "Install slipway-ml again") from error
        if _hash(content) != stated:
            raise ProjectError(f"{installed.locate_file(path)}: changed since it was installed", "Install slipway-ml again")
        packed[path] = content
    folder = next(path for path in packed if path.endswith(".dist-info/METADATA")).rpartition("/")[0]
    packed[f"{folder}/RECORD"] = _record(packed, f"{folder}/RECORD")
    return Wheel(f"slipway_ml-{installed.version}-py3-none-any.whl", _zipped(packed))


def _installed() -> Distribution:
    """The distribution whose files run here."""
    cure = f"`slipway new` needs a wheel to put into vendor/. {BUILD}"
    try:
        installed = distribution(SLIPWAY)
    except PackageNotFoundError as error:
        raise ProjectError("Slipway runs from its source, not from an installed wheel", cure) from error
    if installed.read_text("RECORD") is None:  # what a build left beside the source
        raise ProjectError("Slipway runs from its source, not from an installed wheel", cure)
    origin = json.loads(installed.read_text("direct_url.json") or "{}")
    here = Path(str(installed.locate_file("slipway/__init__.py")))
    if origin.get("dir_info", {}).get("editable") or here.resolve() != Path(slipway.__file__).resolve():
        raise ProjectError("Slipway is an editable install, not an installed wheel", cure)
    return installed


def _recorded(installed: Distribution) -> list[tuple[str, str]]:
    """The files that were in the wheel with their hashes as in RECORD, sorted."""
    rows = csv.reader(io.StringIO(installed.read_text("RECORD") or ""))
    return sorted((row[0], row[1]) for row in rows if row[1] and _in_wheel(PurePosixPath(row[0])))


def _in_wheel(path: PurePosixPath) -> bool:
    if path.parts[0] == "slipway":
        return path.suffix != ".pyc"
    return path.parts[0].endswith(".dist-info") and (path.name in METADATA or path.parts[1] == "licenses")


def _hash(content: bytes) -> str:
    return "sha256=" + urlsafe_b64encode(sha256(content).digest()).rstrip(b"=").decode()


def _record(packed: dict[str, bytes], name: str) -> bytes:
    lines = [f"{path},{_hash(content)},{len(content)}\n" for path, content in packed.items()]
    return "".join([*lines, f"{name},,\n"]).encode()


def _zipped(packed: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path, content in packed.items():
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16  # as on Linux, whatever packs it
            archive.writestr(entry, content)
    return buffer.getvalue()
