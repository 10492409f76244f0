import numpy as np
import pytest
from sklearn import metrics as reference

from slipway.model.metrics import METRICS, Scored, best_threshold, value

RANDOM = np.random.default_rng(3)
N = 200
Y = RANDOM.integers(0, 2, N)
P = np.round(np.clip(0.35 * Y + 0.65 * RANDOM.random(N), 0.001, 0.999), 2)  # rounded: ties matter
NUMBERS = RANDOM.normal(size=N)
PREDICTED = NUMBERS + RANDOM.normal(size=N)
Y3 = RANDOM.integers(0, 3, N)
P3 = RANDOM.dirichlet([1, 1, 1], N)
WEIGHTS = RANDOM.integers(0, 4, N).astype(float)
CHOSEN = (P >= 0.5).astype(int)


def rmse(y, scores, sample_weight):
    return np.sqrt(reference.mean_squared_error(y, scores, sample_weight=sample_weight))


CASES = [
    ("rmse", Scored(NUMBERS, PREDICTED), rmse),
    ("mae", Scored(NUMBERS, PREDICTED), reference.mean_absolute_error),
    ("r2", Scored(NUMBERS, PREDICTED), reference.r2_score),
    ("roc_auc", Scored(Y, P, 0.5), reference.roc_auc_score),
    ("pr_auc", Scored(Y, P, 0.5), reference.average_precision_score),
    ("log_loss", Scored(Y, P, 0.5), reference.log_loss),
    ("brier", Scored(Y, P, 0.5), reference.brier_score_loss),
    (
        "accuracy",
        Scored(Y, P, 0.5),
        lambda y, _, sample_weight: reference.accuracy_score(y, CHOSEN, sample_weight=sample_weight),
    ),
    ("f1", Scored(Y, P, 0.5), lambda y, _, sample_weight: reference.f1_score(y, CHOSEN, sample_weight=sample_weight)),
    ("log_loss", Scored(Y3, P3), reference.log_loss),
    (
        "accuracy",
        Scored(Y3, P3),
        lambda y, p, sample_weight: reference.accuracy_score(y, p.argmax(1), sample_weight=sample_weight),
    ),
    (
        "balanced_accuracy",
        Scored(Y3, P3),
        lambda y, p, sample_weight: reference.balanced_accuracy_score(y, p.argmax(1), sample_weight=sample_weight),
    ),
    (
        "f1_macro",
        Scored(Y3, P3),
        lambda y, p, sample_weight: reference.f1_score(y, p.argmax(1), average="macro", sample_weight=sample_weight),
    ),
]


@pytest.mark.parametrize(("name", "scored", "expected"), CASES)
def test_metrics_are_those_of_scikit_learn_with_and_without_weights(name, scored, expected):
    computed = METRICS[name].compute(scored, np.stack([np.ones(N), WEIGHTS]))
    for number, weights in enumerate([np.ones(N), WEIGHTS]):
        assert computed[number] == pytest.approx(expected(scored.y, scored.scores, sample_weight=weights))


def test_cost_is_the_mean_over_rows():
    scored = Scored(np.array([0, 0, 1, 1]), np.array([0.9, 0.1, 0.2, 0.8]), 0.5, (10.0, 500.0))
    assert value("cost", scored) == (10 + 500) / 4


@pytest.mark.parametrize(("costs", "low", "high"), [((1.0, 50.0), 0.0, 0.2), ((50.0, 1.0), 0.8, 1.0)])
def test_the_threshold_follows_the_costs(costs, low, high):
    random = np.random.default_rng(0)
    p = random.random(5_000)
    threshold = best_threshold((random.random(5_000) < p).astype(int), p, costs)
    assert low < threshold < high


def test_the_threshold_is_the_cheapest_of_all():
    costs = (3.0, 7.0)
    chosen = value("cost", Scored(Y, P, best_threshold(Y, P, costs), costs))
    every = [value("cost", Scored(Y, P, threshold, costs)) for threshold in np.linspace(0, 1.001, 500)]
    assert chosen == pytest.approx(min(every))
