from datetime import datetime

import pytest

from slipway.table.cell import Reader
from slipway.table.texts import Texts


def values(*texts):
    column = Texts(Reader())
    for text in texts:  # piece by piece
        column.see([text])
    return column.values(texts)


@pytest.mark.parametrize(
    "texts, read",
    [
        (("1", " -2 ", "+3", "", "NA"), [1, -2, 3, None, None]),
        (("1", "2.50", ".5", "1e3", "?"), [1.0, 2.5, 0.5, 1000.0, None]),
        (
            ("2020-01-02", "2020-01-02T03:04:05.678", "2020-01-02T00:00+01:00"),
            [datetime(2020, 1, 2), datetime(2020, 1, 2, 3, 4, 5, 678_000), datetime(2020, 1, 1, 23)],
        ),
    ],
)
def test_texts_that_all_say_one_kind(texts, read):
    got = values(*texts)
    assert got == read
    assert [type(each) for each in got] == [type(each) for each in read]


@pytest.mark.parametrize(
    "texts",
    [
        ("1", "x"),
        ("007", "12"),
        ("1234567890123456789",),
        ("9007199254740993", "0.5"),
        ("1_000",),
        ("inf", "1"),
        ("nan1",),
        ("0x10",),
        ("1,5",),
        ("١",),
        ("1e999",),
        ("2020-01-02", "5"),
        ("2020-13-02",),
        ("2020-01-02T03:04:05.6789",),
        ("02.01.2020",),
        ("true", "false"),
        ("1.234", "12"),
        ("-1.234", "1.234.567"),
        ("north", "NA", " padded "),
    ],
)
def test_texts_that_stay_as_they_are(texts):
    assert values(*texts) == list(texts)


def test_of_texts_only_blank_ones_are_missing():
    assert values("a", "", "  ", None, "NA") == ["a", None, None, None, "NA"]
    assert values("", "NA", None) == [None, "NA", None]


def test_types_of_numbers_are_those_of_the_whole_column():
    assert all(type(each) is float for each in values("1", "2", "2.5"))
