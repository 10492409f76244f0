"""Models in a real MLflow: registered on a server, loaded and served from there by MLflow's own code."""

import json
import os
import socket
import subprocess
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from bundles import ROWS, make_bundle
from conftest import absent
from databases import fresh
from many_rows import many_rows
from mlflow_server import DEADLINE, PROGRAM, call, program, serving, slipway
from slipway.problem import load_problem
from slipway.serving.factory import build
from slipway.store.local import LocalStore
from tables import charges
from tables import problem as trainable

pytestmark = pytest.mark.database
ROOT = Path(__file__).resolve().parents[2]
TASKS = ("regression", "binary", "multiclass")
COUNT = 2_000
SERVE = ("models", "serve", "--env-manager", "local", "-m")
SLIPWAY = f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r}); from slipway.cli import main; main()"
ANSWERS = """
import json, sys
import mlflow, pandas as pd

model = mlflow.pyfunc.load_model(sys.argv[1])
columns = model.metadata.get_input_schema()
with open(sys.argv[2]) as file:
    frame = pd.DataFrame(json.load(file))
frame = frame.astype(dict(zip(columns.input_names(), columns.pandas_types())))
with open("answers.json", "w") as file:
    json.dump(model.predict(frame).to_dict("records"), file)
"""
STATE = """
import json, sys, mlflow

client = mlflow.MlflowClient()
name = sys.argv[1]
versions = client.search_model_versions(f"name='{name}'")
runs = client.search_runs([each.experiment_id for each in client.search_experiments()])
print(json.dumps({
    "versions": {each.version: dict(each.tags) for each in versions},
    "champion": str(client.get_model_version_by_alias(name, "champion").version),
    "runs": [dict(run.data.tags) for run in runs],
    "metrics": [dict(run.data.metrics) for run in runs],
    "params": [dict(run.data.params) for run in runs],
    "states": [run.info.status for run in runs],
    "curves": [len(client.get_metric_history(run.info.run_id, "learning_curve/rmse")) for run in runs],
    "files": [sorted(each.path for each in client.list_artifacts(run.info.run_id)) for run in runs],
}))
"""


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    if not PROGRAM.exists():
        absent("MLflow: make engines installs it")


def problem(folder: Path, task: str, **changes) -> str:
    """A problem with a champion; its digest."""
    folder.mkdir(exist_ok=True)
    (folder / "slipway.yaml").write_text(f"name: {task}\nsource: table.csv\ntarget: charges\n")
    return make_bundle(LocalStore(folder / "artifacts"), task, **changes).digest


def register(folder: Path, address: str) -> str:
    return call(folder, SLIPWAY, "export", "mlflow", "--register", "insurance", MLFLOW_TRACKING_URI=address)


def served(folder: Path, backend: str):
    return serving(
        folder,
        "server",
        "--backend-store-uri",
        backend,
        "--artifacts-destination",
        str(folder / "artifacts"),
        "--workers",
        "1",
    )


def test_a_digest_is_one_version_and_the_alias_follows_the_champion(tmp_path):
    one = tmp_path / "one"
    with served(tmp_path, f"sqlite:///{tmp_path / 'mlflow.db'}") as address:
        first = problem(one, "regression")
        assert register(one, address) == f"insurance version 1 is bundle {first[:12]}\n"
        second = problem(one, "regression", weights=[[1.0], [2.0], [3.0], [4.0]])
        assert register(one, address) == f"insurance version 2 is bundle {second[:12]}\n"
        assert state(one, address)["champion"] == "2"
        problem(one, "regression")
        assert register(one, address) == f"insurance version 1 is bundle {first[:12]} already\n"
        found = state(one, address)
        assert found["champion"] == "1" and [each["rmse"] for each in found["metrics"]] == [0.8] * 2
        tags = [(each["slipway.digest"], each["slipway.champion"]) for _, each in sorted(found["versions"].items())]
        assert tags == [(first, "true"), (second, "false")]


def test_a_server_on_postgresql_registers_and_gives_the_champion_back(tmp_path, postgres):
    one = tmp_path / "one"
    digest = problem(one, "regression")
    with fresh(postgres) as database, served(tmp_path, database.url) as address:
        assert register(one, address) == f"insurance version 1 is bundle {digest[:12]}\n"
        call(one, ANSWERS, "models:/insurance@champion", rows_file(one, ROWS), MLFLOW_TRACKING_URI=address)
    assert len(json.loads((one / "answers.json").read_text())) == len(ROWS)


