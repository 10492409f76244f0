"""A bundle as an MLflow model: what its files say, and that they answer as the service does without an installed Slipway."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import yaml

from bundles import ROWS, make_bundle
from conftest import make_app
from many_rows import many_rows
from slipway.errors import BundleError, StoreError, TableError
from slipway.export.mlflow_model import model_files, write_model
from slipway.model.exported import Exported, FramePredictor
from slipway.problem import read_problem
from slipway.store.local import LocalStore

TASKS = ("regression", "binary", "multiclass")
COUNT = 2_000
LOAD = """
import json, sys, types
from pathlib import Path
from types import SimpleNamespace
import pandas as pd

pyfunc, models = types.ModuleType("mlflow.pyfunc"), types.ModuleType("mlflow.models")  # what MLflow is to the code
pyfunc.PythonModel, made = type("PythonModel", (), {}), []
models.set_model = made.append
mlflow, exceptions, errors = (types.ModuleType(name) for name in ("mlflow", "mlflow.exceptions", "databricks_pb2"))
mlflow.pyfunc, mlflow.models, exceptions.MlflowException, errors.INVALID_PARAMETER_VALUE = pyfunc, models, Exception, 0
sys.modules.update({"mlflow": mlflow, "mlflow.pyfunc": pyfunc, "mlflow.models": models, "mlflow.exceptions": exceptions})
sys.modules["mlflow.protos.databricks_pb2"] = errors

sys.path.insert(0, str(Path(sys.argv[1], "code")))  # the same in each of them
rows, answers = pd.DataFrame(json.load(sys.stdin)), []
for folder in map(Path, sys.argv[1:]):
    exec((folder / "model_code.py").read_text())
    model = made.pop()
    artifacts = {"bundle": str(folder / "artifacts" / "bundle"), "answering": str(folder / "artifacts" / "answering.json")}
    model.load_context(SimpleNamespace(artifacts=artifacts))
    answers.append(model.predict(None, rows).to_dict("records"))
