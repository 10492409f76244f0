"""A folder to serve from, for the tests that start the server itself; and both ways to a prediction."""

from pathlib import Path

import pytest

from bundles import make_bundle
from slipway.store.local import LocalStore

BOTH_WAYS = {
    "test_access",
    "test_api",
    "test_api_intervals",
    "test_counters",
    "test_headers",
    "test_keys",
    "test_prefix",
    "test_recorder",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A problem with its champion."""
    folder = tmp_path_factory.mktemp("served")
    make_bundle(LocalStore(folder / "artifacts"), "regression")
    (folder / "slipway.yaml").write_text("name: regression\nsource: table.csv\ntarget: charges\n")
    return folder


@pytest.fixture(autouse=True)
def way(request, monkeypatch) -> None:
    """How the apps of a test answer ``POST /predict``."""
    if getattr(request, "param", "shortcut") == "route":
        monkeypatch.setattr("slipway.serving.shortcut.install", lambda app: None)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What calls ``POST /predict`` does so in front of Flask, and by Flask's route."""
    if metafunc.module.__name__.rpartition(".")[2] in BOTH_WAYS:
        metafunc.parametrize("way", ["shortcut", "route"], indirect=True)
