"""MLflow's protocol as MLflow itself has it: its client calls this service, and its server is asked the same."""

import json
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from bundles import ROWS, make_bundle
from conftest import absent
from many_rows import many_rows
from mlflow_server import DEADLINE, PROGRAM, call, serving
from servers import Server, serve
from slipway.export.mlflow_model import model_files, write_model
from slipway.problem import load_problem
from slipway.serving.protocols.invocations import VERSION
from slipway.store.local import LocalStore

pytestmark = pytest.mark.database
COUNT = 2_000
CLIENT = """
import json, sys
import numpy as np, pandas as pd
from mlflow.pyfunc.scoring_server.client import ScoringServerClient

client = ScoringServerClient("127.0.0.1", int(sys.argv[1]))
client.wait_server_ready(timeout=30)
with open("rows.json") as file:
    rows = json.load(file)
frame = pd.DataFrame(rows)
frame["joined"] = pd.to_datetime(frame["joined"])
assert frame["bmi"].isna().any()
answered = client.invoke(frame)
assert list(answered.get_predictions().columns)[0] == "prediction"
assert client.invoke(rows) == answered and client.invoke(json.dumps({"instances": rows})) == answered
try:
    client.invoke(frame.drop(columns="age"))
except Exception as error:
    refused = str(error)
interval = client.invoke(frame[:2], params={"interval": 0.9}) if sys.argv[2] == "regression" else {}
print(json.dumps({"version": client.get_version(), "answers": answered, "refused": refused, "interval": interval}))
"""
# What mlflow/tests/pyfunc/test_scoring_server.py sends, with a model that has names and types.
SPLIT = {"columns": [*ROWS[0]], "data": [[*row.values()] for row in ROWS]}
ASKED = {
    "records": ({"dataframe_records": ROWS}, "application/json"),
    "records with a charset": ({"dataframe_records": ROWS}, "application/json; charset=UTF-8"),
    "split": ({"dataframe_split": SPLIT}, "application/json"),
    "split with a charset": ({"dataframe_split": SPLIT}, "application/json; charset=UTF-8"),
    "instances": ({"instances": ROWS}, "application/json"),
    "inputs": ({"inputs": {name: [row[name] for row in ROWS] for name in ROWS[0]}}, "application/json"),
    "inputs of one row": ({"inputs": ROWS[0]}, "application/json"),
    "inputs as rows": ({"inputs": ROWS}, "application/json"),
    "malformed": (b"this is,,,, not valid json", "application/json"),
    "a number": (b"1", "application/json"),
    "a text": (b'"1"', "application/json"),
    "a list": (b"[1]", "application/json"),
    "no form": ({"not": "a serialized dataframe"}, "application/json"),
    "two forms": ({"dataframe_records": [], "dataframe_split": {"data": []}}, "application/json"),
    "split as records": ({"dataframe_split": ROWS}, "application/json"),
    "records as split": ({"dataframe_records": SPLIT}, "application/json"),
    "no table": ({"dataframe_split": {"index": [1, 2], "data": [[1], [2], [3]]}}, "application/json"),
    "a row that cannot be answered": ({"dataframe_records": [ROWS[0] | {"age": 19.5}]}, "application/json"),
    "a column too few": ({"dataframe_records": [{"age": 19}]}, "application/json"),
    "an empty table": (b"", "text/csv"),
    "another type": (b"{}", "not_a_supported_content_type"),
    "another parameter": ({"dataframe_split": SPLIT}, "application/json; something=something"),
    "another charset": ({"dataframe_split": SPLIT}, "application/json; charset=latin-1"),
}


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    if not PROGRAM.exists():
        absent("MLflow: make engines installs it")


def make(folder: Path, task: str) -> Path:
    make_bundle(LocalStore(folder / "artifacts"), task)
    (folder / "slipway.yaml").write_text(
        f"name: {task}\nsource: table.csv\ntarget: charges\nserving: {{protocols: [mlflow]}}\n"
    )
    return folder


def flat(server: Server, rows: list) -> list[dict]:
    """The answers of /predict, as MLflow has them."""
    found = json.loads(server.call("POST", "/predict", rows)[1])["predictions"]
    return [
        {"prediction": each["prediction"]}
        | {f"probability_{label}": share for label, share in each.get("probabilities", {}).items()}
        for each in found
    ]


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_the_client_of_mlflow_gets_the_answers_of_predict_to_the_last_bit(tmp_path, task):
    rows = many_rows(COUNT)
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    with serve(make(tmp_path, task)) as server:
        expected = flat(server, rows)
        found = json.loads(call(tmp_path, CLIENT, str(server.port), task))
    assert found["answers"] == {"predictions": expected} and found["version"] == VERSION
    assert "error code 400" in found["refused"] and "row 1: age: " in found["refused"]
    assert not found["interval"] or list(found["interval"]["predictions"][1]) == ["prediction", "low", "high"]


def test_the_server_of_mlflow_answers_the_same_requests_with_the_same_status_code_and_document(tmp_path):
    folder = make(tmp_path, "binary")
    problem = load_problem(folder / "slipway.yaml", environ={})
    store = LocalStore(folder / "artifacts")
    write_model(model_files(store.bundle(store.require_pointer().digest), problem), folder / "model")
    arguments = ("models", "serve", "-m", "model", "--env-manager", "local")
    with serve(folder) as ours, serving(folder, *arguments, health="/ping") as theirs:
        address = f"http://127.0.0.1:{ours.port}"
        for name, (body, kind) in ASKED.items():
            content = json.dumps(body).encode() if isinstance(body, dict) else body
            assert post(address, content, kind) == post(theirs, content, kind), name
        for path in ("/ping", "/health"):
            with urlopen(address + path, timeout=DEADLINE) as one, urlopen(theirs + path, timeout=DEADLINE) as other:
                assert (one.status, one.read()) == (other.status, other.read())


def post(address: str, body: bytes, kind: str) -> tuple[int, object]:
    """Status, and the predictions or the code of the error; MLflow's 415 has a text."""
    request = Request(f"{address}/invocations", body, {"Content-Type": kind})
    try:
        with urlopen(request, timeout=DEADLINE) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        with error:
            return error.code, json.load(error)["error_code"] if error.code != 415 else None
