import numpy as np
import onnxruntime
import pytest
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge

from slipway.model.runner import INPUT, LINKS, OUTPUT
from slipway.table.schema import MISSING, UNSEEN, Field, Schema
from slipway.training.data.labelled import Rows
from slipway.training.fitting.candidates import CANDIDATES, Trial
from slipway.training.fitting.fitted import fit

RANDOM = np.random.default_rng(0)
X = (RANDOM.normal(size=(900, 6)) * [1, 10, 100, 1_000, 1e5, 1]).astype(np.float32)
HOLES = X.copy()
HOLES[RANDOM.random(X.shape) < 0.1] = np.nan
NUMBERS = 1_000 * X[:, 0] + X[:, 3] + RANDOM.normal(0, 300, 900)  # crosses zero, where relative errors show
TWO = (NUMBERS > 0).astype(int)
THREE = np.digitize(NUMBERS, [-500, 500])


def answers(candidate, fitted, x):
    graph = candidate.export(fitted, x.shape[1])
    session = onnxruntime.InferenceSession(graph.onnx, providers=["CPUExecutionProvider"])
    parts = session.run([OUTPUT], {INPUT: x.astype(candidate.dtype)})[0].astype(np.float64)
    return LINKS[graph.link](parts.reshape(len(x), -1, len(graph.base)).sum(axis=1) + graph.base)


@pytest.mark.parametrize(
    ("name", "estimator", "x", "y"),
    [
        ("boosting", HistGradientBoostingRegressor(max_iter=60), HOLES, NUMBERS),
        ("forest", RandomForestRegressor(30, random_state=0), HOLES, NUMBERS),
        ("linear", Ridge(), X.astype(np.float64), NUMBERS),
        ("boosting", HistGradientBoostingClassifier(max_iter=30), HOLES, TWO),
        ("forest", RandomForestClassifier(30, random_state=0), HOLES, TWO),
        ("linear", LogisticRegression(max_iter=2_000), X.astype(np.float64) / X.std(axis=0), TWO),
        ("boosting", HistGradientBoostingClassifier(max_iter=20), HOLES, THREE),
        ("forest", RandomForestClassifier(30, random_state=0), HOLES, THREE),
        ("linear", LogisticRegression(max_iter=2_000), X.astype(np.float64) / X.std(axis=0), THREE),
    ],
)
def test_the_graph_answers_what_scikit_learn_answers(name, estimator, x, y):
    """Far closer than the parity gate asks for: 1e-5 relative."""
    estimator.fit(x[:600], y[:600])
    answered = answers(CANDIDATES[name], estimator, x[600:])
    if y is NUMBERS:
        expected = estimator.predict(x[600:])[:, None]
    else:
        expected = estimator.predict_proba(x[600:])
        expected = expected[:, 1:] if y is TWO else expected
    np.testing.assert_allclose(answered, expected, rtol=1e-8, atol=1e-8)


def test_values_on_a_threshold_go_the_same_way():
    """Thresholds lie half-way between neighbours of float32, so that rounding one up would move its upper value."""
    steps = np.nextafter(np.float32(1), np.float32(2), dtype=np.float32) - np.float32(1)
    x = (1 + steps * np.arange(64, dtype=np.float32)).reshape(-1, 1)
    y = np.arange(64.0) ** 2
    estimator = HistGradientBoostingRegressor(min_samples_leaf=1, max_iter=20).fit(x, y)
    np.testing.assert_allclose(answers(CANDIDATES["boosting"], estimator, x)[:, 0], estimator.predict(x), rtol=1e-9)


def test_the_same_estimator_gives_the_same_bytes():
    estimator = HistGradientBoostingRegressor(max_iter=5).fit(X, NUMBERS)
    export = CANDIDATES["boosting"].export
    assert export(estimator, 6).onnx == export(estimator, 6).onnx


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
@pytest.mark.parametrize("levels, missing", [(2, 0.0), (12, 0.1), (600, 0.0)])
def test_sets_of_levels_are_split_as_scikit_learn_splits_them(task, levels, missing):
    """Also levels that training never saw, rare ones of more than fit into its bins, and missing cells that it never had."""
    random = np.random.default_rng(1)
    codes = np.minimum(random.geometric(min(0.5, 8 / levels), 2_000) - 1, levels - 1)
    other = random.integers(0, 3, 2_000)
    numbers = random.normal(size=2_000)
    y = numbers + random.normal(size=levels)[codes] + 2 * numbers * (other == 1)
    codes[random.random(2_000) < missing] = MISSING
    y, classes = {
        "regression": (y, ()),
        "binary": ((y > 0).astype(int), ("no", "yes")),
        "multiclass": (np.digitize(y, [-1, 1]), ("a", "b", "c")),
    }[task]
    schema = Schema(
        (
            Field("code", "category", tuple(map(str, range(levels)))),
            Field("x", "number"),
            Field("other", "category", ("a", "b", "c")),
        )
    )
    rows = Rows(schema, {"code": codes, "x": numbers, "other": other}, y, task, classes)
    learned, unseen = rows.take(np.arange(1_200)), rows.take(np.arange(1_200, 2_000))
    fitted = fit(Trial("boosting", {"max_iter": 8, "native_levels": True}), learned, 0)
    kinds = [output.kind for output in fitted.encoding.outputs]
    assert [kind for kind in kinds if kind != "mean"] == ["rank", "value", "rank"]
    assert fitted.estimator.is_categorical_.tolist() == [kind == "rank" for kind in kinds]
    unseen.columns["code"][:100] = UNSEEN
    unseen.columns["other"][50:150] = UNSEEN
    unseen.columns["other"][150:250] = MISSING
    answered = answers(CANDIDATES["boosting"], fitted.estimator, fitted.matrix(unseen.columns))
    expected = fitted.scores(unseen.columns)
    np.testing.assert_allclose(answered if task == "multiclass" else answered[:, 0], expected, rtol=1e-8, atol=1e-8)
