"""An environment of its own for each tool, below build/, made at first use."""

import subprocess
import sys
import venv
from functools import cache
from pathlib import Path

HERE = Path(__file__).resolve().parent
PLACE = HERE.parents[2] / "build" / "quality"
ALONE = {"tables"}  # read from the files of packages, whose libraries contradict one another and are large


@cache
def python_of(name: str) -> str:
    """The interpreter of an environment; that of this process for ``slipway``."""
    if name == "slipway":
        return sys.executable
    folder = PLACE / name
    wanted = (HERE / f"{name}.txt").read_text()
    stamp = folder / "installed.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        venv.create(folder, clear=True, with_pip=True)
        python = str(folder / "bin" / "python")
        alone = ["--no-deps"] if name in ALONE else []
        subprocess.run([python, "-m", "pip", "install", "--quiet", *alone, "-r", str(HERE / f"{name}.txt")], check=True)
        stamp.write_text(wanted)
    return str(folder / "bin" / "python")
