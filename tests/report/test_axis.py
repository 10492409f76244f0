import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from slipway.report.axis import FONT, GAP, Axis, shortened, spanning, text_width, ticks

ENDS = some.floats(-1e12, 1e12, allow_nan=False)


@pytest.mark.parametrize(
    "axis, labels",
    [
        (Axis("", 0, 1, "share"), ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]),
        (Axis("", 1121, 63770), ["10,000", "20,000", "30,000", "40,000", "50,000", "60,000"]),
        (Axis("", -1.5, 1.5), ["−1.5", "−1.0", "−0.5", "0.0", "0.5", "1.0", "1.5"]),
        (Axis("", 0, 1, "whole"), ["0", "1"]),
        (Axis("", 0, 4_000_000), ["0", "1M", "2M", "3M", "4M"]),
        (Axis("", 18262, 19722, "date"), ["2020", "2021", "2022", "2023"]),
        (Axis("", 19723, 19726, "date"), [f"2024-01-0{day}" for day in range(1, 5)]),
    ],
)
def test_ticks_are_round(axis, labels):
    room = 400 if axis.kind == "date" else 600
    assert [label.replace("\N{NO-BREAK SPACE}", " ") for _, label in ticks(axis, room, text_width)] == labels


@given(some.tuples(ENDS, ENDS), some.floats(120, 400), some.sampled_from(["number", "share", "date"]))
def test_labels_stand_apart_and_differ(ends, room, kind):
    if kind == "date":
        ends = (ends[0] % 40_000, ends[1] % 40_000)
    axis = spanning("", list(ends), kind)
    found = ticks(axis, room, text_width)
    assert len({label for _, label in found}) == len(found) or axis.span < 1e-6
    for (one, left), (other, right) in pairwise(found):
        between = (other - one) / axis.span * room
        assert between >= (text_width(left) + text_width(right)) / 2 + GAP * 0.99


@given(some.tuples(ENDS, ENDS))
def test_ticks_lie_on_the_axis(ends):
    axis = spanning("", list(ends))
    found = ticks(axis, 170, lambda label: FONT)
    assert all(axis.low - 1e-6 * axis.span <= value <= axis.high + 1e-6 * axis.span for value, _ in found)


def test_an_axis_always_has_a_length():
    for values in ([], [5.0], [math.nan], [0.0, 0.0]):
        assert spanning("", values).high > spanning("", values).low
        assert spanning("", values, zero=True).low <= 0


def test_a_text_is_cut_where_it_would_not_fit():
    assert shortened("charges", 340) == "charges"
    for text in ("x" * 90, "収入" * 30):
        cut = shortened(text, 340)
        assert cut.endswith("…") and text_width(cut) <= 340 < text_width(text)