import slipway
assert Path(slipway.__file__).is_relative_to(sys.argv[1]), slipway.__file__
print(json.dumps(answers))
"""


def problem_of(task: str, folder: Path, more: str = ""):
    return read_problem(f"name: {task}\nsource: table.csv\ntarget: charges\n{more}", folder / "slipway.yaml", {})


def exported(task: str, folder: Path, more: str = "") -> Path:
    """The folder of the MLflow model of a small bundle."""
    bundle = make_bundle(LocalStore(folder / "artifacts"), task)
    write_model(model_files(bundle, problem_of(task, folder, more)), folder / "model")
    return folder / "model"


def of_service(client, rows: list) -> list[dict]:
    """The answers of /predict, flat as MLflow has them."""
    answer = client.post("/predict", json=rows)
    assert answer.status_code == 200, answer.text
    return [
        {"prediction": each["prediction"]}
        | {f"probability_{label}": share for label, share in each.get("probabilities", {}).items()}
        for each in answer.json["predictions"]
    ]


def test_the_code_in_the_model_answers_as_the_service_to_the_last_bit(tmp_path):
    rows = many_rows(COUNT)
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", LOAD, *(exported(task, tmp_path / task) for task in TASKS)],
        input=json.dumps(rows),
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    for task, answers in zip(TASKS, json.loads(done.stdout), strict=True):
        assert answers == of_service(make_app(tmp_path / f"app of {task}", task).test_client(), rows), task


def test_the_files_are_code_and_plain_data_and_name_no_place_of_this_machine(tmp_path):
    model = exported("binary", tmp_path)
    paths = [path for path in model.rglob("*") if path.is_file()]
    assert {path.suffix for path in paths} == {"", ".py", ".json", ".yaml", ".txt", ".md", ".html", ".onnx"}
    assert not [path for path in paths if str(tmp_path).encode() in path.read_bytes()]
    described = yaml.safe_load((model / "MLmodel").read_text())
    flavor = described["flavors"]["python_function"]
    assert flavor["loader_module"] == "mlflow.pyfunc.loaders.code_model"
    named = [flavor["model_code_path"], flavor["code"], *flavor["env"].values()]
    named += [each[key] for each in flavor["artifacts"].values() for key in ("path", "uri")]
    assert all((model / name).exists() for name in named)


def test_the_signature_says_what_is_asked_and_answered(tmp_path):
    signature = yaml.safe_load((exported("binary", tmp_path) / "MLmodel").read_text())["signature"]
    asked = [(each["name"], each["type"], each["required"]) for each in json.loads(signature["inputs"])]
    assert asked == [
        ("age", "double", True),
        ("bmi", "double", False),
        ("smoker", "string", True),
        ("joined", "string", True),
    ]
    answered = {each["name"]: each["type"] for each in json.loads(signature["outputs"])}
    assert answered == {"prediction": "string", "probability_N": "double", "probability_Y": "double"}


def test_the_same_bundle_gives_the_same_files(tmp_path):
    bundle = make_bundle(LocalStore(tmp_path / "artifacts"), "binary")
    problem = problem_of("binary", tmp_path)
    assert model_files(bundle, problem) == model_files(bundle, problem)


def test_no_part_that_judged_is_in_the_model(tmp_path):
    names = {path.name for path in (exported("binary", tmp_path) / "artifacts" / "bundle").iterdir()}
    assert {"manifest.json", "serving.json", "model.onnx"} <= names
    assert not {"twin.json", "judging.json"} & names


def predictor_of(model: Path) -> FramePredictor:
    import msgspec

    said = msgspec.json.decode((model / "artifacts" / "answering.json").read_bytes(), type=Exported)
    return FramePredictor(model / "artifacts" / "bundle", said)


def test_rows_that_the_service_refuses_are_refused(tmp_path):
    predictor = predictor_of(exported("regression", tmp_path))
    wrong = [ROWS[0], ROWS[0] | {"age": 19.5}, ROWS[0] | {"smoker": "often"}]
    with pytest.raises(TableError, match="2 rows cannot be answered: row 2: age: has a fraction.*; row 3: smoker: .*no"):
        predictor.predict(pd.DataFrame(wrong))
    with pytest.raises(TableError, match="age"):
        predictor.predict(pd.DataFrame(ROWS).drop(columns="age"))


def test_a_column_that_may_be_missing_may_be_absent(tmp_path):
    predictor = predictor_of(exported("regression", tmp_path))
    without = pd.DataFrame(ROWS).drop(columns="bmi")
    assert predictor.predict(without) == predictor.predict(pd.DataFrame(ROWS).assign(bmi=None))


def test_the_policies_of_the_problem_travel_with_the_model(tmp_path):
    more = "serving: {unknown_levels: warn}\nlimits: {age: [18, 200]}\nmissing: {bmi: [none]}\n"
    predictor = predictor_of(exported("regression", tmp_path, more))
    row = ROWS[0] | {"smoker": "often", "age": 190, "bmi": "none"}
    assert len(predictor.predict(pd.DataFrame([row]))["prediction"]) == 1


def test_a_model_with_another_byte_is_not_loaded(tmp_path):
    model = exported("regression", tmp_path)
    file = model / "artifacts" / "bundle" / "model.onnx"
    file.write_bytes(file.read_bytes()[:-1] + b"?")
    with pytest.raises(BundleError, match="model.onnx"):
        predictor_of(model)


@pytest.mark.parametrize("there", ["file", "folder"])
def test_what_is_there_is_never_overwritten(tmp_path, there):
    target = tmp_path / "model"
    if there == "file":
        target.write_text("mine")
    else:
        target.mkdir()
        (target / "mine").write_text("mine")
    with pytest.raises(StoreError, match="not an empty folder. Name another folder"):
        write_model({"MLmodel": b""}, target)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["model" if there == "file" else "mine"]


def test_a_folder_that_cannot_be_written_is_told_and_nothing_stays(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be written"):
        write_model({"MLmodel": b""}, tmp_path / "file" / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_command_writes_the_champion_or_a_named_bundle(tmp_path, run, monkeypatch):
    first = make_bundle(LocalStore(tmp_path / "artifacts"), "regression", promote=False)
    champion = make_bundle(LocalStore(tmp_path / "artifacts"), "regression", weights=[[1.0], [2.0], [3.0], [4.0]])
    (tmp_path / "slipway.yaml").write_text("name: regression\nsource: table.csv\ntarget: charges\n")
    monkeypatch.chdir(tmp_path)
    for digest, options in ((champion.digest, ()), (first.digest, ("--bundle", first.digest[:8]))):
        target = Path("build", digest[:6])
        done = run("export", "mlflow", target, *options)
        serve = f"mlflow models serve --env-manager local -m {target}"  # MLflow's own default needs pyenv
        assert (done.code, done.out) == (0, f"{digest[:12]} is in {target}: {serve}\n"), done.err
        assert yaml.safe_load((target / "MLmodel").read_text())["metadata"]["slipway_digest"] == digest
    assert "mlflow" not in sys.modules
    assert run("export", "mlflow").code == 2
