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
from slipway.training.candidates import CANDIDATES

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
