"""A folder to serve from, for the tests that start the server itself."""

from pathlib import Path

import pytest

from bundles import make_bundle
from slipway.store.local import LocalStore


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A problem with its champion."""
    folder = tmp_path_factory.mktemp("served")
    make_bundle(LocalStore(folder / "artifacts"), "regression")
    (folder / "slipway.yaml").write_text("name: regression\nsource: table.csv\ntarget: charges\n")
    return folder
