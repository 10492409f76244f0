"""What `slipway train --if-changed` compares."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

import slipway
from bundles import make_bundle
from slipway.problem import Problem
from slipway.store.local import LocalStore
from slipway.training.inputs import fingerprint, reason
from tables import charges, problem

PACKAGE = Path(slipway.__file__).parent
MODULES = {
    "training/verdict/gate.py": True,
    "sources/csv.py": True,
    "schema.py": True,
    "training/release/new.py": True,
    "serving/api.py": False,
    "cli/train.py": False,
    "release/key.py": False,
    "doctor/store.py": False,
    "batch/run.py": False,
}


@pytest.fixture
def trial(tmp_path) -> Problem:
    return problem(tmp_path, charges(20), "charges", source=["table.csv"])


@pytest.mark.parametrize("above", ["code", "batch", "cli", "release", "serving"])
def test_code_that_training_uses_matters_wherever_the_checkout_is(trial, tmp_path, monkeypatch, above):
    package = tmp_path / above / "slipway"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", "static", "templates"))
    monkeypatch.setattr(slipway, "__file__", str(package / "__init__.py"))
    for module, matters in MODULES.items():
        before = fingerprint(trial)
        (package / module).parent.mkdir(exist_ok=True)
        with (package / module).open("a") as file:
            file.write("# changed\n")
        assert (fingerprint(trial) != before) == matters, module


@pytest.mark.parametrize(
    "change, matters",
    [
        (lambda trial: replace(trial, seed=1), True),
        (lambda trial: replace(trial, missing={"*": ("gone",)}), True),
        (lambda trial: replace(trial, search=replace(trial.search, trials=2)), True),
        (lambda trial: replace(trial, fetch=("other",)), False),
        (lambda trial: replace(trial, remote="s3://other/place"), False),
        (lambda trial: replace(trial, serving=replace(trial.serving, max_rows=1)), False),
        (lambda trial: replace(trial, data=replace(trial.data, keep=0)), False),
        (lambda trial: replace(trial, limits={"age": (0.0, 120.0)}), False),
    ],
    ids=["seed", "missing", "search", "fetch", "remote", "serving", "data", "limits"],
)
def test_settings_matter_when_training_asks_for_them(trial, change, matters):
    assert (fingerprint(change(trial)) != fingerprint(trial)) == matters


def rewritten(table: Path) -> None:
    content = table.read_bytes()
    table.unlink()
    table.write_bytes(content)


def moved(table: Path) -> None:
    table.write_bytes(table.read_bytes().replace(b"north", b"NORTH"))


@pytest.mark.parametrize("change, matters", [(rewritten, False), (moved, True)])
def test_a_table_matters_by_its_bytes(trial, change: Callable[[Path], None], matters):
    before = fingerprint(trial)
    change(trial.folder / "table.csv")
    assert (fingerprint(trial) != before) == matters


def test_a_library_of_another_version_matters(trial, monkeypatch):
    before = fingerprint(trial)
    monkeypatch.setattr("slipway.training.inputs.version", lambda name: "0.0")
    assert fingerprint(trial) != before


def test_a_collection_cannot_tell(trial):
    assert fingerprint(replace(trial, source=("mongodb",))) is None


@pytest.fixture
def store(trial) -> LocalStore:
    """The last training started from what is here, and its bundle is the champion."""
    store = LocalStore(trial.folder / "artifacts")
    make_bundle(store, "regression")
    store.journal.append({"event": "verdict", "digest": store.pointer().digest, "inputs": fingerprint(trial)})
    return store


def test_there_is_no_reason_to_train_twice(trial, store):
    assert reason(store, fingerprint(trial)) == ""


def test_what_changed_is_named(trial, store, monkeypatch):
    moved(trial.folder / "table.csv")
    assert reason(store, fingerprint(trial)) == "changed since the last training: data"
    monkeypatch.setattr("slipway.training.inputs.version", lambda name: "0.0")
    (trial.folder / "mine.py").write_text("def make(): ...\n")
    again = fingerprint(replace(trial, candidates=("mine:make",)))
    assert reason(store, again) == "changed since the last training: candidates of your own, data, libraries, settings"


def test_what_is_missing_is_named(trial, store):
    inputs = fingerprint(trial)
    assert reason(LocalStore(trial.folder / "other"), inputs) == "nothing was trained here yet"
    shutil.rmtree(store.bundles / store.pointer().digest)
    assert store.pointer().digest[:12] in reason(store, inputs)
    store.journal.append({"event": "verdict", "digest": store.pointer().digest, "inputs": None})
    assert reason(store, inputs) == "the inputs of the last training are not recorded"
