"""What SageMaker starts: the service on its port, with MLflow's protocol, whatever slipway.yaml says of protocols."""

import json

import pytest

from bundles import ROWS
from servers import serve, start
from slipway.errors import ProblemError, ServingError
from slipway.serving.sagemaker import prepare
from slipway.serving.worker import QUICK

MODULE = ("-m", "slipway.serving.sagemaker")


@pytest.mark.parametrize(
    "said, given, expected",
    [
        ("", {}, "mlflow"),
        ("serving: {protocols: [open-inference]}", {}, "open-inference,mlflow"),
        ("serving: {protocols: [mlflow]}", {}, "mlflow"),
        ("serving: {protocols: [mlflow]}", {"SLIPWAY_SERVING_PROTOCOLS": "open-inference"}, "open-inference,mlflow"),
    ],
)
def test_the_protocol_is_on_beside_the_others(tmp_path, said, given, expected):
    (tmp_path / "slipway.yaml").write_text(f"name: one\nsource: table.csv\ntarget: charges\n{said}\n")
    environ = {"SLIPWAY_PROBLEM": str(tmp_path / "slipway.yaml")} | given
    prepare(environ)
    assert (environ["SLIPWAY_SERVING_PROTOCOLS"], environ["PORT"]) == (expected, "8080")
    environ["PORT"] = "9000"
    prepare(environ)
    assert (environ["SLIPWAY_SERVING_PROTOCOLS"], environ["PORT"]) == (expected, "9000")


def test_a_protocol_that_does_not_exist_is_told(tmp_path):
    (tmp_path / "slipway.yaml").write_text("name: one\nsource: table.csv\ntarget: charges\nserving: {protocols: [grpc]}\n")
    with pytest.raises(ProblemError, match="protocols"):
        prepare({"SLIPWAY_PROBLEM": str(tmp_path / "slipway.yaml")})


@pytest.mark.parametrize("variable", ["SLIPWAY_API_KEYS", "SLIPWAY_API_KEYS_FILE"])
def test_it_does_not_start_with_keys_that_nobody_could_send(tmp_path, variable):
    (tmp_path / "slipway.yaml").write_text("name: one\nsource: table.csv\ntarget: charges\n")
    with pytest.raises(ServingError, match=f"{variable} is set") as caught:
        prepare({"SLIPWAY_PROBLEM": str(tmp_path / "slipway.yaml"), variable: "secret"})
    assert "secret" not in str(caught.value)


def test_it_answers_and_ends_at_a_signal(folder):
    with serve(folder, *MODULE) as server:
        assert server.call("GET", "/ping") == (200, b"\n")
        status, body = server.call("POST", "/invocations", {"instances": ROWS[:1]})
        alone = json.loads(server.call("POST", "/predict", ROWS[0])[1])
        assert (status, json.loads(body)) == (200, {"predictions": [{"prediction": alone["prediction"]}]})
        code, _, err = server.stop()
    assert (code, err) == (0, "")


def test_without_a_champion_it_ends_and_says_what_to_run(tmp_path):
    (tmp_path / "slipway.yaml").write_text("name: one\nsource: table.csv\ntarget: charges\n")
    with start(tmp_path, *MODULE, PORT="0") as process:
        _, err = process.communicate(timeout=30)
    assert process.returncode == 5 and err.startswith("slipway: ") and "slipway train" in err and "Traceback" not in err


def test_ping_does_not_wait_for_a_thread():
    """SageMaker replaces a container that does not answer within two seconds."""
    assert "/ping" in QUICK
