"""Models in a real MLflow: logged and registered on a server, loaded and served from there by MLflow's own code."""

import json
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pandas as pd
import pytest

from bundles import make_bundle
from conftest import absent, make_app
from databases import fresh
from many_rows import many_rows
from mlflow_server import DEADLINE, PROGRAM, call, program, serving, slipway
from slipway.export.mlflow_model import model_files, write_model
from slipway.problem import load_problem
from slipway.serving.factory import build
from slipway.store.local import LocalStore
from tables import grades
from tables import problem as trainable

pytestmark = pytest.mark.database
ROOT = Path(__file__).resolve().parents[2]
TASKS = ("regression", "binary", "multiclass")
COUNT = 2_000
OTHER = [[1.0], [2.0], [3.0], [4.0]]
# slipway export mlflow --register in each folder, one after the other, and the champion after each.
REGISTER = f"""
import os, sys
sys.path.insert(0, {str(ROOT / "src")!r})
from slipway.cli import main

for folder in sys.argv[1:]:
    os.chdir(folder)
    sys.argv = ["slipway", "export", "mlflow", "--register", "insurance"]
    main()
    from mlflow import MlflowClient
    print(MlflowClient().get_model_version_by_alias("insurance", "champion").version)
"""
ANSWERS = """
import json, sys
import mlflow, pandas as pd

with open("rows.json") as file:
    rows = json.load(file)
answers = {}
for address in sys.argv[1:]:
    model = mlflow.pyfunc.load_model(address)
    columns = model.metadata.get_input_schema()
    frame = pd.DataFrame(rows).astype(dict(zip(columns.input_names(), columns.pandas_types())))
    answers[address] = model.predict(frame).to_dict("records")
with open("answers.json", "w") as file:
    json.dump(answers, file)
"""


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    if not PROGRAM.exists():
        absent("MLflow: make engines installs it")


def served(folder: Path, backend: str):
    stores = ("--backend-store-uri", backend, "--artifacts-destination", str(folder / "artifacts"))
    return serving(folder, "server", *stores, "--workers", "1")


def of_service(client, rows: list) -> list[dict]:
    """The answers of /predict, flat as MLflow has them."""
    answers = client.post("/predict", json=rows).json["predictions"]
    return [
        {"prediction": each["prediction"]}
        | {f"probability_{label}": share for label, share in each.get("probabilities", {}).items()}
        for each in answers
    ]


def problem(folder: Path, task: str, **changes) -> str:
    """A problem with a champion, its MLflow model in `model`, and its digest."""
    folder.mkdir()
    (folder / "slipway.yaml").write_text(f"name: {task}\nsource: table.csv\ntarget: charges\n")
    bundle = make_bundle(LocalStore(folder / "artifacts"), task, **changes)
    write_model(model_files(bundle, load_problem(folder / "slipway.yaml", {})), folder / "model")
    return bundle.digest


def test_a_server_on_postgresql_keeps_a_digest_once_and_mlflow_loads_it_and_folders(tmp_path, postgres):
    """The alias follows the champion, from wherever it is registered, and goes back."""
    first, second = problem(tmp_path / "one", "regression"), problem(tmp_path / "two", "regression", weights=OTHER)
    problem(tmp_path / "again", "regression")
    others = [task for task in TASKS if task != "regression" and problem(tmp_path / task, task)]
    rows = many_rows(COUNT)
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    with fresh(postgres) as database, served(tmp_path, database.url) as address:
        folders = [str(tmp_path / name) for name in ("one", "two", "again")]
        said = call(tmp_path, REGISTER, *folders, MLFLOW_TRACKING_URI=address).splitlines()
        models = ["models:/insurance@champion", *(f"{task}/model" for task in others)]
        call(tmp_path, ANSWERS, *models, MLFLOW_TRACKING_URI=address)
    registered = [f"insurance version 1 is bundle {first[:12]}", "1", f"insurance version 2 is bundle {second[:12]}", "2"]
    assert said == [*registered, f"insurance version 1 is bundle {first[:12]} already", "1"]
    answers = json.loads((tmp_path / "answers.json").read_text())
    for model, task in zip(models, ("regression", *others)):
        assert answers[model] == of_service(make_app(tmp_path / f"app of {task}", task).test_client(), rows), task


