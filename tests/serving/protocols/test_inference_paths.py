"""The addresses of the Open Inference Protocol: the state, the model's metadata, and the specification."""

import pytest
from schemathesis.specs.openapi.definitions import SWAGGER_20_VALIDATOR

from bundles import ROWS, SCHEMA
from inference_service import DATATYPES, SPEAKS, Service, tensors
from slipway import __version__
from slipway.errors import BundleError


@pytest.mark.parametrize(
    "path, expected",
    [
        ("/v2/health/live", {"live": True}),
        ("/v2/health/ready", {"live": True, "ready": True}),
        ("/v2", {"name": "slipway", "version": __version__, "extensions": []}),
        ("/v2/", {"name": "slipway", "version": __version__, "extensions": []}),
        ("/v2/models/regression/ready", {"name": "regression", "ready": True}),
        ("/v2/models/regression/versions/{}/ready", {"name": "regression", "ready": True}),
    ],
)
def test_who_asks_for_the_state_is_told(service, path, expected):
    answer = service.client.get(path.format(service.digest[:12]))
    assert (answer.status_code, answer.json) == (200, expected)


def test_the_metadata_names_every_field_and_every_column_of_the_answer(tmp_path):
    service = Service(tmp_path, "binary")
    found = service.client.get("/v2/models/binary").json
    assert found == service.client.get(f"/v2/models/binary/versions/{service.digest[:12]}").json
    assert (found["name"], found["versions"], found["platform"]) == ("binary", [service.digest[:12]], "slipway_onnx")
    assert [(each["name"], each["datatype"], each["shape"]) for each in found["inputs"]] == [
        (name, DATATYPES.get(name, "BYTES"), [-1]) for name in SCHEMA.names
    ]
    assert [(each["name"], each["datatype"], each["shape"]) for each in found["outputs"]] == [
        ("prediction", "BYTES", [-1]),
        ("probability_N", "FP64", [-1]),
        ("probability_Y", "FP64", [-1]),
    ]


@pytest.mark.parametrize("path", ["/v2/health/ready", "/v2/models/regression/ready"])
def test_a_model_that_answers_otherwise_is_not_ready(service, monkeypatch, path):
    def broken():
        raise BundleError("golden row 3 has another answer")

    monkeypatch.setattr(service.app.extensions["slipway"], "require_ready", broken)
    answer = service.client.get(path)
    assert (answer.status_code, answer.json) == (
        503,
        {"error": "The model is not ready: golden row 3 has another answer."},
    )
    assert service.client.get("/v2/health/live").status_code == 200


@pytest.mark.parametrize(
    "path, says",
    [
        ("/v2/models/other{}", "There is no model other; this service has regression."),
        ("/v2/models/regression/versions/1{}", "There is no version 1; this service has VERSION."),
        (f"/v2/models/{'x' * 500}{{}}", f"There is no model {'x' * 100}…; this service has regression."),
    ],
)
@pytest.mark.parametrize("call", ["", "/ready", "/infer"])
def test_another_model_or_version_is_not_here(service, path, says, call):
    path = path.format(call)
    answer = service.client.post(path, json={"inputs": tensors(ROWS)}) if call == "/infer" else service.client.get(path)
    assert (answer.status_code, answer.json) == (404, {"error": says.replace("VERSION", service.digest[:12])})


def test_it_is_served_below_a_prefix(tmp_path):
    service = Service(tmp_path, SLIPWAY_URL_PREFIX="/models/charges")
    assert service.client.get("/models/charges/v2").json["name"] == "slipway"
    assert service.client.get("/apispec.json").json["basePath"] == "/models/charges"


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_the_specification_is_valid_and_its_examples_answer_as_they_stand(tmp_path, task):
    service = Service(tmp_path, task, SPEAKS)
    document = service.client.get("/apispec.json").json
    SWAGGER_20_VALIDATOR.validate(document)
    tried = 0
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            if path.startswith("/v2"):
                body = call["parameters"][0]["schema"]["example"] if method == "post" else None
                answer = service.client.open(path, method=method, json=body)
                assert answer.json == call["responses"]["200"]["examples"]["application/json"]
                tried += 1
    assert tried == 9
    infer = document["paths"][f"/v2/models/{task}/infer"]["post"]["responses"]
    assert set(infer) == {"200", "400", "404", "413", "415", "503"}


def test_a_service_that_does_not_speak_it_has_no_such_address(serve):
    client = serve().test_client()
    for path in ("/v2", "/v2/health/live", "/v2/models/regression"):
        answer = client.get(path)
        assert answer.status_code == 404
        assert answer.json["detail"] == "Switched off: serving.protocols in slipway.yaml does not list open-inference."
    assert not [path for path in client.get("/apispec.json").json["paths"] if path.startswith("/v2")]


@pytest.mark.parametrize("name", ["Versicherung – Kosten", "a b", "50%", "{x}", "a:b"])
def test_any_name_without_a_slash_can_be_asked_for(tmp_path, name):
    service = Service(tmp_path, name=name)
    paths = service.client.get("/apispec.json").json["paths"]
    [path] = [path for path in paths if path.endswith("/infer") and "/versions/" not in path]
    assert service.client.post(path, json={"inputs": tensors(ROWS)}).json["model_name"] == name