def test_trainings_are_runs_and_push_catches_up_with_what_a_silent_server_missed(tmp_path):
    one, away = tmp_path / "one", socket.create_server(("127.0.0.1", 0))  # it never answers
    one.mkdir()
    trainable(one, charges(), "charges", candidates=["linear"])
    with away, served(tmp_path, f"sqlite:///{tmp_path / 'mlflow.db'}") as address:
        missed = slipway(one, "train", "--jobs", "1", MLFLOW_TRACKING_URI=f"http://127.0.0.1:{away.getsockname()[1]}")
        assert missed.returncode == 0 and "Verdict: promoted" in missed.stdout, missed.stderr
        assert "slipway push logs it later" in missed.stderr.splitlines()[-1]
        trainable(one, charges(seed=1), "charges", candidates=["linear"])
        logged = slipway(one, "train", "--jobs", "1", MLFLOW_TRACKING_URI=address)
        assert logged.returncode == 0 and f" in {address}, version 1 of trial\n" in logged.stdout, logged.stderr
        for new in ("1 new run", "0 new runs"):
            pushed = slipway(one, "push", MLFLOW_TRACKING_URI=address)
            assert (pushed.returncode, pushed.stdout) == (0, f"MLflow: {new} in {address}.\n"), pushed.stderr
        found = state(one, address, "trial")
        with serving(one, *SERVE, "models:/trial@champion", health="/ping", MLFLOW_TRACKING_URI=address) as model:
            rows = charges(COUNT, seed=2)[["age", "bmi", "smoker", "region"]].to_dict("records")
            rows = [
                each | {"age": int(each["age"]), "bmi": None if each["bmi"] == "NA" else float(each["bmi"])} for each in rows
            ]
            status, answer = post(model, json.dumps({"dataframe_records": rows}).encode())
            assert status == 200, answer
            service = build(load_problem(one / "slipway.yaml"), {}).test_client()
            assert answer["predictions"] == of_service(service, rows)
    noted = LocalStore(one / "artifacts").journal.entries()
    assert {each["slipway.judged"] for each in found["runs"]} == {each["at"] for each in noted}
    assert found["states"] == ["FINISHED"] * 2 and min(found["curves"]) > 1
    assert {"report.html", "card.md", "curves", "model", "verdict.json"} <= set(found["files"][0])
    champion = LocalStore(one / "artifacts").pointer().digest
    assert found["versions"][found["champion"]]["slipway.digest"] == champion
    assert found["versions"][found["champion"]]["slipway.stage"] == "Production"


def test_mlflow_run_trains_and_the_run_is_its_own(tmp_path):
    trainable(tmp_path, charges(), "charges", candidates=["linear"])
    (tmp_path / "MLproject").write_text((ROOT / "MLproject").read_text())
    environ = os.environ | {"PATH": f"{program(tmp_path)}{os.pathsep}{os.environ['PATH']}", "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [PROGRAM, "run", ".", "--env-manager", "local"]
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME"):
        environ.pop(name, None)
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0 and "Verdict: promoted" in done.stdout, done.stderr
    database = f"sqlite:///{tmp_path / 'mlflow.db'}"
    assert slipway(tmp_path, "push", MLFLOW_TRACKING_URI=database).stdout == f"MLflow: 0 new runs in {database}.\n"
    found = state(tmp_path, database, "trial")
    assert found["states"] == ["FINISHED"] and found["runs"][0]["mlflow.project.entryPoint"] == "main"
    assert "rmse" in found["metrics"][0] and found["params"][0]["settings/candidates"] == "linear"


def state(folder: Path, address: str, name: str = "insurance") -> dict:
    return json.loads(call(folder, STATE, name, MLFLOW_TRACKING_URI=address))


def rows_file(folder: Path, rows: list) -> str:
    path = folder / "rows.json"
    path.write_text(json.dumps(rows))
    return str(path)


def of_service(client, rows: list) -> list[dict]:
    """The answers of /predict, flat as MLflow has them."""
    answers = client.post("/predict", json=rows).json["predictions"]
    return [
        {"prediction": each["prediction"]}
        | {f"probability_{label}": share for label, share in each.get("probabilities", {}).items()}
        for each in answers
    ]


@pytest.mark.parametrize("task", TASKS)
def test_the_loader_of_mlflow_answers_as_the_service_to_the_last_bit(tmp_path, serve, task):
    rows = many_rows(COUNT)
    expected = of_service(serve(task).test_client(), rows)
    problem(tmp_path, task)
    call(tmp_path, SLIPWAY, "export", "mlflow", "model")
    call(tmp_path, ANSWERS, "model", rows_file(tmp_path, rows))
    assert json.loads((tmp_path / "answers.json").read_text()) == expected


def post(address: str, body: bytes, kind: str = "application/json") -> tuple[int, dict]:
    request = Request(f"{address}/invocations", body, {"Content-Type": kind})
    try:
        with urlopen(request, timeout=DEADLINE) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_mlflow_models_serve_answers_and_refuses_as_the_service_does(tmp_path, serve):
    rows = many_rows(COUNT)
    expected = of_service(serve("binary").test_client(), rows)
    problem(tmp_path, "binary")
    call(tmp_path, SLIPWAY, "export", "mlflow", "model")
    names = list(rows[0])
    split = {"columns": names, "data": [list(row.values()) for row in rows]}
    forms = {
        "dataframe_records": rows,
        "dataframe_split": split,
        "instances": rows,
        "inputs": {name: [row[name] for row in rows] for name in names},
    }
    lines = [",".join(names), *(",".join("" if cell is None else str(cell) for cell in row.values()) for row in rows)]
    with serving(tmp_path, *SERVE, "model", health="/ping") as address:
        for form, table in forms.items():
            assert post(address, json.dumps({form: table}).encode()) == (200, {"predictions": expected}), form
        assert post(address, "\n".join(lines).encode(), "text/csv") == (200, {"predictions": expected})
        status, said = post(address, json.dumps({"dataframe_records": [rows[0] | {"age": 19.5}]}).encode())
        assert status == 400 and "row 1: age: has a fraction" in said["message"]
