"""A fitted pipeline from a file as a bundle."""

import pickle
import sys
from io import StringIO

import joblib
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import make_column_selector as chosen
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler

from slipway.cli import slipway
from slipway.errors import BundleError, TableError
from slipway.model.contents import metrics_of, model_of
from slipway.model.predictor import Predictor
from slipway.problem import load_problem
from slipway.serving.factory import build
from slipway.store.local import LocalStore
from slipway.table.cells import read_columns
from slipway.training.fitting.candidates import CANDIDATES
from slipway.training.imported import import_model
from slipway.training.pickled import Pickled, read_pickled
from slipway.training.train import train
from tables import charges, grades, problem

TEXTS = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
COLUMNS = make_column_transformer(
    (make_pipeline(SimpleImputer(), StandardScaler()), chosen(dtype_include="number")), (TEXTS, chosen(dtype_exclude="number"))
)


class TransformerWrapper(BaseEstimator, TransformerMixin):
    """Shaped like PyCaret's: a step for some columns of a frame, which keep their names."""

    def __init__(self, transformer, include=None, exclude=None):
        self.transformer, self.include, self.exclude = transformer, include, exclude
        self._include, self._exclude = include, exclude or []

    def fit(self, X, y=None):
        self.feature_names_in_ = [*X.columns, *([y.name] if hasattr(y, "name") else [])]
        self.transformer.fit(X[self._include], y)
        return self

    def transform(self, X):
        made = self.transformer.set_output(transform="pandas").transform(X[self._include])
        parts = [
            made[[c for c in made if c == name or c.startswith(f"{name}_")]] if name in self._include else X[[name]]
            for name in X
        ]
        return pd.concat(parts, axis=1)


class Stubborn(Ridge):
    """Cannot be fitted again."""

    def fit(self, X, y):
        raise RuntimeError("never")


class Licensed(Ridge):
    """Cannot be cloned: get_params is not that of scikit-learn."""

    def get_params(self, deep=True):
        raise RuntimeError("no licence on this host")


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    CANDIDATES.pop("imported", None)


def as_read(frame):
    """A table as pandas reads it from its file."""
    return pd.read_csv(StringIO(frame.to_csv(index=False)))


def fitted(estimator, frame=None, target="charges", steps=COLUMNS):
    frame = as_read(charges(seed=5) if frame is None else frame)
    return make_pipeline(clone(steps), estimator).fit(frame.drop(columns=target), frame[target])


def imported(folder, pipeline, frame=None, target="charges", **settings):
    given = problem(folder, charges() if frame is None else frame, target, **settings)
    return import_model(given, Pickled(pipeline, ()), LocalStore(folder / "artifacts"))


def answers(outcome, frame):
    predictor = Predictor(outcome.bundle)
    return predictor.scores(read_columns(frame, predictor.schema))


@pytest.mark.parametrize(
    "estimator", [Ridge(), GradientBoostingRegressor(n_estimators=20), HistGradientBoostingRegressor()], ids=str
)
def test_what_is_served_answers_as_the_pipeline_and_a_clone_judges_it(tmp_path, estimator):
    pipeline, frame = fitted(estimator), charges()
    outcome = imported(tmp_path, pipeline, frame)
    assert outcome.verdict.promoted
    expected = pipeline.predict(as_read(frame).drop(columns="charges"))
    np.testing.assert_allclose(answers(outcome, frame), expected, rtol=1e-5)
    twin = Predictor(outcome.bundle.twin())
    assert not np.allclose(twin.scores(read_columns(frame, twin.schema)), expected, rtol=1e-5), "fitted to other rows"
    (member,) = model_of(outcome.bundle).members
    assert (member.candidate, member.settings) == ("imported", {"estimator": type(estimator).__name__})
    (note,) = [each for each in metrics_of(outcome.bundle).notes if "imported" in each]
    assert "the rows that it learned from are unknown, and all figures are those of a clone that learned from 1" in note


