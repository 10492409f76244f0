"""Clients of others on the real server: KServe's, Triton's, and the one made from the protocol's OpenAPI document."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bundles import files, make_bundle, said, twin
from conftest import absent
from many_rows import many_rows
from servers import ROOT, serve
from slipway.model.encoding import Encoding, Output
from slipway.store.local import LocalStore
from slipway.store.pointer import Pointer
from slipway.table.schema import Field, Schema

pytestmark = pytest.mark.database
COUNT = 2_000
DEADLINE = 120
PYTHON = Path(os.environ.get("KSERVE_VENV") or Path(sys.prefix, "kserve"), "bin", "python")  # make engines fills .venv/kserve
PAGE = (ROOT / "docs" / "open-inference.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
[MANIFEST] = [block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "InferenceService" in block]
START = """
import json, sys

address, model, path = sys.argv[1:]
with open(path) as file:
    rows = json.load(file)
datatypes = {"age": "INT64", "bmi": "FP64", "smoker": "BYTES", "joined": "BYTES"}
columns = {name: [row[name] for row in rows] for name in datatypes}


def refusal(call):
    try:
        call()
    except Exception as error:
        return str(error)
"""
KSERVE = """
import asyncio
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig


async def refused(client, inputs):
    try:
        await client.infer(address, InferRequest(model, inputs), model_name=model)
    except Exception as caught:
        return str(caught)


async def play():
    async with InferenceRESTClient(RESTConfig(protocol="v2", retries=0)) as client:
        asked = client.is_server_live, client.is_server_ready
        states = [await ask(address) for ask in asked]
        states += [await client.is_model_ready(address, name) for name in (model, "other")]
        inputs = [InferInput(name, [len(rows)], datatypes[name], cells) for name, cells in columns.items()]
        answer = await client.infer(address, InferRequest(model, inputs, request_id="7"), model_name=model)
        error = await refused(client, inputs[:3])
        binary = InferInput("age", [len(rows)], "INT64")
        binary.set_data_from_numpy(np.array(columns["age"]))
        outputs = {each.name: each.data for each in answer.outputs}
        said = {"states": states, "id": answer.id, "outputs": outputs, "error": error}
        print(json.dumps(said | {"binary": await refused(client, [binary, *inputs[1:]])}))


asyncio.run(play())
"""
TRITON = """
import numpy as np
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput

types = {"INT64": np.int64, "FP64": np.float64, "BYTES": object}
inputs = []
for name, datatype in datatypes.items():
    inputs.append(InferInput(name, [len(rows), 1], datatype))
    inputs[-1].set_data_from_numpy(np.array(columns[name], dtype=types[datatype]).reshape(-1, 1), binary_data=False)
with InferenceServerClient(address.removeprefix("http://")) as client:
    states = [client.is_server_live(), client.is_server_ready(), client.is_model_ready(model), client.is_model_ready("other")]
    names = [each["name"] for each in client.get_model_metadata(model)["outputs"]]
    found = client.infer(model, inputs, request_id="7")
    wanted = [InferRequestedOutput(name, binary_data=False) for name in names[:1]]
    one = client.infer(model, inputs, outputs=wanted).get_response()["outputs"]
    inputs[0].set_data_from_numpy(np.array(columns["age"]).reshape(-1, 1))
    error = refusal(lambda: client.infer(model, inputs))
outputs = {name: found.as_numpy(name).tolist() for name in names}
said = {"states": states, "id": found.get_response()["id"], "outputs": outputs, "error": error}
print(json.dumps(said | {"one": [each["name"] for each in one]}))
"""
OPENAPI = """
from open_inference.openapi.client import OpenInferenceClient
from open_inference.openapi.types import InferenceRequest, RequestInput

client = OpenInferenceClient(base_url=address)
client.check_server_liveness()
client.check_server_readiness()
client.check_model_readiness(model)
server, known = client.read_server_metadata(), client.read_model_metadata(model)
client.check_model_version_readiness(model, known.versions[0])
unknown = refusal(lambda: client.read_model_metadata("other"))
del columns["bmi"]
inputs = [RequestInput(name=name, shape=[len(rows)], datatype=datatypes[name], data=columns[name]) for name in columns]
answer = client.model_version_infer(model, known.versions[0], request=InferenceRequest(id="7", inputs=inputs))
print(json.dumps({
    "server": server.name,
    "inputs": {each.name: each.datatype for each in known.inputs},
    "unknown": unknown,
    "id": answer.id,
    "rows": answer.outputs[0].shape,
}))
"""


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    if not PYTHON.exists():
        absent("KServe's client: make engines installs it")


@pytest.fixture(scope="module", params=["regression", "binary", "multiclass"])
def served(request, tmp_path_factory):
    """A server, its model's name, and a file of rows."""
    folder = tmp_path_factory.mktemp("served")
    make_bundle(LocalStore(folder / "artifacts"), request.param)
    settings = f"name: {request.param}\nsource: table.csv\ntarget: charges\nserving: {{protocols: [open-inference]}}\n"
    (folder / "slipway.yaml").write_text(settings)
    (folder / "rows.json").write_text(json.dumps(many_rows(COUNT)))
    with serve(folder) as server:
        yield server, request.param, folder / "rows.json"


