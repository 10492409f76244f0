"""The forests are those of scikit-learn: the same trees from the same seed, to the last bit."""

import pickle

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor, RandomForestClassifier, RandomForestRegressor

from slipway.training.fitting.trees import ForestOfClasses, ForestOfNumbers

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(300, 7)).astype(np.float32)
HOLES = np.where(RANDOM.random(X.shape) < 0.1, np.float32(np.nan), X)
NUMBERS = X[:, 0] * 100 + X[:, 3] ** 2 + RANDOM.normal(size=300)
CLASSES = 2 * np.digitize(NUMBERS, [-50, 50])  # of which a fold may lack some in between
SETTINGS = [
    {"min_samples_leaf": 1, "max_features": 0.5},
    {"min_samples_leaf": 5, "max_features": 1.0},
    {"min_samples_leaf": 2, "max_features": "sqrt"},
    {"min_samples_leaf": 2, "max_features": 0.3, "max_samples": 150},
]


@pytest.mark.parametrize("x", [X, HOLES, np.asfortranarray(HOLES)], ids=["whole", "holes", "by column"])
@pytest.mark.parametrize("settings", SETTINGS, ids=str)
@pytest.mark.parametrize("splits", ["best", "random"])
def test_the_trees_are_those_of_scikit_learn(x, settings, splits):
    numbers, classes = {
        "best": (RandomForestRegressor, RandomForestClassifier),
        "random": (ExtraTreesRegressor, ExtraTreesClassifier),
    }[splits]
    drawn = {"bootstrap": True} if "max_samples" in settings else {}
    given = {"n_estimators": 10, "random_state": 3, **settings, **drawn}
    theirs = numbers(**given).fit(x[:200], NUMBERS[:200])
    ours = ForestOfNumbers(10, 3, splits=splits, **settings).fit(x[:200], NUMBERS[:200])
    np.testing.assert_array_equal(ours.predict(x[200:]), theirs.predict(x[200:]))
    theirs = classes(**given).fit(x[:200], CLASSES[:200])
    ours = ForestOfClasses(10, 3, splits=splits, **settings).fit(x[:200], CLASSES[:200])
    np.testing.assert_array_equal(ours.classes_, theirs.classes_)
    np.testing.assert_array_equal(ours.predict_proba(x[200:]), theirs.predict_proba(x[200:]))


def test_a_forest_travels_between_processes():
    forest = ForestOfNumbers(5, 0).fit(X, NUMBERS)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(forest)).predict(X), forest.predict(X))
