"""Repositories that `slipway new` makes without a wheel, which takes seconds to build."""

from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Result
from slipway import __version__
from slipway.project.wheel import Wheel


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


@pytest.fixture
def folder(new, tmp_path, monkeypatch) -> Path:
    """A new repository, which is the current folder."""
    made = tmp_path / "mine"
    assert new("mine").code == 0
    monkeypatch.chdir(made)
    return made
