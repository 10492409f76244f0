import numpy as np
import pytest

from slipway.training.evaluation.learning import Step, said, sizes


def steps(*reached: float, noise: float = 0.001) -> list[Step]:
    """A learning curve whose bootstrap draws differ from size to size by some noise."""
    random = np.random.default_rng(0)
    return [Step(100 * 2**place, each, each + random.normal(0, noise, 200)) for place, each in enumerate(reached)]


@pytest.mark.parametrize(
    "curve, metric, baseline, sentence",
    [
        (
            steps(9.0, 7.0, 5.0, 4.0, 3.5),
            "rmse",
            9.5,
            "More rows would probably help: from 800 to 1,600 rows rmse went from 4 to 3.5, more than chance explains "
            "when compared row by row.",
        ),
        (
            steps(9.0, 5.0, 4.0, 4.0, 4.0),
            "rmse",
            9.5,
            "More rows like these would hardly help: 400 rows reached a rmse of 4, all 1,600",
        ),
        (
            steps(0.5, 0.8, 0.9, 0.9, 0.9),
            "roc_auc",
            0.5,
            "More rows like these would hardly help: 400 rows reached a roc_auc of 0.9",
        ),
        (
            steps(0.70, 0.71, 0.72, 0.73, 0.73, noise=0.1),
            "roc_auc",
            0.5,
            "Whether more rows would help cannot be told from so few",
        ),
        (steps(0.7), "roc_auc", 0.5, ""),
        (
            steps(9.0, 7.0, 5.0, 4.0, 3.5),
            "rmse",
            3.4,
            "Whether more rows would help cannot be told while the model is no better than guessing: rmse is 3.5, that of a",
        ),
    ],
)
def test_a_sentence_says_whether_more_rows_would_help(curve, metric, baseline, sentence):
    told = said(curve, metric, 0.9, baseline)
    assert told.startswith(sentence) and bool(told) == bool(sentence)


def test_the_sizes_double_where_there_are_rows_enough():
    assert sizes(16_000, 10) == [1_000, 2_000, 4_000, 8_000]
    few = sizes(100, 10)
    assert few == sorted(set(few)) and few[0] == 25 and few[-1] == 50


def test_a_large_table_is_learned_from_in_part():
    assert sizes(1_000_000, 200) == [1_250, 2_500, 5_000, 10_000]