@pytest.mark.parametrize("labels", [("no", "yes"), ("high", "low"), (0, 1)])
def test_classes_keep_the_order_that_the_pipeline_has(tmp_path, labels):
    frame = grades()
    frame["grade"] = np.where(frame["grade"] == "high", *labels[::-1]).astype(str)
    frame["z"] = frame["z"].replace("?", "")
    outcome = imported(tmp_path, fitted(LogisticRegression(), frame, "grade"), frame, "grade")
    pipeline = fitted(LogisticRegression(), frame, "grade")
    assert model_of(outcome.bundle).classes == tuple(map(str, labels))
    np.testing.assert_allclose(
        answers(outcome, frame), pipeline.predict_proba(as_read(frame).drop(columns="grade"))[:, 1], rtol=1e-5
    )


def test_columns_that_it_does_not_read_are_no_fields(tmp_path):
    pipeline = fitted(Ridge(), charges(seed=5)[["bmi", "smoker", "age", "charges"]])
    outcome = imported(tmp_path, pipeline)
    assert Predictor(outcome.bundle).schema.names == ("age", "bmi", "smoker")


def test_a_numpy_pipeline_takes_the_columns_as_the_table_has_them(tmp_path):
    frame = grades().assign(z="1")[["x", "y", "grade"]]
    given = as_read(frame)
    pipeline = LogisticRegression().fit(given[["x", "y"]].to_numpy(), given["grade"])
    outcome = imported(tmp_path, pipeline, frame, "grade", positive="low")
    assert np.isfinite(answers(outcome, frame)).all()


@pytest.mark.parametrize("kind, says", [(Stubborn, "never"), (Licensed, "no licence")])
def test_without_a_clone_it_is_not_judged_and_enters_by_promote_alone(tmp_path, kind, says):
    pipeline = fitted(Ridge())
    last = pipeline.steps[-1][1]
    own = kind()
    own.__dict__.update(last.__dict__)
    pipeline.steps[-1] = (pipeline.steps[-1][0], own)
    outcome = imported(tmp_path, pipeline)
    assert outcome.verdict.outcome == "kept"
    assert says in outcome.verdict.reasons[0] and outcome.verdict.reasons[0].startswith("it was not judged: a clone cannot")
    assert outcome.verdict.reasons[1].endswith(f"slipway promote {outcome.bundle.digest[:12]}")
    notes = " ".join(metrics_of(outcome.bundle).notes)
    assert "a clone that learned" not in notes
    assert "this model was not judged" in notes and "rows that it may have learned from" in notes
    with pytest.raises(BundleError, match="was not judged"):
        outcome.bundle.twin()
    assert not outcome.bundle.has("evaluation.json")
    store = LocalStore(tmp_path / "artifacts")
    store.promote(outcome.bundle, "promote", "promoted by hand")
    pages = build(load_problem(tmp_path / "slipway.yaml", environ={}), {}).test_client()
    assert "was not judged" in pages.get("/report").text and "was not judged" in pages.get("/model").text
    later = train(problem(tmp_path, charges(), "charges", candidates=["linear"]), store, jobs=1)
    assert "they cannot be compared" in later.verdict.reasons[0] and "was not judged" in later.verdict.reasons[0]


def test_a_clone_that_is_another_model_does_not_judge(tmp_path):
    frame = as_read(charges(seed=5))
    pipeline = make_pipeline(clone(COLUMNS), Ridge()).fit(frame.drop(columns="charges"), -frame["charges"])
    outcome = imported(tmp_path, pipeline)
    assert "its clone is another model" in outcome.verdict.reasons[0]


