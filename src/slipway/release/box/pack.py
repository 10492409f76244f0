"""The release program as one file, for Python 3.11 or newer."""

import importlib.util
import io
import marshal
import zipfile
from pathlib import Path

import slipway
from slipway.store.atomic import replace

INTERPRETER = b"#!/usr/bin/python3 -I\n"
ALSO = (  # what the program needs from other rooms
    "__init__",
    "api_keys",
    "errors",
    "model/__init__",
    "model/bundle",
    "model/document",
    "model/raw_files",
    "store/__init__",
    "store/atomic",
    "store/journal",
    "webhook",
)
MAIN = "from slipway.release.box.program import main\n\nmain()\n"
STAMP = (1980, 1, 1, 0, 0, 0)


def build(target: Path) -> None:
    """Write the program to `target`, executable; the same source produces the same bytes."""
    package = Path(slipway.__file__).parent
    names = [Path(f"{name}.py") for name in ALSO]
    names += sorted(path.relative_to(package) for path in (package / "release").rglob("*.py"))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in [("__main__.py", MAIN), *((f"slipway/{name}", (package / name).read_text()) for name in names)]:
            file.writestr(zipfile.ZipInfo(name, STAMP), content, zipfile.ZIP_DEFLATED)
    target.parent.mkdir(parents=True, exist_ok=True)
    replace(target, INTERPRETER + archive.getvalue())
    target.chmod(0o755)


def compiled(program: bytes) -> bytes:
    """The program with byte code for this Python, which halves its start time; other versions use the source.

    Parameters
    ----------
    program : bytes
        What `build` wrote.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(program)) as source, zipfile.ZipFile(archive, "w") as file:
        for name in source.namelist():
            content = source.read(name)
            file.writestr(zipfile.ZipInfo(name, STAMP), content)
            if name.startswith("slipway/") and name.endswith(".py"):
                file.writestr(zipfile.ZipInfo(name + "c", STAMP), _byte_code(content, name))
    return INTERPRETER + archive.getvalue()


def _byte_code(content: bytes, name: str) -> bytes:
    """A .pyc that is not compared with its source (PEP 552): both come from one file, which is replaced as one."""
    unchecked = (1).to_bytes(4, "little") + importlib.util.source_hash(content)
    return importlib.util.MAGIC_NUMBER + unchecked + marshal.dumps(compile(content, name, "exec", dont_inherit=True))
