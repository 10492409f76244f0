import json
import math
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bundles import ROWS, SCHEMA, TASKS, files, make_bundle
from slipway.errors import BundleError
from slipway.model.predictor import Predictor, close
from slipway.model.typed_document import Draft
from slipway.store.local import LocalStore
from slipway.table.cell import columns_from_rows
from slipway.training.fitting.export import linear_graph

COLUMNS = columns_from_rows(SCHEMA, ROWS)
MATRIX = np.array([[19, 27.9, 1, 2], [62, 30, 0, 4], [45, 33.3, 0, 4], [33, 22.7, 1, 0]])


def raw(task: str) -> np.ndarray:
    return MATRIX @ np.array(TASKS[task]["weights"]) + np.array(TASKS[task]["base"])


@pytest.fixture
def store(tmp_path) -> LocalStore:
    return LocalStore(tmp_path)


def with_model(content: dict, member: dict | None = None, **model) -> dict:
    """The files with other values in model.json, or of its first member."""
    document = json.loads(content["model.json"]) | model
    document["members"][0] |= member or {}
    return content | {"model.json": json.dumps(document).encode()}


def predictor(store, task, member=None, **model) -> Predictor:
    """Of a bundle with other values in model.json."""
    content = with_model(files(task), member, **model)
    return Predictor(store.add(task, content))


def test_a_number(store):
    found = predictor(store, "regression").predict(COLUMNS)
    np.testing.assert_allclose(found.values, raw("regression")[:, 0], rtol=1e-12)
    assert found.probabilities is None
    assert all(type(value) is float for value in found.values)


def test_single_rows_are_answered_as_many_are_by_threads_at_once(store):
    made = predictor(store, "multiclass")
    together = made.scores(COLUMNS)
    alone = [columns_from_rows(SCHEMA, [row]) for row in ROWS]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(made.scores, alone * 200))
    np.testing.assert_array_equal(np.concatenate(found), np.concatenate([together] * 200))


def test_the_logarithm_is_undone_in_double_precision(store):
    weights = [[0.1], [0.2], [1.0], [-0.5]]
    content = with_model(files("regression", weights=weights), {"link": "expm1", "base": [0.5]})
    found = Predictor(store.add("regression", content)).scores(COLUMNS)
    np.testing.assert_allclose(found, np.expm1(MATRIX @ np.array(weights)[:, 0] + 0.5), rtol=1e-13)


def test_two_labels(store):
    made = predictor(store, "binary")
    found = made.predict(COLUMNS)
    positive = 1 / (1 + np.exp(-raw("binary")[:, 0]))
    np.testing.assert_allclose(found.probabilities, np.column_stack([1 - positive, positive]), rtol=1e-12)
    assert found.values == ["Y" if share >= 0.5 else "N" for share in positive]
    assert (made.positive, made.classes) == ("Y", ("N", "Y"))


@pytest.mark.parametrize("threshold", [0.0, 0.6, 0.75, 1.0])
def test_the_threshold_decides(store, threshold):
    found = predictor(store, "binary", threshold=threshold).predict(COLUMNS)
    assert found.values == ["Y" if share >= threshold else "N" for share in found.probabilities[:, 1]]


def test_several_labels(store):
    made = predictor(store, "multiclass")
    found = made.predict(COLUMNS)
    powers = np.exp(raw("multiclass"))
    np.testing.assert_allclose(found.probabilities, powers / powers.sum(axis=1, keepdims=True), rtol=1e-12)
    assert found.values == ["abc"[place] for place in raw("multiclass").argmax(axis=1)]
    assert made.positive is None


@pytest.mark.parametrize("task", TASKS)
def test_members_are_blended_by_their_weights(store, task):
    content = files(task)
    doubled = linear_graph(2 * np.array(TASKS[task]["weights"]))
    (first,) = json.loads(content["model.json"])["members"]
    members = [first | {"weight": 0.75}, first | {"weight": 0.25, "graph": "model-2.onnx"}]
    blend = Predictor(store.add(task, with_model(content, members=members) | {"model-2.onnx": doubled}))
    one, two = (Predictor(Draft(content | {"model.onnx": graph})) for graph in (content["model.onnx"], doubled))
    np.testing.assert_allclose(blend.scores(COLUMNS), 0.75 * one.scores(COLUMNS) + 0.25 * two.scores(COLUMNS), rtol=1e-12)
    assert blend.model.kind == "linear"


