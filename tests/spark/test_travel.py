"""How a bundle reaches the workers, and what they say when they cannot use it."""

import sys

import pytest

import slipway.spark
from bundles import make_bundle
from slipway.errors import TableError
from slipway.model.predictor import Predictor
from slipway.problem import Problem, load_problem
from slipway.sources.spark_session import told
from slipway.spark import travel
from slipway.store.local import LocalStore

pytestmark = pytest.mark.spark


@pytest.fixture
def problem(tmp_path) -> Problem:
    make_bundle(LocalStore(tmp_path / "artifacts"), "regression")
    (tmp_path / "slipway.yaml").write_text("name: regression\nsource: table.csv\ntarget: charges\n")
    return load_problem(tmp_path / "slipway.yaml", environ={})


@pytest.fixture
def df(spark):
    return spark.createDataFrame([(30, 20.0, "no", "2020-01-01")], "age int, bmi double, smoker string, joined string")


def failure(df, problem: Problem) -> str:
    """The one line that it ends with."""
    with pytest.raises(TableError) as caught, told():
        slipway.spark.predict(df, problem).collect()
    says = str(caught.value)
    assert says.startswith("the Spark worker on ") and "\n" not in says and "Traceback" not in says
    return says


@pytest.fixture
def python(spark, tmp_path, monkeypatch):
    """Make the workers use a Python that finds this instead of Slipway."""

    def make(content: str) -> None:
        (tmp_path / "other" / "slipway").mkdir(parents=True)
        (tmp_path / "other" / "slipway" / "__init__.py").write_text(content)
        (tmp_path / "other" / "slipway" / "errors.py").write_text("class SlipwayError(Exception): ...\n")
        program = tmp_path / "python"
        program.write_text(f'#!/bin/sh\nPYTHONPATH={tmp_path}/other:$PYTHONPATH exec {sys.executable} "$@"\n')
        program.chmod(0o755)
        monkeypatch.setattr(spark.sparkContext, "pythonExec", str(program))

    return make


def test_a_worker_without_slipway_says_so(df, problem, python):
    python("raise ModuleNotFoundError('No module named slipway')")
    assert failure(df, problem).endswith(f"Slipway is not installed. Install slipway-ml=={slipway.__version__} there")


def test_a_worker_with_another_version_says_so(df, problem, python):
    python("__version__ = '0.0.9'")
    assert f"has slipway-ml 0.0.9, and the driver {slipway.__version__}. Install the same" in failure(df, problem)


def test_a_worker_with_another_onnx_runtime_says_so(df, problem, monkeypatch):
    monkeypatch.setattr("slipway.sources.spark_workers.version", lambda name: "1.0.0")
    assert "has onnxruntime " in (says := failure(df, problem)) and "and the driver 1.0.0" in says


def test_a_bundle_that_was_damaged_on_the_way_is_refused(df, problem, monkeypatch):
    def damaged(bundle) -> travel.Parcel:
        parcel = travel.parcel_of(bundle)
        content = bytearray(parcel.files["model.onnx"])
        content[len(content) // 2] ^= 1
        return travel.Parcel(parcel.digest, {**parcel.files, "model.onnx": bytes(content)})

    monkeypatch.setattr("slipway.spark.scoring_job.parcel_of", damaged)
    digest = slipway.load_champion(problem).digest
    says = f"bundle {digest[:12]} was damaged on the way (model.onnx: differs from the manifest (SHA-256)). Run it again"
    assert failure(df, problem).endswith(says)


def test_golden_predictions_are_replayed_on_the_workers(df, tmp_path, problem):
    store = LocalStore(tmp_path / "artifacts")
    bundle = store.champion()
    files = {name: bundle.read(name) for name in bundle.parts["serving"]}
    files["golden.json"] = files["golden.json"].replace(b'"prediction": ', b'"prediction": 1')
    other = store.add("regression", files)
    with pytest.raises(TableError, match=rf"bundle {other.digest[:12]}: golden prediction 1 differs"), told():
        slipway.spark.predict(df, problem, digest=other.digest).collect()


def test_what_judged_the_bundle_stays_at_home(problem):
    parcel = travel.parcel_of(LocalStore(problem.folder / "artifacts").champion())
    assert {"manifest.json", "serving.json", "model.json", "model.onnx"} <= parcel.files.keys()
    assert not {"twin.json", "twin.onnx", "judging.json"} & parcel.files.keys()


def test_a_process_verifies_and_replays_a_bundle_once(df, problem, monkeypatch):
    sent, replayed = [], []
    monkeypatch.setattr(type(df), "mapInArrow", lambda self, function, *more: sent.append(function))
    monkeypatch.setattr(Predictor, "replay", lambda self: replayed.append(self.digest))
    for _ in range(2):
        slipway.spark.predict(df, problem)
    for function in sent:
        (batch,) = function(df.toArrow().to_batches())
        assert batch.num_rows == 1
    assert len(replayed) == 1


def test_the_driver_runs_no_model(df, problem, monkeypatch):
    monkeypatch.setattr("slipway.model.runner._session", None)
    assert len(slipway.spark.predict(df, problem).collect()) == 1