def test_a_pipeline_as_pycaret_saves_it(tmp_path):
    """A stand-in of the same shape; PyCaret itself is not needed."""
    unknown = {"handle_unknown": "use_encoded_value", "unknown_value": -1}
    steps = [
        ("numerical_imputer", TransformerWrapper(SimpleImputer(), include=["age", "bmi"])),
        ("categorical_imputer", TransformerWrapper(SimpleImputer(strategy="most_frequent"), include=["smoker", "region"])),
        ("ordinal_encoding", TransformerWrapper(OrdinalEncoder(**unknown), include=["smoker"])),
        ("onehot", TransformerWrapper(OneHotEncoder(handle_unknown="ignore", sparse_output=False), include=["region"])),
        ("normalize", TransformerWrapper(StandardScaler(), include=["age", "bmi"])),
        ("actual_estimator", Ridge()),
    ]
    frame, learned = charges(), as_read(charges(seed=5))
    pipeline = Pipeline(steps).fit(learned.drop(columns="charges"), learned["charges"])
    outcome = imported(tmp_path, pipeline, frame)
    assert outcome.verdict.promoted
    np.testing.assert_allclose(answers(outcome, frame), pipeline.predict(as_read(frame).drop(columns="charges")), rtol=1e-5)


@pytest.mark.parametrize(
    "pipeline, says",
    [
        (lambda: fitted(Ridge(), steps=make_pipeline(COLUMNS, PCA(3))), "the step PCA cannot be exported"),
        (lambda: fitted(Ridge(), charges().assign(height="1")), "reads the column 'height', which the table does not have"),
        (lambda: make_pipeline(COLUMNS, LogisticRegression()), "the pipeline is not fitted. To fit it here"),
        (lambda: make_pipeline(COLUMNS, KNeighborsRegressor()), "the estimator KNeighborsRegressor cannot be exported"),
        (
            lambda: fitted(LogisticRegression(), charges().assign(charges=["a", "b", "c"] * 80)),
            "answers a, b, c, but the target is numbers",
        ),
    ],
)
def test_what_does_not_fit_is_named(tmp_path, pipeline, says):
    with pytest.raises(TableError, match=says):
        imported(tmp_path, pipeline())


def test_a_module_that_is_absent_is_named(tmp_path):
    path = tmp_path / "model.pkl"
    path.write_bytes(b"cabsent_library\nModel\n.")
    with pytest.raises(BundleError, match="needs the module absent_library, which is not here. Install it"):
        read_pickled(path, tmp_path)


@pytest.mark.parametrize(
    "content, says",
    [
        (b"csklearn.linear_model\nNothing\n.", "Nothing.*notebook"),
        (b"no pickle", "cannot be loaded"),
        (pickle.dumps([1]), "a list is no model"),
    ],
)
def test_a_file_that_is_no_model_is_named(tmp_path, content, says):
    path = tmp_path / "model.pkl"
    path.write_bytes(content)
    with pytest.raises(BundleError, match=says):
        read_pickled(path, tmp_path)


def test_another_version_of_scikit_learn_is_told(tmp_path):
    path = tmp_path / "model.pkl"
    estimator = Ridge()
    state = estimator.__getstate__() | {"_sklearn_version": "1.2.1"}
    estimator.__class__.__getstate__, before = lambda self: state, estimator.__class__.__getstate__
    try:
        path.write_bytes(pickle.dumps(estimator))
    finally:
        estimator.__class__.__getstate__ = before
    (remark,) = read_pickled(path, tmp_path).remarks
    assert "written with scikit-learn 1.2.1" in remark


def test_the_command_asks_for_trust_and_takes_another_table(tmp_path, monkeypatch):
    problem(tmp_path, charges(), "charges")
    (tmp_path / "table.csv").unlink()
    charges(seed=3).to_csv(tmp_path / "sample.csv", index=False)
    joblib.dump(fitted(Ridge()), tmp_path / "model.joblib")
    monkeypatch.chdir(tmp_path)
    refused = CliRunner().invoke(slipway, ["import", "model.joblib", "--data", "sample.csv"])
    assert refused.exit_code == 2 and "can run any program" in refused.output and "--trust" in refused.output
    made = CliRunner().invoke(slipway, ["import", "model.joblib", "--data", "sample.csv", "--trust"])
    assert made.exit_code == 0, made.output
    assert "imported" in made.output and "Verdict: promoted" in made.output
    client = build(load_problem("slipway.yaml", environ={}), {}).test_client()
    answer = client.post("/predict", json={"age": 30, "bmi": 25.5, "smoker": "yes", "region": "north"})
    assert 25_000 < answer.json["prediction"] < 30_000
