import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, f1_score, precision_score, recall_score, roc_curve

from slipway.model.metrics import Scored
from slipway.training.evaluation.thresholds import class_lines, confusion, points
from slipway.training.measures.resampling import share, significant

RANDOM = np.random.default_rng(0)
Y = RANDOM.integers(0, 2, 400)
SCORES = np.clip(RANDOM.normal(0.3 + 0.3 * Y, 0.2), 0, 1)
SCORED = Scored(Y, SCORES, 0.37, (1.0, 5.0))


def test_each_threshold_is_judged_as_scikit_learn_does():
    found = points(SCORED, True)
    assert len(found) <= 101
    assert 0.37 in [point.threshold for point in found]
    assert [point.threshold for point in found] == sorted(point.threshold for point in found)
    for point in found[::9]:
        chosen = point.threshold <= SCORES
        assert point.precision == pytest.approx(precision_score(Y, chosen))
        assert point.recall == pytest.approx(recall_score(Y, chosen))
        assert point.f1 == pytest.approx(f1_score(Y, chosen))
        assert point.cost == pytest.approx((1 * (chosen & (Y == 0)).sum() + 5 * (~chosen & (Y == 1)).sum()) / 400)


def test_the_points_lie_on_the_roc_curve():
    wrong, right, thresholds = roc_curve(Y, SCORES, drop_intermediate=False)
    curve = {float(at): (x, y) for at, x, y in zip(thresholds, wrong, right)}
    on_it = [point for point in points(SCORED, False) if point.threshold in curve]
    assert len(on_it) > 90
    for point in on_it:
        assert (point.false_positive_rate, point.recall) == pytest.approx(curve[point.threshold])
        assert point.cost is None


def test_classes_are_counted_by_actual_and_answered():
    counts = confusion(SCORED, 2)
    assert (counts == confusion_matrix(Y, SCORED.chosen())).all()
    line = class_lines(counts, ("no", "yes"), 0.9)[1]
    assert line.label == "yes" and line.rows == (Y == 1).sum()
    for one, score in ((line.precision, precision_score), (line.recall, recall_score), (line.f1, f1_score)):
        assert one.value == pytest.approx(score(Y, SCORED.chosen()))
        assert one.low < one.value < one.high


def test_a_class_that_is_never_answered_has_no_precision():
    counts = np.array([[5, 0], [3, 0]])
    line = class_lines(counts, ("a", "b"), 0.9)[1]
    assert line.precision is None and line.recall.value == 0 and line.f1.value == 0


def test_a_share_of_all_rows_is_not_certain():
    assert share(10, 10, 0.9).low == pytest.approx(0.787, abs=0.001)
    assert share(0, 10, 0.9).high == pytest.approx(0.213, abs=0.001)


@pytest.mark.parametrize(
    "number, shown", [(0.123456789, 0.123457), (1234567.89, 1234568.0), (20240131.0, 20240131.0), (0.0, 0.0)]
)
def test_no_digit_before_the_point_is_lost(number, shown):
    assert significant(number) == shown