def test_a_graph_that_is_not_there_is_named(store):
    with pytest.raises(BundleError, match="has no model-7.onnx"):
        predictor(store, "regression", {"graph": "model-7.onnx"})


def test_a_calibration_moves_probabilities(store):
    plain, moved = predictor(store, "binary"), predictor(store, "binary", calibration={"slope": 0.5, "shift": 0.3})
    scores = plain.scores(COLUMNS)
    np.testing.assert_allclose(moved.scores(COLUMNS), 1 / (1 + np.exp(-0.5 * np.log(scores / (1 - scores)) - 0.3)), rtol=1e-12)
    for base, expected in ((-1000.0, 0.0), (1000.0, 1.0)):
        extreme = predictor(store, "binary", {"base": [base]}, calibration={"slope": 0.5, "shift": 0.3})
        assert (extreme.scores(COLUMNS) == expected).all()


@pytest.mark.parametrize("base, expected", [(-1000.0, 0.0), (1000.0, 1.0), (0.0, 0.5)])
def test_probabilities_stay_finite(store, base, expected):
    with np.errstate(over="raise", invalid="raise"):
        found = predictor(store, "binary", {"base": [base]}).scores(COLUMNS)
        spread = predictor(store, "multiclass", {"base": [base, -base, 0.0]}).scores(COLUMNS)
    assert np.isfinite(found).all() and (base == 0 or (found == expected).all())
    np.testing.assert_allclose(spread.sum(axis=1), 1)


@pytest.mark.parametrize("task", TASKS)
def test_a_row_is_answered_alike_alone_and_among_others(store, task):
    made = predictor(store, task)
    alone = [made.predict(columns_from_rows(SCHEMA, [row])).values[0] for row in ROWS]
    assert alone == made.predict(COLUMNS).values


@pytest.mark.parametrize(
    "task, of",
    [
        ("regression", "charges"),
        ("binary", "probability of Y"),
        ("multiclass", "probability of a"),
    ],
)
def test_contributions_explain_the_answer(store, task, of):
    made = Predictor(make_bundle(store, task))
    row = columns_from_rows(SCHEMA, ROWS[:1])
    found = made.contributions(row)
    assert found.of == of
    expected = made.scores(row)[0] if task != "multiclass" else made.scores(row)[0].max()
    assert found.result == pytest.approx(expected)
    assert found.base + sum(amount for _, amount in found.fields) == pytest.approx(found.result)
    assert sorted(name for name, _ in found.fields) == sorted(SCHEMA.names)


@pytest.mark.parametrize("task", TASKS)
def test_golden_predictions_replay(store, task):
    Predictor(make_bundle(store, task)).replay()


def changed(answer: dict, task: str, factor: float) -> dict:
    if task == "regression":
        return {"prediction": answer["prediction"] * factor}
    return answer | {"probabilities": {name: value * factor for name, value in answer["probabilities"].items()}}


def with_golden(store, task, change):
    bundle = make_bundle(store, task)
    content = {name: bundle.read(name) for name in bundle.parts["serving"]}
    golden = bundle.json("golden.json")
    golden["predictions"][2] = change(golden["predictions"][2])
    return Predictor(store.add(task, content | {"golden.json": json.dumps(golden).encode()}))


@pytest.mark.parametrize("task", TASKS)
def test_a_golden_prediction_that_differs_is_named(store, task):
    with_golden(store, task, lambda answer: changed(answer, task, 1 + 5e-6)).replay()
    with pytest.raises(BundleError, match="golden prediction 3 differs from the recorded one"):
        with_golden(store, task, lambda answer: changed(answer, task, 1 + 5e-5)).replay()


@pytest.mark.parametrize("task", ["binary", "multiclass"])
def test_a_golden_label_that_differs_is_named(store, task):
    other = {"N": "Y", "Y": "N", "a": "b", "b": "a", "c": "a"}
    with pytest.raises(BundleError, match="golden prediction 3"):
        with_golden(store, task, lambda answer: answer | {"prediction": other[answer["prediction"]]}).replay()