def play(served, code: str) -> dict:
    """What a program of the venv prints of its calls."""
    server, model, rows = served
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    command = [PYTHON, "-c", START + code, f"http://127.0.0.1:{server.port}", model, rows]
    done = subprocess.run(command, cwd=rows.parent, env=environ, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def of_predict(served) -> dict:
    """The answers of POST /predict as columns."""
    server, _, _ = served
    status, content = server.call("POST", "/predict", many_rows(COUNT))
    assert status == 200
    rows = [
        {"prediction": each["prediction"]}
        | {f"probability_{label}": share for label, share in each.get("probabilities", {}).items()}
        for each in json.loads(content)["predictions"]
    ]
    return {name: [row[name] for row in rows] for name in rows[0]}


def test_the_client_of_kserve_gets_the_answers_of_predict_to_the_last_bit(served):
    found = play(served, KSERVE)
    assert (found["states"], found["id"]) == ([True, True, True, False], "7")
    assert found["outputs"] == of_predict(served)
    assert "row 1: joined: is missing" in found["error"] and "400 BAD REQUEST" in found["error"]
    assert "binary_data=False" in found["binary"]


def test_the_client_of_triton_gets_the_answers_of_predict_to_the_last_bit(served):
    found = play(served, TRITON)
    assert (found["states"], found["id"], found["one"]) == ([True, True, True, False], "7", ["prediction"])
    assert found["outputs"] == of_predict(served)
    assert "binary_data=False" in found["error"]


def test_the_client_made_from_the_openapi_document_reads_every_answer(served):
    found = play(served, OPENAPI)
    assert (found["server"], found["id"], found["rows"]) == ("slipway", "7", [COUNT])
    assert found["inputs"] == {"age": "INT64", "bmi": "FP64", "smoker": "BYTES", "joined": "BYTES"}
    assert "There is no model other" in found["unknown"]


CLASSES = """
import sys, yaml
from kserve import V1beta1InferenceService, V1beta1InferenceServiceSpec, V1beta1PredictorSpec

manifest = yaml.safe_load(sys.stdin)
for document, kind in (
    (manifest, V1beta1InferenceService),
    (manifest["spec"], V1beta1InferenceServiceSpec),
    (manifest["spec"]["predictor"], V1beta1PredictorSpec),
):
    assert set(document) <= set(kind.attribute_map.values()), (kind, document)
"""


def test_the_manifest_of_the_page_has_no_setting_that_kserve_does_not_know():
    subprocess.run([PYTHON, "-c", CLASSES], input=MANIFEST, text=True, check=True, timeout=DEADLINE)


@pytest.fixture(scope="module")
def insurance(tmp_path_factory):
    """A server of a model with the fields of the page, and what it answers to the page's row."""
    numbers = [
        Field(name, "number" if name == "bmi" else "integer", minimum=0, maximum=64) for name in ("age", "bmi", "children")
    ]
    levels = {"sex": ("female", "male"), "smoker": ("no", "yes"), "region": ("southeast", "southwest")}
    schema = Schema((*numbers, *(Field(name, "category", levels=each) for name, each in levels.items())))
    outputs = (
        *(Output("value", field.name) for field in numbers),
        *(Output("level", name, levels=each[1:]) for name, each in levels.items()),
    )
    row = {"age": 19, "sex": "female", "bmi": 27.9, "children": 0, "smoker": "yes", "region": "southwest"}
    weights = [[250.0], [30.0], [400.0], [10.0], [23000.0], [-50.0]]
    made = files("regression", schema=schema, encoding=Encoding(schema, outputs), rows=[row], weights=weights)
    folder = tmp_path_factory.mktemp("insurance")
    store = LocalStore(folder / "artifacts")
    digest = store.add("insurance", made, twin(made)).digest
    store.point(Pointer(digest, "insurance"))
    said(store, "insurance", digest)
    settings = "name: insurance\nsource: table.csv\ntarget: charges\nserving: {protocols: [open-inference]}\n"
    (folder / "slipway.yaml").write_text(settings)
    with serve(folder) as server:
        yield server, json.loads(server.call("POST", "/predict", row)[1])["prediction"]


@pytest.mark.parametrize("program", PROGRAMS, ids=["kserve", "triton", "requests"])
def test_the_programs_of_the_page_print_the_answer(insurance, program, tmp_path):
    server, prediction = insurance
    assert "localhost:8080" in program
    code = program.replace("localhost:8080", f"127.0.0.1:{server.port}")
    done = subprocess.run([PYTHON, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=DEADLINE)
    assert done.returncode == 0, done.stderr
    assert f"{prediction:g}" in done.stdout or str(prediction) in done.stdout
