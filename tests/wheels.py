"""Slipway as its wheel installs it, without a source; and the repositories that it makes."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

from slipway.project.roads import FOLDERS

ROOT = Path(__file__).resolve().parents[1]
PACKED = (
    "src",
    *(f"deploy/{name}" for name in FOLDERS),
    "setup.py",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "requirements*.in",
    "requirements*.txt",
)
PROGRAMS = {
    "slipway": "slipway.cli:main",
    "gunicorn": "gunicorn.app.wsgiapp:run",
    "pip": "pip._internal.cli.main:main",
}
PROGRAM = "#!{python}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"


def build(tree: Path) -> Path:
    """The wheel of this checkout, built in an empty folder."""
    for pattern in PACKED:
        for path in ROOT.glob(pattern):
            if path.is_dir():
                shutil.copytree(
                    path, tree / path.relative_to(ROOT), ignore=shutil.ignore_patterns("__pycache__", "*.egg-info")
                )
            else:
                shutil.copy(path, tree)
    python(tree, "-W", "ignore", "setup.py", "--quiet", "bdist_wheel")
    [made] = (tree / "dist").iterdir()
    return made


def install(target: Path, *arguments: str) -> None:
    """Install something there, and nothing that it needs."""
    pip = ("-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps", "--isolated")
    python(target.parent, *pip, "--target", str(target), *arguments)


def python(folder: Path, *arguments: str, **environ: str) -> str:
    """What a program of this Python prints, run in a folder; its error fails the test."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=os.environ | environ, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def environment(folder: Path, site: Path) -> Path:
    """An environment that has Slipway from `site`, and every other library from the environment that runs this."""
    venv.create(folder)
    [libraries] = folder.glob("lib/python3*/site-packages")
    (libraries / "all.pth").write_text(f"{site}\n{sysconfig.get_path('purelib')}\n")
    for name, function in PROGRAMS.items():
        module, _, called = function.partition(":")
        program = folder / "bin" / name
        program.write_text(PROGRAM.format(python=folder / "bin/python3", module=module, function=called))
        program.chmod(0o755)
    return folder


def new(folder: Path, site: Path, *options: str) -> Path:
    """The repository that ``slipway new`` makes there, with the wheel of `site`."""
    python(folder.parent, "-m", "slipway", "new", folder.name, *options, PYTHONPATH=str(site))
    return folder