def test_a_golden_label_at_the_threshold_may_differ(store):
    bundle = make_bundle(store, "binary")
    share = bundle.json("golden.json")["predictions"][0]["probabilities"]["Y"]
    content = {name: bundle.read(name) for name in bundle.parts["serving"]}
    for distance, fails in [(1e-7, False), (1e-5, True)]:
        threshold = share + distance
        model = json.dumps(bundle.json("model.json") | {"threshold": threshold}).encode()
        golden = bundle.json("golden.json")
        for answer in golden["predictions"]:
            answer["prediction"] = "Y" if answer["probabilities"]["Y"] >= threshold else "N"
        golden["predictions"][0]["prediction"] = "Y"  # the model says N, by a hair
        made = Predictor(
            store.add(
                "binary",
                content
                | {
                    "model.json": model,
                    "golden.json": json.dumps(golden).encode(),
                },
            )
        )
        if fails:
            with pytest.raises(BundleError, match="golden prediction 1"):
                made.replay()
        else:
            made.replay()


@pytest.mark.parametrize(
    "expected, answer, same",
    [
        (1.0, 1.0, True),
        (1e6, 1e6 + 9, True),
        (1e6, 1e6 + 11, False),
        (0.0, 9e-7, True),
        (0.0, 2e-6, False),
        (-1e6, -1e6 - 9, True),
        (1.0, math.nan, False),
        (1.0, math.inf, False),
    ],
)
def test_when_answers_agree(expected, answer, same):
    assert bool(close(expected, answer)) is same


@pytest.mark.parametrize(
    "name, content, says",
    [
        ("model.onnx", b"nonsense", "ONNX Runtime cannot load it"),
        ("model.onnx", b"", "ONNX Runtime cannot load it"),
        ("model.onnx", linear_graph(np.ones((3, 1))), "model.onnx: its inputs and outputs differ"),
        ("model.onnx", linear_graph(np.ones((4, 3))), "model.onnx: its inputs and outputs differ"),
        (
            "model.json",
            files("regression")["model.json"].replace(b"float64", b"float32"),
            "model.onnx: its inputs and outputs",
        ),
        ("schema.json", b'{"fields": []}', "value of age does not fit schema.json"),
        ("model.json", b"{}", "model.json: Object missing required field `task`"),
    ],
)
def test_files_that_do_not_fit_are_named(store, name, content, says):
    bundle = store.add("regression", files("regression") | {name: content})
    with pytest.raises(BundleError, match=f"bundle {bundle.digest[:12]}: .*{says}"):
        Predictor(bundle)


@pytest.mark.parametrize(
    "task, answer",
    [
        ("regression", {"prediction": "Y"}),
        ("regression", {"prediction": 1.0, "probabilities": {"Y": 1.0}}),
        ("binary", {"prediction": "Y"}),
        ("binary", {"prediction": 1.0, "probabilities": {"N": 0.0, "Y": 1.0}}),
        ("multiclass", {"prediction": "a", "probabilities": {"a": 0.5, "b": 0.5}}),
    ],
)
def test_a_golden_answer_of_another_task_is_named(store, task, answer):
    with pytest.raises(BundleError, match=r"golden.json: not an answer of this model - at `\$.predictions\[2\]`"):
        with_golden(store, task, lambda _: answer).replay()


@pytest.mark.parametrize("row", [{"age": "old"}, {"joined": "yesterday"}, {"joined": 7}])
def test_a_golden_row_that_does_not_fit_the_schema_is_named(store, row):
    content = files("regression")
    golden = json.loads(content["golden.json"])
    golden["rows"][1] |= row
    made = Predictor(store.add("regression", content | {"golden.json": json.dumps(golden).encode()}))
    with pytest.raises(BundleError, match="golden.json: rows: do not fit schema.json"):
        made.replay()


def test_a_file_that_is_not_there_is_named(store):
    content = files("regression")
    del content["model.onnx"]
    with pytest.raises(BundleError, match="has no model.onnx"):
        Predictor(store.add("regression", content))
