"""What an image says of itself."""

import json

import pytest

from bundles import ENCODING, ROWS, SCHEMA, make_bundle
from slipway.errors import BundleError, ReleaseError, StoreError
from slipway.model.encoding import Encoding, Output
from slipway.release.box.execution import same
from slipway.release.image.labels import labels
from slipway.store.local import LocalStore


@pytest.fixture
def store(tmp_path) -> LocalStore:
    return LocalStore(tmp_path / "artifacts")


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_the_bundle_and_a_row_with_its_answer(store, task):
    bundle = make_bundle(store, task)
    found = labels(store)
    assert found["slipway.bundle"] == bundle.digest
    golden = json.loads(found["slipway.golden"])
    assert golden == {"row": ROWS[0], "answer": bundle.json("golden.json")["predictions"][0]}


def test_a_row_that_the_service_would_refuse_is_passed_over(store):
    odd = [ROWS[0] | {"age": 99}, ROWS[0] | {"smoker": "sometimes"}, ROWS[0] | {"age": None}]
    filled = Encoding(SCHEMA, (Output("value", "age", fill=39.0), *ENCODING.outputs[1:]))
    make_bundle(store, "regression", rows=[*odd, ROWS[1]], encoding=filled)
    assert json.loads(labels(store)["slipway.golden"])["row"] == ROWS[1]


def test_no_row_that_fits_is_an_error(store):
    make_bundle(store, "regression", rows=[ROWS[0] | {"age": 99}])
    with pytest.raises(ReleaseError, match="every golden row"):
        labels(store)


def test_no_champion_and_a_damaged_bundle_are_errors(store):
    with pytest.raises(StoreError, match="no champion yet"):
        labels(store)
    bundle = make_bundle(store, "regression")
    (bundle.folder / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(BundleError, match="model.onnx"):
        labels(store)


@pytest.mark.parametrize(
    "expected, found, answer",
    [
        (1000.0, 1000.0, True),
        (1000.0, 1000.0000001, True),
        (1000.0, 1000.1, False),
        (1000.0, None, False),
        (0.0, 1e-12, True),
        (1000, 1000.0, True),
        ("yes", "yes", True),
        ("yes", "no", False),
        (True, 1, True),
        (1.0, True, False),
        (1.0, "1.0", False),
        ({"no": 0.25, "yes": 0.75}, {"no": 0.25, "yes": 0.75}, True),
        ({"no": 0.25}, {"yes": 0.25}, False),
        ({"no": 0.25}, 0.25, False),
    ],
)
def test_an_answer_is_the_recorded_one_up_to_rounding(expected, found, answer):
    assert same(expected, found) is answer
