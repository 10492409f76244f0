"""The release program as one file that any Python from 3.11 on runs."""

import io
import zipfile
from pathlib import Path

import slipway
from slipway.files import replace

INTERPRETER = b"#!/usr/bin/python3 -I\n"
MODULES = ("__init__", "errors", "files", "journal", "bundle")
MAIN = "from slipway.release.program import main\n\nmain()\n"
STAMP = (1980, 1, 1, 0, 0, 0)


def build(target: Path) -> None:
    """Write the program to `target`, executable; the same source gives the same bytes."""
    package = Path(slipway.__file__).parent
    names = [Path(f"{name}.py") for name in MODULES]
    names += sorted(path.relative_to(package) for path in (package / "release").glob("*.py"))
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for name, content in [("__main__.py", MAIN), *((f"slipway/{name}", (package / name).read_text()) for name in names)]:
            file.writestr(zipfile.ZipInfo(name, STAMP), content, zipfile.ZIP_DEFLATED)
    target.parent.mkdir(parents=True, exist_ok=True)
    replace(target, INTERPRETER + archive.getvalue())
    target.chmod(0o755)
