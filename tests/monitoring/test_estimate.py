from types import SimpleNamespace

import numpy as np
import pytest

from slipway.model.metrics import Scored
from slipway.model.reference import Loss, Reference
from slipway.model.row_losses import losses_of_labels, losses_of_numbers
from slipway.monitoring.estimate import expected
from slipway.training.evaluation.live import reference

BINARY = SimpleNamespace(task="binary", threshold=0.5, costs=(1.0, 5.0))
SEVERAL = SimpleNamespace(task="multiclass", threshold=None, costs=None)
NUMBERS = SimpleNamespace(task="regression", threshold=None, costs=None)


def world(random: np.random.Generator, rows: int, shift: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Truth, and the scores of an overconfident model; the rows may be moved, their outcomes depend on them as ever."""
    logit = random.normal(shift, 1.0, rows)
    truth = (random.uniform(size=rows) < 1 / (1 + np.exp(-logit))).astype(int)
    return truth, 1 / (1 + np.exp(-1.8 * logit))


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_what_to_expect_of_other_rows_is_within_its_margin_as_often_as_it_says(shift):
    random, hits = np.random.default_rng(0), dict.fromkeys(("log_loss", "error", "cost"), 0)
    for _ in range(60):
        usual = reference(Scored(*world(random, 2_000), 0.5, (1.0, 5.0)), ("no", "yes"), costs=True)
        truth, scores = world(random, 1_000, shift)
        found = expected(usual, BINARY, scores)
        for name, each in losses_of_labels(truth, scores, (scores >= 0.5).astype(int), BINARY.costs).items():
            hits[name] += abs(each.mean() - found[name].value) <= found[name].margin
    assert min(hits.values()) >= 51  # of 60 at 95 %


def test_an_overconfident_model_is_not_believed():
    random = np.random.default_rng(1)
    usual = reference(Scored(*world(random, 2_000), 0.5), ("no", "yes"), costs=False)
    truth, scores = world(random, 50_000)
    wrong = ((scores >= 0.5) != truth).mean()
    assert np.minimum(scores, 1 - scores).mean() < wrong - 0.06
    assert expected(usual, BINARY, scores)["error"].value == pytest.approx(wrong, abs=0.02)


def test_a_known_answer_for_two_labels():
    usual = Reference(
        rows=100, edges=(0.2, 0.8), counts=(100,), scores=(0.2, 0.8), shares=(0.1, 0.5), losses={"error": Loss(0.3, 0.4)}
    )
    found = expected(usual, BINARY, np.array([0.2, 0.5, 0.8, 0.9]))
    assert found.keys() == {"error"}, "the hold-out's loss of the others is not known"
    assert found["error"].value == pytest.approx((0.1 + (1 - 0.3) + 0.5 + 0.5) / 4)
    variance = (0.1 * 0.9 + 0.3 * 0.7 + 0.25 + 0.25) / 4
    assert found["error"].margin == pytest.approx(1.96 * np.sqrt(variance / 4 + 0.16 / 100))
    assert (found["error"].rows, found["error"].outside) == (4, 0.25)


def test_of_several_labels_the_error_is_expected():
    usual = Reference(
        rows=100,
        edges=(0.4, 1.0),
        counts=(100,),
        scores=(0.4, 1.0),
        shares=(0.4, 1.0),
        losses={"error": Loss(0.3, 0.4), "log_loss": Loss(1.0, 1.0)},
    )
    found = expected(usual, SEVERAL, np.array([[0.5, 0.25, 0.25], [0.1, 0.2, 0.7]]))
    assert found.keys() == {"error"} and found["error"].value == pytest.approx(0.4)


def test_the_error_of_numbers_is_that_of_such_answers_on_the_hold_out():
    usual = Reference(rows=4, edges=(0, 10, 20), counts=(2, 2), errors=(1, 3), losses={"absolute_error": Loss(2, 1)})
    found = expected(usual, NUMBERS, np.array([-5, 5, 10, 15, 20, 25]))["absolute_error"]
    assert found.value == pytest.approx((2 * 1 + 4 * 3) / 6) and found.outside == pytest.approx(2 / 6)
    like = ((2 / 6) ** 2 + (4 / 6) ** 2) / 0.5  # two of six answers are where half of the hold-out's are
    assert found.margin == pytest.approx(1.96 * np.sqrt(1 / 6 + like / 4))


def test_more_rows_with_large_errors_mean_a_larger_error():
    random = np.random.default_rng(2)
    answers = random.uniform(0, 10, 4_000)
    usual = reference(Scored(answers + random.normal(0, 1 + answers), answers), (), costs=False)
    later = random.uniform(5, 10, 4_000)
    actual = losses_of_numbers(later + random.normal(0, 1 + later), later)["absolute_error"].mean()
    found = expected(usual, NUMBERS, later)["absolute_error"]
    assert abs(found.value - actual) < found.margin < 0.3


@pytest.mark.parametrize("model", [BINARY, SEVERAL, NUMBERS])
def test_without_answers_nothing_is_expected(model):
    assert expected(Reference(rows=1, edges=(0, 1), counts=(1,), losses={}), model, np.array([])) == {}
