import json

import numpy as np
import pytest

from slipway.model.metrics import Scored, value
from slipway.model.typed_document import written
from slipway.training.evaluation.live import reference

RANDOM = np.random.default_rng(0)
TRUTH = RANDOM.normal(size=500)
SCORES = RANDOM.uniform(size=500)
POSITIVE = (RANDOM.uniform(size=500) < SCORES**2).astype(int)  # overconfident
SHARES = RANDOM.dirichlet([1, 1, 1], 500)
LABELS = RANDOM.integers(0, 3, 500)


def test_numbers_have_an_error_in_each_bin_of_the_answer():
    scored = Scored(TRUTH, TRUTH + np.where(TRUTH > 0, 2.0, 0.5))
    found = reference(scored, (), costs=False)
    assert (found.rows, sum(found.counts), len(found.counts), len(found.edges)) == (500, 500, 10, 11)
    assert (min(found.counts), max(found.counts)) == (50, 50)
    assert (found.errors[0], found.errors[-1]) == (pytest.approx(0.5), pytest.approx(2.0))
    assert np.average(found.errors, weights=found.counts) == pytest.approx(found.losses["absolute_error"].mean)
    assert found.losses["absolute_error"].mean == pytest.approx(value("mae", scored))
    assert found.losses["squared_error"].mean == pytest.approx(value("rmse", scored) ** 2)
    assert found.labels == {} and found.scores == ()


def test_two_labels_have_a_calibration_and_losses():
    scored = Scored(POSITIVE, SCORES, 0.5, (1.0, 5.0))
    found = reference(scored, ("no", "yes"), costs=True)
    assert found.labels == {"no": (SCORES < 0.5).sum(), "yes": (SCORES >= 0.5).sum()}
    curve = np.interp(SCORES, found.scores, found.shares)
    assert (np.diff(found.shares) >= 0).all() and np.abs(curve - SCORES**2).mean() < np.abs(SCORES - SCORES**2).mean() / 2
    assert curve.mean() == pytest.approx(POSITIVE.mean())
    for name, metric in (("log_loss", "log_loss"), ("cost", "cost")):
        assert found.losses[name].mean == pytest.approx(value(metric, scored))
    assert found.losses["error"].mean == pytest.approx(1 - value("accuracy", scored))
    assert reference(scored, ("no", "yes"), costs=False).losses.keys() == {"log_loss", "error"}


def test_several_labels_are_rated_by_the_one_that_was_answered():
    scored = Scored(LABELS, SHARES)
    found = reference(scored, ("a", "b", "c"), costs=False)
    assert sum(found.labels.values()) == sum(found.counts) == 500
    assert found.edges[0] == SHARES.max(axis=1).min()
    assert np.interp(SHARES.max(axis=1), found.scores, found.shares).mean() == pytest.approx(value("accuracy", scored))


@pytest.mark.parametrize("scores", [np.full(40, 0.3), np.repeat([0.2, 0.8], 20)])
def test_scores_that_hardly_differ_have_fewer_bins(scores):
    found = reference(Scored(np.repeat([0, 1], 20), scores, 0.5), ("no", "yes"), costs=False)
    assert sum(found.counts) == 40 and len(found.edges) == len(found.counts) + 1
    assert json.loads(written(found))["losses"]["error"]["mean"] <= 0.5
