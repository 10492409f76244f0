"""Where the locked requirements of the store's commands are: with the package, or at the top of its checkout."""

from pathlib import Path

import slipway
from slipway.release.workflow.requirements import store_requirements

ROOT = Path(__file__).resolve().parents[3]


def test_a_checkout_has_them_at_its_top_level():
    assert store_requirements() == ROOT / "requirements-release.txt"


def test_an_installed_package_brings_them(monkeypatch, tmp_path):
    packed = tmp_path / "slipway/project/locks/requirements-release.txt"
    packed.parent.mkdir(parents=True)
    packed.touch()
    monkeypatch.setattr(slipway, "__file__", str(tmp_path / "slipway/__init__.py"))
    assert store_requirements() == packed
