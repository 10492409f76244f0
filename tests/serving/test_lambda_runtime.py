"""The process that Lambda starts, against a stand-in of Lambda's Runtime API."""

import json
import subprocess
from contextlib import contextmanager

import pytest

from bundles import ROWS
from lambda_api import DEADLINE, runtime_api
from servers import start

MODULE = ("-m", "slipway.serving.lambda_runtime")
KIND = {"content_type": "application/json"}


@contextmanager
def function(folder, **environ):
    """The process, and the stand-in that it asks."""
    with runtime_api() as api, start(folder, *MODULE, AWS_LAMBDA_RUNTIME_API=api.address, **environ) as process:
        yield api, process


def end(process: subprocess.Popen) -> tuple[str, str]:
    """What it has written."""
    process.kill()
    return process.communicate(timeout=DEADLINE)


def test_calls_are_answered_one_after_another(folder):
    with function(folder) as (api, process):
        answers = [api.call("POST", "/predict", json.dumps(row), **KIND) for row in ROWS]
        assert [answer["statusCode"] for answer in answers] == [200] * len(ROWS)
        assert api.call("GET", "/readyz")["statusCode"] == 200
        assert "slipway_rows_predicted_total" in api.call("GET", "/metrics")["body"]
        assert api.call("GET", "/apidocs/")["statusCode"] == 200
        out, err = end(process)
    logged = [json.loads(line) for line in out.splitlines()]
    assert [(each["id"], each["path"]) for each in logged[:2]] == [("call-1", "/predict"), ("call-2", "/predict")]
    assert err == ""


def test_an_event_that_is_no_call_is_told_and_the_next_one_answered(folder):
    with function(folder) as (api, process):
        api.put({"age": "secret"})
        path, document = api.get()
        assert (path, document["errorType"]) == ("/invocation/call-1/error", "ServingError")
        assert "payload format 2.0" in document["errorMessage"]
        assert api.call("GET", "/healthz")["statusCode"] == 200
        assert "secret" not in "".join(end(process))


def test_the_files_of_the_prediction_log_are_not_written(folder, tmp_path):
    with function(folder, SLIPWAY_LOG_TO="files") as (api, process):
        assert api.call("POST", "/predict", json.dumps(ROWS[0]), **KIND)["statusCode"] == 200
        _, err = end(process)
    assert "answered rows are not logged" in err and not (folder / "log").exists()


@pytest.mark.parametrize("wrong", ["no champion", "a damaged bundle"])
def test_what_cannot_start_is_told_to_lambda(folder, tmp_path, wrong):
    (tmp_path / "slipway.yaml").write_text((folder / "slipway.yaml").read_text())
    if wrong == "a damaged bundle":
        subprocess.run(["cp", "-r", folder / "artifacts", tmp_path], check=True)
        model = next(tmp_path.rglob("model.onnx"))
        model.write_bytes(model.read_bytes()[:-1] + b"!")
    with function(tmp_path) as (api, process):
        path, document = api.get()
        assert path == "/init/error" and document["errorType"] in ("StoreError", "BundleError")
        _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode > 0 and err.startswith("slipway: ") and "Traceback" not in err


def test_elsewhere_than_in_lambda_it_says_so(folder):
    with start(folder, *MODULE) as process:
        _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 6 and err.startswith("slipway: AWS_LAMBDA_RUNTIME_API is not set")


def test_when_lambda_is_away_it_ends(folder):
    with runtime_api() as api:
        address = api.address
    with start(folder, *MODULE, AWS_LAMBDA_RUNTIME_API=address) as process:
        _, err = process.communicate(timeout=DEADLINE)
    assert process.returncode > 0 and err.startswith("slipway: Lambda's Runtime API") and "Traceback" not in err
