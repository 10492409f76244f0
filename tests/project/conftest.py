"""Repositories that `slipway new` made: without a wheel, which takes seconds to build, and with one."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Result
from slipway import __version__
from slipway.project.wheel import Wheel

ROOT = Path(__file__).resolve().parents[2]
PACKED = ("src", "setup.py", "pyproject.toml", "README.md", "LICENSE", "requirements*.in", "requirements*.txt")


@pytest.fixture
def wheel(monkeypatch) -> Wheel:
    """What is vendored, instead of the wheel that the tests are not installed from."""
    made = Wheel(f"slipway_ml-{__version__}-py3-none-any.whl", b"a wheel")
    monkeypatch.setattr("slipway.project.distribution.repacked", lambda: made)
    return made


@pytest.fixture
def new(tmp_path, monkeypatch, run, wheel) -> Callable[..., Result]:
    """Call ``slipway new`` in an empty folder, without a terminal."""
    monkeypatch.chdir(tmp_path)
    return lambda *arguments: run("new", *arguments)


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """The wheel of this checkout."""
    tree = tmp_path_factory.mktemp("wheel")
    for pattern in PACKED:
        for path in ROOT.glob(pattern):
            if path.is_dir():
                shutil.copytree(path, tree / path.name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
            else:
                shutil.copy(path, tree)
    python(tree, "-W", "ignore", "setup.py", "--quiet", "bdist_wheel")
    [made] = (tree / "dist").iterdir()
    return made


@pytest.fixture(scope="session")
def site(tmp_path_factory, built) -> Path:
    """A folder that the wheel is installed in."""
    target = tmp_path_factory.mktemp("site")
    install(target, str(built), "--no-index")
    return target


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
