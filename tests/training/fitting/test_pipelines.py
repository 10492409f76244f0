"""Pipelines that a person brings as candidates: ``candidates: [boosting, own_models:make]``."""

import sys

import numpy as np
import pytest
from click.testing import CliRunner

from slipway.cli import slipway
from slipway.errors import ProblemError, TableError
from slipway.model.bundle import Bundle
from slipway.model.contents import model_of
from slipway.problem import load_problem
from slipway.serving.factory import build
from slipway.store.local import LocalStore
from slipway.table.schema import Field, Schema
from slipway.training.comparison.speed import ANSWER, GRAPH, HALVING, OUTPUT, Speed
from slipway.training.data.dataset import read
from slipway.training.fitting.candidates import CANDIDATES, Trial, find, trials
from slipway.training.fitting.pipelines import frame_of
from slipway.training.train import train
from tables import charges, grades, problem

OWN = """
from sklearn.compose import make_column_selector as chosen
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Lasso
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler, TargetEncoder
from sklearn.ensemble import GradientBoostingClassifier


def make():
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    columns = make_column_transformer((numbers, chosen(dtype_include="number")), (texts, chosen(dtype_exclude="number")))
    return make_pipeline(columns, Ridge())


def means():
    columns = make_column_transformer((TargetEncoder(), ["region", "smoker"]), remainder="passthrough")
    return make_pipeline(columns, SimpleImputer(), Ridge())


def classes():
    return make_pipeline(SimpleImputer(), GradientBoostingClassifier(n_estimators=5))


def unfilled():
    return make_pipeline(make_column_transformer(("passthrough", ["age", "bmi"])), Lasso())


def texts():
    return make_pipeline(SimpleImputer(), Lasso())


def nothing():
    return None


def broken():
    raise RuntimeError("no licence")
"""


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """What a test imports and registers is unknown to the next."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("own_models", None)
    for name in [name for name in CANDIDATES if ":" in name]:
        del CANDIDATES[name]


def asked(folder, name, frame=None, target="charges"):
    (folder / "own_models.py").write_text(OWN)
    return problem(folder, charges() if frame is None else frame, target, candidates=[f"own_models:{name}"])


def test_it_is_compared_exported_and_served_beside_our_own(tmp_path, monkeypatch):
    """In two processes, which have to find the module too; the target is a sum, so its linear model wins."""
    (tmp_path / "own_models.py").write_text(OWN)
    problem(tmp_path, charges(160), "charges", candidates=["boosting", "own_models:make"])
    monkeypatch.chdir(tmp_path)
    made = CliRunner().invoke(slipway, ["train", "--jobs", "2"])
    assert made.exit_code == 0, made.output
    champion = LocalStore(tmp_path / "artifacts").champion()
    assert {each["candidate"] for each in champion.json("metrics.json")["leaderboard"]} >= {"boosting", "own_models:make"}
    assert "own_models:make" in [each.candidate for each in model_of(champion).members]
    answer = (
        build(load_problem("slipway.yaml", environ={}), {})
        .test_client()
        .post("/predict", json={"age": 30, "bmi": 25.5, "smoker": "yes", "region": "north"})
    )
    assert answer.status_code == 200 and 25_000 < answer.json["prediction"] < 30_000


def test_means_of_levels_are_learned_from_other_rows(tmp_path):
    """As scikit-learn's pipelines do; the same table gives the same bundle."""
    digests = {train(asked(tmp_path, "means"), LocalStore(tmp_path / each), jobs=1).bundle.digest for each in "ab"}
    assert len(digests) == 1
    bundle: Bundle = LocalStore(tmp_path / "a").bundle(*digests)
    (member,) = model_of(bundle).members
    assert [each.kind for each in member.encoding.outputs] == ["mean", "mean", "value", "value"]


def test_classes(tmp_path):
    """And the estimate of a row's time counts a tree for each class."""
    outcome = train(asked(tmp_path, "classes", grades(classes=3), "grade"), LocalStore(tmp_path / "artifacts"), jobs=1)
    assert [each.link for each in model_of(outcome.bundle).members] == ["softmax"]
    rows = read(asked(tmp_path, "classes", grades(classes=3), "grade")).learned
    made = Trial("own_models:classes", {})
    per_tree = HALVING * np.log2(made.trees(len(rows.y))[1])
    assert Speed(rows).microseconds(made) == pytest.approx(ANSWER + GRAPH + 3 * OUTPUT + 3 * 5 * per_tree)


@pytest.mark.parametrize(
    "name, says",
    [
        ("own_models:absent", "own_models:absent cannot be imported.*beside slipway.yaml"),
        ("own_model:make", "own_model:make cannot be imported .*No module named 'own_model'"),
        ("own_models:nothing", "own_models:nothing returned a NoneType. Return a scikit-learn pipeline"),
        ("own_models:broken", r"own_models:broken failed \(RuntimeError: no licence\)"),
    ],
)
def test_a_function_that_gives_no_pipeline_is_named(tmp_path, name, says):
    (tmp_path / "own_models.py").write_text(OWN)
    given = problem(tmp_path, charges(), "charges", candidates=[name])
    with pytest.raises(ProblemError, match=says):
        find(given)


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    "name, says",
    [
        ("unfilled", "the candidate own_models:unfilled cannot be fitted: Input X contains NaN"),
        ("texts", "the step SimpleImputer failed: Cannot use mean strategy with non-numeric data"),
        ("classes", "the estimator GradientBoostingClassifier predicts classes, but the target has numbers"),
    ],
)
def test_a_pipeline_that_fails_is_an_error_with_its_name(tmp_path, name, says, jobs):
    frame = charges()[["age", "bmi", "charges"]] if name == "classes" else charges()
    with pytest.raises(TableError, match=says):
        train(asked(tmp_path, name, frame), LocalStore(tmp_path / "artifacts"), jobs=jobs)


def test_an_edited_function_is_asked_again(tmp_path):
    """In a notebook the module is loaded already."""
    given = asked(tmp_path, "make")
    find(given)
    module = tmp_path / "own_models.py"
    module.write_text(module.read_text().replace("def make():", "def make():\n    return Lasso()\n\n\ndef old():"))
    find(given)
    assert type(CANDIDATES["own_models:make"].estimator("regression", {}, 0, None)).__name__ == "Lasso"
    assert [np.isfinite(each.trees(100)[0]) for each in trials(given.candidates, 4, "regression", 0, False)] == [True]


def test_each_problem_has_its_own_module(tmp_path):
    """Two folders, one process, one name: a notebook that trains both."""
    for name in ("Ridge", "Lasso"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "own_twice.py").write_text(
            f"from sklearn.linear_model import {name}\n\n\ndef make():\n    return {name}()\n"
        )
        asked = problem(folder, charges(60), "charges", candidates=["own_twice:make"])
        find(asked)
        made = CANDIDATES["own_twice:make"].estimator("regression", {}, 0, None)
        assert type(made).__name__ == name


@pytest.mark.parametrize(
    "levels, read",
    [
        (("0", "12", "-3"), [0, 12, -3]),
        (("01", "2"), ["01", "2"]),
        (("²", "1"), ["²", "1"]),
        (("9" * 5_000, "1"), ["9" * 5_000, "1"]),
        (("False", "True"), [False, True]),
    ],
)
def test_levels_are_given_as_pandas_reads_them(levels, read):
    schema = Schema((Field("size", "category", levels=levels),))
    assert frame_of(schema, {"size": np.arange(len(levels))})["size"].tolist() == read
