from datetime import date

import numpy as np
import pytest

from slipway.monitoring.bins import Column
from slipway.monitoring.drift import Change, Move
from slipway.monitoring.words import grown, sentence

BMI = Column(
    "field/bmi",
    "bmi",
    ("refused", "missing", "below", "above"),
    np.array([0, 10, 0, 0, 30, 30, 30]),
    100,
    edges=(16, 26, 34.7, 53),
)
REGION = Column(
    "field/region",
    "region",
    ("refused", "missing", "unseen"),
    np.array([0, 0, 0, 60, 30, 10]),
    100,
    levels=("east", "north", "west"),
)
SINCE = date(2026, 11, 14)


def move(column: Column, *counts: int, suspected: tuple[str, ...] = ("shape",)) -> Move:
    changes = tuple(Change(part, 1e-9, 0.52, 0.2, part in suspected) for part in column.parts)
    return Move(column, np.array(counts), changes, SINCE, True)


def said(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_a_number_in_words():
    found = sentence(move(BMI, 0, 100, 0, 0, 180, 180, 540), importance=0.31, answers=True, worse=None)
    assert said(found) == (
        "`bmi`: 60.0 % at 34.7 or more, 33.3 % in training, median 30.35 → 37.75 (0.52 sd); since 2026-11-14; "
        "31.0 % of the importance; the answers moved, too; the loss is not known yet."
    )


@pytest.mark.parametrize(
    "counts, where",
    [
        ((54, 18, 18), "60.0 % below 26, 33.3 %"),
        ((18, 54, 18), "60.0 % from 26 to 34.7, 33.3 %"),
        ((4, 43, 43), "95.6 % at 26 or more, 66.7 %"),
    ],
)
def test_what_grew_is_named_by_its_place(counts, where):
    assert where in said(sentence(move(BMI, 0, 10, 0, 0, *counts), None, False, None))


def test_what_is_no_ordinary_value_comes_before_the_shape():
    found = said(
        sentence(
            move(BMI, 5, 15, 10, 20, 10, 10, 30, suspected=("refused", "missing", "below", "above", "shape")),
            None,
            False,
            True,
        )
    )
    assert found.startswith(
        "`bmi`: 5.0 % refused, none in training (0.52 sd); 15.0 % missing, 10.0 % in training (0.52 sd); "
        "10.0 % below 16, none in training (0.52 sd); 20.0 % above 53, none in training (0.52 sd); 60.0 % at 34.7 or more, "
    )
    assert found.endswith("; since 2026-11-14; the answers did not move; the loss is worse.")


def test_levels_in_words():
    found = said(sentence(move(REGION, 0, 0, 0, 50, 30, 20), None, False, False))
    assert found.startswith("`region`: 20.0 % west, 10.0 % in training (0.52 sd); since") and found.endswith(
        "the loss is within its limit."
    )
    found = said(sentence(move(REGION, 0, 0, 0, 20, 30, 50), None, False, False))
    assert found.startswith("`region`: 50.0 % west, 10.0 % in training, most frequent east → west (0.52 sd)")
    found = said(sentence(move(REGION, 0, 0, 20, 40, 30, 10, suspected=("unseen",)), None, False, False))
    assert found.startswith("`region`: 20.0 % of unseen levels, none in training (0.52 sd); since")


def test_answers_are_compared_with_the_hold_out():
    score = Column("answer/score", "score", ("below", "above"), np.array([0, 0, 50, 50]), 100, edges=(0, 0.5, 1))
    label = Column("answer/label", "label", (), np.array([50, 50]), 100, levels=("no", "yes"))
    found = said(sentence(move(score, 0, 0, 20, 80), None, True, None))
    assert found == (
        "The answers: 80.0 % at 0.5 or more, 50.0 % on the hold-out, median 0.5 → 0.6875 (0.52 sd); since 2026-11-14; "
        "the loss is not known yet."
    )
    assert said(sentence(move(label, 20, 80), None, True, None)).startswith("The answered labels: 80.0 % yes, 50.0 % on the")


@pytest.mark.parametrize(
    "growth, run",
    [([0.1, -0.1], (0, 0)), ([-0.2, 0.1, 0.1], (1, 2)), ([0.1, -0.3, 0.2], (2, 2)), ([0.2, -0.01, 0.2, -0.39], (0, 2))],
)
def test_the_run_of_bins_that_grew_most(growth, run):
    assert grown(np.array(growth)) == run
