"""What a device downloads besides the model: the policies, the texts and the formulas."""

import json

import numpy as np
import pytest

from bundles import ENCODING, ROWS, SCHEMA, files, make_bundle
from page import start
from slipway.errors import ServingError
from slipway.model.encoding import Encoding, Output
from slipway.serving.offline import device_rules as module
from slipway.serving.offline.device_rules import device_files, device_rules
from slipway.store.local import LocalStore
from slipway.table.schema import Feature


@pytest.fixture
def rules(tmp_path):
    """(further lines of slipway.yaml, what `make_bundle` takes) → rules.json."""

    def make(settings="", task="regression", **changes):
        return json.loads(device_rules(start(tmp_path, task, settings, **changes).extensions["slipway"]))

    return make


def test_the_rules_of_a_field_are_those_of_the_service(rules):
    found = rules("missing: {'*': ['-999', ' K.A. '], age: [unknown]}\nlimits: {bmi: [10, null]}\n")
    age, bmi, smoker, joined = found["fields"]
    assert [each["name"] for each in found["fields"]] == list(SCHEMA.names)
    assert (age["low"], age["high"]) == (0, pytest.approx(110))
    assert (age["markers"], age["numbers"]) == (["-999", "-999.0", "k.a.", "unknown"], [-999])
    assert (age["expected"], age["outside"]) == (
        "an integer from 0 to 110",
        "expected an integer from 0 to 110; training saw 18 to 64",
    )
    assert age["unlike"] == "a number outside the range seen in training, 18 to 64"
    assert (bmi["low"], bmi["high"], bmi["expected"]) == (10, None, "a number of 10 or more, or null")
    assert (smoker["closed"], smoker["expected"], smoker["outside"], smoker["unlike"]) == (True, 'one of "no", "yes"', "", "")
    assert joined["unlike"] == "a date outside the range seen in training, 2020-01-01 to 2023-12-31"
    assert "nan" in found["missing"] and found["texts"].keys() == {"ignored", "not_finite", "unseen_level"}


@pytest.mark.parametrize(
    "settings, expected",
    [
        ("serving: {unknown_levels: warn, out_of_range: reject}\n", (18, 64, "", False)),
        ("serving: {out_of_range: warn}\n", (None, None, "a number outside the range seen in training, 18 to 64", True)),
    ],
)
def test_the_policies_are_in_it(rules, settings, expected):
    age, _, smoker, _ = rules(settings)["fields"]
    assert (age["low"], age["high"], age["unlike"], smoker["closed"]) == expected


def test_columns_that_are_no_fields(rules):
    found = rules("id: [number, age]\ngroup: [family]\ndrop: [note]\n")
    assert (found["ids"], found["known"]) == (["number"], ["charges", "family", "note"])


def test_features_are_told_as_formulas(rules):
    features = (Feature("bin", "bin(age, 30, 50)"), Feature("double", "age * 2"))
    encoding = Encoding(SCHEMA, (*ENCODING.outputs, Output("value", "double"), Output("missing", "bin")), features)
    found = rules(encoding=encoding, rows=ROWS, weights=np.ones((6, 1)))["formulas"]
    assert found == {
        "bin(age, 30, 50)": {
            "tree": ["bin", ["column", "age"], 30.0, 50.0],
            "levels": ["below 30", "30 to 50", "50 or more"],
        },
        "age * 2": {"tree": ["*", ["column", "age"], 2.0], "levels": []},
    }


def test_the_interval_is_the_one_that_the_page_shows(rules):
    assert rules()["interval"]["level"] == 0.9
    assert rules(task="binary")["interval"] is None


def test_the_same_service_gives_the_same_bytes(tmp_path):
    service = start(tmp_path).extensions["slipway"]
    assert device_rules(service) == device_rules(service)
    assert json.loads(device_rules(service))["digest"] == service.digest


def test_the_files_are_what_the_digest_vouches_for_and_no_report(tmp_path):
    bundle = make_bundle(LocalStore(tmp_path / "artifacts"), "binary")
    names = ("manifest.json", "serving.json", "schema.json", "model.json", "golden.json", "model.onnx")
    assert device_files(bundle) == names


def test_a_graph_that_members_share_is_named_once(tmp_path):
    made = files("binary")
    model = json.loads(made["model.json"])
    [member] = model["members"]
    model["members"] = [member | {"weight": 0.5}] * 2
    bundle = LocalStore(tmp_path / "artifacts").add("binary", made | {"model.json": json.dumps(model).encode()})
    assert device_files(bundle).count("model.onnx") == 1


def test_a_model_that_is_too_large_is_refused_with_the_cure(tmp_path, monkeypatch):
    bundle = make_bundle(LocalStore(tmp_path / "artifacts"), "binary")
    monkeypatch.setattr(module, "MOST_BYTES", bundle.files["model.onnx"]["bytes"] - 1)
    with pytest.raises(ServingError, match="a device may get at most") as caught:
        device_files(bundle)
    assert "Set serving.offline to false" in caught.value.cure
