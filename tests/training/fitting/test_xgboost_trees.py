"""Trees of XGBoost as graphs; XGBoost is installed with Spark alone."""

import numpy as np
import pytest

from slipway.model.runner import LINKS
from slipway.training.fitting.candidates import CANDIDATES
from slipway.training.fitting.xgboost_trees import USUAL, BoostedClasses, BoostedNumbers, library
from training.fitting.test_export import HOLES, NUMBERS, THREE, TWO, answers

pytestmark = pytest.mark.spark
SETTINGS = {**USUAL, "max_iter": 40}


def margins(estimator, x: np.ndarray) -> np.ndarray:
    """What XGBoost itself answers before the link, in float32."""
    return estimator.booster.predict(library().DMatrix(x), output_margin=True).reshape(len(x), -1)


@pytest.mark.parametrize("y", [NUMBERS, TWO, THREE], ids=["numbers", "two classes", "three classes"])
def test_the_graph_answers_what_xgboost_answers(y):
    estimator = (BoostedNumbers if y is NUMBERS else BoostedClasses)(SETTINGS, 0).fit(HOLES[:600], y[:600])
    answered, own = answers(CANDIDATES["xgboost"], estimator, HOLES[600:]), margins(estimator, HOLES[600:])
    if y is NUMBERS:
        expected, link, own = estimator.predict(HOLES[600:])[:, None], "identity", own * y[:600].std() + y[:600].mean()
    else:
        expected, link = estimator.predict_proba(HOLES[600:]), "sigmoid" if y is TWO else "softmax"
        expected = expected[:, 1:] if y is TWO else expected
    np.testing.assert_allclose(answered, expected, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(answered, LINKS[link](own), rtol=2e-5, atol=2e-6 * np.abs(answered).max())


def test_values_on_a_threshold_go_the_same_way():
    """Thresholds of XGBoost are values of its cuts, and what equals one goes right."""
    x = np.arange(64, dtype=np.float32).reshape(-1, 1)
    y = np.arange(64.0) ** 2
    estimator = BoostedNumbers({**SETTINGS, "min_samples_leaf": 1}, 0).fit(x, y)
    thresholds = {each for tree in estimator.trees() for each in tree.threshold[~tree.leaf]}
    assert {np.nextafter(np.float32(each), np.float32(np.inf)) for each in thresholds} & set(x.ravel().tolist())
    np.testing.assert_allclose(answers(CANDIDATES["xgboost"], estimator, x)[:, 0], estimator.predict(x), rtol=1e-9)
    np.testing.assert_allclose(estimator.predict(x), margins(estimator, x)[:, 0] * y.std() + y.mean(), rtol=1e-4, atol=0.01)


def test_large_numbers_close_together_are_told_apart():
    """In float32 they would be one number."""
    x = np.arange(200, dtype=np.float32).reshape(-1, 1)
    y = 1e9 + np.arange(200.0)
    fitted = BoostedNumbers({**SETTINGS, "max_iter": 100, "min_samples_leaf": 1}, 0).fit(x, y)
    assert np.abs(fitted.predict(x) - y).max() < 1


def test_numbers_beyond_float32_are_learned_from_and_answered_alike():
    """XGBoost refuses an infinite number; a graph is given one."""
    random = np.random.default_rng(0)
    x = random.normal(size=(600, 2))
    x[:200, 0], x[200:210, 0], x[210:220, 0], x[220:300, 1] = np.nan, 1.7e308, -1.7e308, np.inf
    y = 5.0 * np.isnan(x[:, 0]) + 3 * (x[:, 1] > 1e300) + 2 * (x[:, 0] > 1e300) + random.normal(0, 0.1, 600)
    fitted = BoostedNumbers({**SETTINGS, "min_samples_leaf": 3}, 0).fit(x, y)
    assert any(np.isinf(tree.threshold).any() for tree in fitted.trees())  # those that part the missing from all others
    with np.errstate(over="ignore"):
        asked = x.astype(np.float32)
    np.testing.assert_allclose(answers(CANDIDATES["xgboost"], fitted, asked)[:, 0], fitted.predict(x), rtol=1e-9, atol=1e-9)


def test_the_same_rows_give_the_same_bytes():
    one, other = (BoostedNumbers(SETTINGS, 0).fit(HOLES, NUMBERS) for _ in range(2))
    assert one.content == other.content
    assert CANDIDATES["xgboost"].export(one, 6) == CANDIDATES["xgboost"].export(other, 6)
