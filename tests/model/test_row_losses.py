import numpy as np
import pytest
from sklearn.metrics import log_loss

from slipway.model.row_losses import deciding, losses_of_labels, losses_of_numbers


def test_losses_of_numbers():
    found = losses_of_numbers(np.array([1.0, 2.0]), np.array([3.0, 1.5]))
    assert {name: each.tolist() for name, each in found.items()} == {"absolute_error": [2, 0.5], "squared_error": [4, 0.25]}


@pytest.mark.parametrize("labels", [2, 3])
def test_losses_of_labels_have_the_means_of_scikit_learn(labels):
    random = np.random.default_rng(0)
    shares, truth = random.dirichlet(np.ones(labels), 50), random.integers(0, labels, 50)
    scores, chosen = (shares[:, 1] if labels == 2 else shares), shares.argmax(axis=1)
    found = losses_of_labels(truth, scores, chosen)
    assert found.keys() == {"log_loss", "error"}
    assert found["log_loss"].mean() == pytest.approx(log_loss(truth, shares))
    assert found["error"].tolist() == (chosen != truth).tolist()


def test_wrong_answers_cost_what_was_declared():
    found = losses_of_labels(np.array([0, 0, 1, 1]), np.array([0.1, 0.9, 0.1, 0.9]), np.array([0, 1, 0, 1]), (2.0, 5.0))
    assert found["cost"].tolist() == [0, 2, 5, 0]


def test_a_sure_answer_that_is_wrong_costs_much_but_not_infinitely_much():
    found = losses_of_labels(np.array([0]), np.array([1.0]), np.array([1]))
    assert 30 < found["log_loss"][0] < 40


@pytest.mark.parametrize(
    "metric, loss", [("rmse", "absolute_error"), ("f1", "error"), ("cost", "cost"), ("roc_auc", "log_loss")]
)
def test_each_metric_has_a_loss(metric, loss):
    assert deciding(metric) == loss
