import numpy as np
import pytest

from bundles import ROWS, SCHEMA
from slipway.table.cell import columns_from_rows
from slipway.table.dates import parse_date, show_date
from slipway.table.schema import MISSING, UNSEEN, Field, fresh_names


@pytest.mark.parametrize(
    "text, days",
    [
        ("1970-01-01", 0),
        ("1970-01-02", 1),
        ("1969-12-31", -1),
        ("2000-02-29", 11016),
        ("2020-01-01", 18262),
        ("1970-01-01T12:00:00", 0.5),
        ("1970-01-01 06:00", 0.25),
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00+12:00", -0.5),
        ("1970-01-01T00:00:00-12:00", 0.5),
        ("9999-12-31", 2932896),
        ("0001-01-01", -719162),
    ],
)
def test_dates_are_days(text, days):
    assert parse_date(text) == days


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2021-02-29",
        "2021-13-01",
        "01.02.2021",
        "2021",
        "2021-1-1",
        "0001-01-01T00:00+05:00",
    ],
)
def test_what_is_no_date_is_refused(text):
    with pytest.raises(ValueError):
        parse_date(text)


@pytest.mark.parametrize(
    "text",
    [
        "1970-01-01",
        "2020-02-29",
        "1969-12-31",
        "2020-01-01T06:30:00",
        "2020-01-01T23:59:59",
        "9528-04-08T06:24:32",
        "0109-08-28T13:41:47",
        "9999-12-31T23:59:59",
    ],
)
def test_a_date_is_shown_as_it_was_written(text):
    assert show_date(parse_date(text)) == text


def test_the_end_of_time_is_shown():
    assert show_date(parse_date("9999-12-31T23:59:59.999999")) == "9999-12-31"


@pytest.mark.parametrize(
    "field, expected",
    [
        (Field("a", "integer", minimum=18, maximum=64), "18 to 64"),
        (Field("a", "number", minimum=-0.5, maximum=1e6), "-0.5 to 1000000"),
        (Field("a", "number", minimum=0.1 + 0.2, maximum=1e-9), "0.30000000000000004 to 1e-09"),
        (Field("a", "date", minimum=0, maximum=18262.5), "1970-01-01 to 2020-01-01T12:00:00"),
        (Field("a", "number"), "no values"),
    ],
)
def test_ranges_are_shown_exactly(field, expected):
    assert field.range == expected


def test_rows_become_typed_columns():
    columns = columns_from_rows(SCHEMA, [*ROWS, {}, {"smoker": "maybe", "other": 1}])
    assert list(columns) == ["age", "bmi", "smoker", "joined"]
    assert [column.dtype for column in columns.values()] == [np.float64, np.float64, np.int64, np.float64]
    np.testing.assert_array_equal(columns["age"], [19, 62, 45, 33, np.nan, np.nan])
    np.testing.assert_array_equal(columns["bmi"], [27.9, np.nan, 33.3, 22.7, np.nan, np.nan])
    assert columns["smoker"].tolist() == [1, 0, 0, 1, MISSING, UNSEEN]
    np.testing.assert_array_equal(columns["joined"], [18262, 19538, 18936, 19051, np.nan, np.nan])


def test_no_rows_are_empty_columns():
    assert [len(column) for column in columns_from_rows(SCHEMA, []).values()] == [0] * 4


def test_a_field_is_found_by_its_name():
    assert SCHEMA["smoker"].levels == ("no", "yes")
    assert [field.optional for field in SCHEMA] == [False, True, False, False]
    with pytest.raises(KeyError):
        SCHEMA["other"]


@pytest.mark.parametrize(
    "names, taken, expected",
    [
        (["a", "b"], ["c"], ("a", "b")),
        (["a", "b"], ["a", "a_"], ("a__", "b")),
        (["a", "a_"], ["a"], ("a_", "a__")),
    ],
)
def test_new_columns_get_names_that_are_free(names, taken, expected):
    assert fresh_names(names, taken) == expected
