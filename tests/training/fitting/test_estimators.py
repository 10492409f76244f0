"""Estimators that a person brings as graphs: the same answers as scikit-learn's."""

import numpy as np
import pytest
from sklearn.ensemble import (
    AdaBoostRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import (
    BayesianRidge,
    ElasticNet,
    HuberRegressor,
    LassoCV,
    LinearRegression,
    LogisticRegression,
    LogisticRegressionCV,
    RidgeClassifier,
)
from sklearn.neighbors import KNeighborsRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from slipway.errors import TableError
from slipway.model.contents import Member, Outputs
from slipway.model.encoding import Output
from slipway.model.runner import Runner
from slipway.model.typed_document import Draft
from slipway.table.schema import Field, Schema
from slipway.training.fitting.estimators import exported_as, trees_of

ROWS = 150
NAMES = ("a", "b", "c", "d")
X = np.random.default_rng(0).normal(size=(ROWS, 4))
Y = X[:, 0] - 2 * X[:, 1] * X[:, 2] + np.random.default_rng(1).normal(0, 0.1, ROWS)


def answers(fitted, rows):
    """What the exported graph says of rows, through the same runner as in production."""
    dtype, export = exported_as(fitted)
    graph = export(fitted, len(NAMES))
    encoding = Outputs(tuple(Output("value", name) for name in NAMES))
    member = Member(candidate="own", settings={}, input=dtype, link=graph.link, base=tuple(graph.base), encoding=encoding)
    runner = Runner(Draft({"model.onnx": graph.onnx}), Schema(tuple(Field(name, "number") for name in NAMES)), member)
    return runner.scores(dict(zip(NAMES, rows.T)))


@pytest.mark.parametrize(
    "estimator",
    [
        LinearRegression(),
        LassoCV(),
        ElasticNet(fit_intercept=False),
        HuberRegressor(),
        BayesianRidge(),
        DecisionTreeRegressor(max_depth=4),
        RandomForestRegressor(5),
        ExtraTreesRegressor(5),
        GradientBoostingRegressor(n_estimators=8),
        GradientBoostingRegressor(n_estimators=8, loss="huber", subsample=0.5, random_state=0),
        HistGradientBoostingRegressor(max_iter=8),
        HistGradientBoostingRegressor(max_iter=8, loss="absolute_error"),
    ],
    ids=str,
)
def test_numbers(estimator):
    rows = X.astype(exported_as(estimator)[0])
    fitted = estimator.fit(rows, Y)
    np.testing.assert_allclose(answers(fitted, rows)[:, 0], fitted.predict(rows), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize(
    "estimator",
    [
        LogisticRegression(),
        LogisticRegressionCV(Cs=2, cv=2, use_legacy_attributes=False, l1_ratios=(0,), scoring="neg_log_loss"),
        DecisionTreeClassifier(max_depth=4),
        RandomForestClassifier(5),
        ExtraTreesClassifier(5),
        GradientBoostingClassifier(n_estimators=8),
        HistGradientBoostingClassifier(max_iter=8),
    ],
    ids=str,
)
def test_classes(estimator, classes):
    rows, codes = X.astype(exported_as(estimator)[0]), np.digitize(Y, [0.0, 1.5][: classes - 1])
    fitted = estimator.fit(rows, codes)
    expected = fitted.predict_proba(rows)
    np.testing.assert_allclose(answers(fitted, rows), expected if classes > 2 else expected[:, 1:], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    "estimator, says",
    [
        (KNeighborsRegressor(), "KNeighborsRegressor cannot be exported. Use a linear model"),
        (AdaBoostRegressor(), "AdaBoostRegressor cannot"),
        (RidgeClassifier(), "RidgeClassifier cannot"),
        (HistGradientBoostingRegressor(loss="poisson"), r"HistGradientBoostingRegressor\(loss='poisson'\) cannot"),
    ],
)
def test_what_cannot_be_exported_is_named(estimator, says):
    with pytest.raises(TableError, match=says):
        exported_as(estimator)


@pytest.mark.parametrize(
    "estimator, says",
    [
        (GradientBoostingClassifier(loss="exponential", n_estimators=2), "loss='exponential'"),
        (GradientBoostingClassifier(init=LogisticRegression(), n_estimators=2), "as init"),
    ],
)
def test_gradient_boosting_with_further_settings_is_named(estimator, says):
    _, export = exported_as(estimator)
    with pytest.raises(TableError, match=says):
        export(estimator.fit(X, (Y > 0).astype(int)), len(NAMES))


@pytest.mark.parametrize(
    "estimator, counted",
    [
        (LinearRegression(), (0, 1)),
        (DecisionTreeRegressor(), (1, 1000)),
        (RandomForestRegressor(30, max_depth=4), (30, 16)),
        (HistGradientBoostingRegressor(max_iter=50), (50, 31)),
        (GradientBoostingRegressor(), (100, 8)),
    ],
    ids=str,
)
def test_trees_are_counted_for_the_estimate_of_a_row(estimator, counted):
    assert trees_of(estimator, rows=1000) == counted
