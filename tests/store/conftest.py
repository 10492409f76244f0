"""A store with a bundle, and one that has none yet."""

import pytest

from slipway.store.local import LocalStore
from transfers import FILES, JUDGING


@pytest.fixture
def store(tmp_path) -> LocalStore:
    """Where it was trained."""
    made = LocalStore(tmp_path / "here")
    made.add("trial", FILES, JUDGING)
    return made


@pytest.fixture
def clone(tmp_path) -> LocalStore:
    """Another machine."""
    return LocalStore(tmp_path / "there")
