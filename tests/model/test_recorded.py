"""Bundles that earlier versions wrote stay readable: see tests/recordings.py."""

import shutil

import pytest

from recordings import TABLES, recorded
from slipway.model.bundle import FORMAT, Bundle, read_bundle
from slipway.model.changes import replayed
from slipway.model.predictor import Predictor
from slipway.problem import load_problem
from slipway.release.image.labels import labels
from slipway.serving.factory import build
from slipway.store.local import LocalStore
from slipway.store.pointer import Pointer
from slipway.training.verdict.champion import Champions


@pytest.fixture(params=[(number, task) for number in range(1, FORMAT + 1) for task in TABLES], ids=str)
def bundle(request) -> Bundle:
    folder = recorded(*request.param)
    return read_bundle(folder, folder.name)


@pytest.fixture
def store(bundle, tmp_path) -> LocalStore:
    """Where it is the champion."""
    store = LocalStore(tmp_path / "artifacts")
    shutil.copytree(bundle.folder, store.bundles / bundle.digest)
    store.point(Pointer(bundle.digest, bundle.problem, {}))
    return store


def test_it_answers_as_it_did(bundle):
    predictor = Predictor(bundle)
    predictor.replay()
    assert (predictor.task, replayed(bundle)["changed"]) == (bundle.problem, 0)
    assert replayed(bundle)["rows"] > 1


def test_its_graph_tells_whether_it_has_trees(bundle):
    assert Predictor(bundle).has_trees == (TABLES[bundle.problem][2] == "boosting")


def test_it_is_served(bundle, store, tmp_path):
    problem = tmp_path / "slipway.yaml"
    problem.write_text(f"name: {bundle.problem}\nsource: table.csv\ntarget: charges\n")
    client = build(load_problem(problem, environ={}), {}).test_client()
    for path in ("/readyz", "/", "/model", "/report", "/report.html", "/apispec.json"):
        assert client.get(path).status_code == 200, path
    row = bundle.json("golden.json")["rows"][0]
    assert client.post("/predict", json=row).status_code == 200


def test_it_is_labelled_and_met_by_a_challenger(bundle, store):
    assert labels(store)["slipway.bundle"] == bundle.digest
    assert Champions(store).columns_needed() >= set(bundle.json("golden.json")["rows"][0])


def test_a_challenger_meets_its_twin(bundle, store):
    """In format 1 that is the bundle itself."""
    champion = Champions(store).load(store.pointer())
    held_out = (champion.predictor.model.rows.training, champion.twin.model.rows.training)
    assert (held_out[0] > held_out[1]) == (champion.twin is not champion.predictor) == ("judging" in bundle.parts)
