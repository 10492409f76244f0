"""An id is one text, however it is written."""

from datetime import date
from decimal import Decimal

import pytest

from slipway.table.row_id import id_text


@pytest.mark.parametrize(
    "cell, text",
    [
        (17, "17"),
        (17.0, "17"),
        ("17", "17"),
        (" 17.0 ", "17"),
        (Decimal("17"), "17"),
        ("017", "017"),
        ("17.5", "17.5"),
        (-3.0, "-3"),
        (2**60 + 1, str(2**60 + 1)),
        ('"a b"', "a b"),
        ("a\x1fb", "a\\x1fb"),
        (date(2026, 1, 2), "2026-01-02"),
        (True, "true"),
        (None, None),
        (float("nan"), None),
        ("", None),
        ("n/a", None),
    ],
)
def test_the_text_of_an_id(cell, text):
    assert id_text(cell) == text


def test_a_list_is_none():
    with pytest.raises(ValueError):
        id_text([1])
