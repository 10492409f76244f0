"""docs/open-inference.md: a manifest whose pod Kubernetes knows, and a request that is one."""

import json
import re
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from slipway.problem import load_problem
from slipway.serving.protocols.tensors import columns_of, request_of

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "open-inference.md").read_text()
KSERVES_OWN = {"minReplicas"}


def manifest() -> dict:
    [text] = [block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "InferenceService" in block]
    return yaml.safe_load(text)


@pytest.mark.parametrize("version", ["1.30", kubernetes_validate.latest_version()])
def test_the_pod_of_the_manifest_is_one(version):
    predictor = manifest()["spec"]["predictor"]
    spec = {name: value for name, value in predictor.items() if name not in KSERVES_OWN}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": manifest()["metadata"], "spec": spec}
    kubernetes_validate.validate(pod, version, strict=True)


def test_the_manifest_switches_the_protocol_on_and_names_the_port_as_kserve_wants_it():
    [container] = manifest()["spec"]["predictor"]["containers"]
    assert container["ports"] == [{"name": "http1", "containerPort": 8080, "protocol": "TCP"}]
    environ = {each["name"]: each["value"] for each in container["env"]}
    assert load_problem(ROOT / "slipway.yaml", environ=environ).serving.protocols == ("open-inference",)


def test_the_request_of_the_page_has_the_fields_of_the_example():
    [text] = re.findall(r"-d '(\{.*?\})'", PAGE, re.DOTALL)
    columns = columns_of(request_of(json.loads(text)).inputs)
    assert {len(cells) for cells in columns.values()} == {2}
    assert list(columns) == ["age", "sex", "bmi", "children", "smoker", "region"]