def table(seed: int, rows: int = 300) -> pd.DataFrame:
    """Numbers, one of which may be missing, an integer, and one of two labels."""
    return grades(rows, seed).assign(age=[18 + number % 40 for number in range(rows)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("trainings")


@pytest.fixture(scope="module")
def address(folder) -> Iterator[str]:
    """A server on SQLite: it missed a training, mlflow run logged one there, and a push catches up."""
    there = folder / "server"
    there.mkdir()
    with served(there, f"sqlite:///{there / 'mlflow.db'}") as address:
        yield address


def test_a_silent_server_stops_no_training_and_mlflow_run_trains_in_its_own_run(folder, address):
    with socket.create_server(("127.0.0.1", 0)) as away:  # it never answers
        silent = f"http://127.0.0.1:{away.getsockname()[1]}"
        trainable(folder, table(seed=0), "grade", candidates=["linear"])
        missed = slipway(folder, "train", "--jobs", "1", MLFLOW_TRACKING_URI=silent)
    assert missed.returncode == 0 and "Verdict: promoted" in missed.stdout, missed.stderr
    assert "slipway push logs it later" in missed.stderr.splitlines()[-1]
    trainable(folder, table(seed=1), "grade", candidates=["linear"])
    (folder / "MLproject").write_text((ROOT / "MLproject").read_text())
    path = f"{program(folder)}{os.pathsep}{os.environ['PATH']}"
    environ = os.environ | {"PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_TRACKING_URI": address}
    command = [PROGRAM, "run", ".", "--env-manager", "local"]
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0 and f" in {address}, version 1 of trial\n" in done.stdout, done.stderr


def test_push_catches_up_once(folder, address):
    for new in ("1 new run", "0 new runs"):
        pushed = slipway(folder, "push", MLFLOW_TRACKING_URI=address)
        assert (pushed.returncode, pushed.stdout) == (0, f"MLflow: {new} in {address}.\n"), pushed.stderr
    experiments = ask(address, "experiments/search", {"max_results": 9})["experiments"]
    runs = ask(address, "runs/search", {"experiment_ids": [each["experiment_id"] for each in experiments]})["runs"]
    tags = [pairs(run["data"]["tags"]) for run in runs]
    noted = LocalStore(folder / "artifacts").journal.entries()
    assert sorted(each["slipway.judged"] for each in tags) == sorted(each["at"] for each in noted)
    assert [each["mlflow.project.entryPoint"] for each in tags if "mlflow.project.entryPoint" in each] == ["main"]
    assert sum(pairs(run["data"].get("params", [])).get("settings/candidates") == "linear" for run in runs) == 1
    seconds = {each["at"]: each["seconds"] for each in noted}
    for run, of in zip(runs, tags):
        lasted = run["info"]["end_time"] - run["info"]["start_time"]
        assert "mlflow.project.entryPoint" in of or lasted == round(1000 * seconds[of["slipway.judged"]]) > 0
        assert run["info"]["status"] == "FINISHED" and "roc_auc" in {each["key"] for each in run["data"]["metrics"]}
        of = {"run_id": run["info"]["run_id"]}
        curve = ask(address, "metrics/get-history", metric_key="learning_curve/roc_auc", **of)["metrics"]
        files = {each["path"] for each in ask(address, "artifacts/list", **of)["files"]}
        assert len(curve) > 1 and {"report.html", "card.md", "curves", "model", "verdict.json"} <= files
    version = ask(address, "registered-models/alias", name="trial", alias="champion")["model_version"]
    found = pairs(version["tags"])
    assert found["slipway.digest"] == LocalStore(folder / "artifacts").pointer().digest
    assert found["slipway.stage"] == "Production"


def test_mlflow_serves_the_champion_in_all_forms_as_the_service_does(folder, address):
    frame = table(seed=2, rows=COUNT).drop(columns="grade").apply(pd.to_numeric, errors="coerce")
    assert frame["z"].isna().any()
    rows = [{key: None if cell != cell else cell for key, cell in row.items()} for row in frame.to_dict("records")]
    expected = of_service(build(load_problem(folder / "slipway.yaml"), {}).test_client(), rows)
    names = list(rows[0])
    forms = {
        "dataframe_records": rows,
        "dataframe_split": {"columns": names, "data": [list(row.values()) for row in rows]},
        "instances": rows,
        "inputs": {name: [row[name] for row in rows] for name in names},
    }
    serve = ("models", "serve", "--env-manager", "local", "-m", "models:/trial@champion")
    with serving(folder, *serve, health="/ping", MLFLOW_TRACKING_URI=address) as model:
        for form, body in forms.items():
            assert post(model, json.dumps({form: body}).encode()) == (200, {"predictions": expected}), form
        assert post(model, frame.to_csv(index=False).encode(), "text/csv") == (200, {"predictions": expected})
        status, said = post(model, json.dumps({"dataframe_records": [rows[1] | {"age": 19.5}]}).encode())
        assert status == 400 and "row 1: age: has a fraction" in said["message"]


def ask(address: str, what: str, body: dict | None = None, **query: str) -> dict:
    """What MLflow's API answers."""
    data, kind = json.dumps(body).encode() if body else None, {"Content-Type": "application/json"}
    with urlopen(Request(f"{address}/api/2.0/mlflow/{what}?{urlencode(query)}", data, kind), timeout=DEADLINE) as answer:
        return json.load(answer)


def pairs(listed: list[dict]) -> dict[str, str]:
    return {each["key"]: each["value"] for each in listed}


def post(address: str, body: bytes, kind: str = "application/json") -> tuple[int, dict]:
    request = Request(f"{address}/invocations", body, {"Content-Type": kind})
    try:
        with urlopen(request, timeout=DEADLINE) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)
