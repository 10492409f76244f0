"""What a cell says in a format that an example shows."""

import math
import time
from datetime import datetime
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slipway.errors import ProblemError
from slipway.table.formats import ALIKE, DATES, format_of, number, problem_format

NUMBERS = (
    "1234.56",
    "1,234.56",
    "1.234,56",
    "1234,56",
    "1 234,56",
    "1 234.56",
    "1'234.56",
    "$1,234.56",
    "1.234,56 €",
    "1234.56%",
    "EUR 1,234.56",
    "1 234,56 CHF",
)
LONG = 200_000


@pytest.mark.parametrize(
    ("example", "text", "plain"),
    [
        ("1.234,56", "8.123,45", "8123.45"),
        ("1.234,56", "8123,45", "8123.45"),
        ("1.234,56", "-1.234.567", "-1234567"),
        ("1.234,56", "0,5", "0.5"),
        ("1.234,56", "1,5e-05", "1.5e-05"),
        ("1.234,56", "1.23", None),
        ("1.234,56", "0.123", None),
        ("1.234,56", "1.2345", None),
        ("1,234.56", "4,204", "4204"),
        ("1,234.56", "(1,234.50)", "-1234.50"),
        ("$1,234.56", "($5)", "-5"),
        ("1,234.56", "(-5)", None),
        ("1,234.56", "((5))", None),
        ("1,234.56", "( (5) )", None),
        ("1,234.56", "980", "980"),
        ("1,234.56", "1234.5", "1234.5"),
        ("1,234.56", "1,23", None),
        ("1,234.56", "1,234,56", None),
        ("1,234.56", "1.234,5", None),
        ("1,234.56", "$5", None),
        ("1,234.56", "+5", "5"),
        ("1,234.56", "\u22125.5", "-5.5"),
        ("1,234.56", "--5", None),
        ("1,234.56", "1_000", None),
        ("1,234.56", "inf", None),
        ("1,234.56", "\u0661\u0662", None),
        ("1,234.56", "", None),
        ("1,234.56", ".", None),
        ("1 234,56", "1\u00a0234,5", "1234.5"),
        ("1 234,56", "1\u202f234\u2009567", "1234567"),
        ("1'234.56", "1\u2019234.5", "1234.5"),
        ("$1,234.56", "$1,204", "1204"),
        ("$1,234.56", "-$5", "-5"),
        ("$1,234.56", "$-5", "-5"),
        ("$1,234.56", "$ 5", "5"),
        ("$1,234.56", "-$-5", None),
        ("$1,234.56", "1,204", "1204"),
        ("$1,234.56", "€5", None),
        ("$1,234.56", "$5 USD", None),
        ("1.234,56 €", "8.123,45\u00a0€", "8123.45"),
        ("EUR 1,234.56", "EUR 1,000.5", "1000.5"),
        ("1234.56%", "12%", "12"),
        ("1234.56%", "12.5 %", "12.5"),
        ("31.12.2024", "31.12.2024", "2024-12-31"),
        ("31.12.2024", "1.2.2024", "2024-02-01"),
        ("31.12.2024", "31.02.2024", None),
        ("31.12.2024", "00.00.0000", None),
        ("31.12.2024", "31/12/2024", None),
        ("31.12.2024", "2024-12-31", "2024-12-31"),
        ("31.12.2024", "2024-02-31", None),
        ("31.12.2024", "2024-12-31 14:30", "2024-12-31T14:30:00"),
        ("31.12.2024", "2024-12-31T14:30Z", "2024-12-31T14:30Z"),
        ("31.12.2024", "0001-01-01T00:00+05:00", None),
        ("31.12.2024", "31.12.2024 14:30", "2024-12-31T14:30:00"),
        ("31.12.2024", "31.12.2024T14:30:05.5", "2024-12-31T14:30:05.500000"),
        ("31.12.2024", "31.12.2024 25:00", None),
        ("31/12/2024", "03/04/2024", "2024-04-03"),
        ("12/31/2024", "03/04/2024", "2024-03-04"),
        ("12/31/2024", "31/12/2024", None),
        ("12/31/2024", "12/31/2024 12:05 AM", "2024-12-31T00:05:00"),
        ("12/31/2024", "12/31/2024 12:05:10pm", "2024-12-31T12:05:10"),
        ("12/31/2024", "12/31/2024 13:05 PM", None),
        ("31-12-2024", "31-12-2024", "2024-12-31"),
        ("12-31-2024", "12-31-2024", "2024-12-31"),
        ("2024/12/31", "2024/1/5", "2024-01-05"),
        ("2024.12.31", "2024.12.31", "2024-12-31"),
        ("2024-12-31", "2024-1-5", "2024-01-05"),
    ],
)
def test_a_cell_says_what_its_format_means(example, text, plain):
    assert format_of(example).plain(text) == plain


@pytest.mark.parametrize(
    "example",
    [
        "",
        "1234",
        "1,234",
        "1.234.56",
        "1,234,56",
        "1234.57",
        "¤",
        "5 €",
        "31.12.24",
        "x",
        "EUR",
    ],
)
def test_what_is_no_example(example):
    with pytest.raises(ValueError, match="not a valid example of a format.*1,234.56.*31.12.2024"):
        format_of(example)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1.0),
        ("-1.5e3", -1500.0),
        ("\u22125", -5.0),
        ("+.5", 0.5),
        ("1_000", math.nan),
        ("inf", math.nan),
        ("nan", math.nan),
        ("1e999", math.nan),
        ("1,5", math.nan),
        ("", math.nan),
    ],
)
def test_a_plain_text_as_a_number(text, value):
    assert number(text) == pytest.approx(value, nan_ok=True)


def written(digits: int, fraction: str, sign: str, grouped: bool, example: str) -> str:
    """A number as its format writes it, made without the product's code."""
    bare = example.strip("$€% ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    group, mark = bare[1:-6], bare[-3]
    whole = f"{digits:,}".replace(",", group) if grouped else str(digits)
    return example.replace(bare, sign + whole + (mark + fraction if fraction else ""))


@given(
    example=st.sampled_from(NUMBERS),
    digits=st.integers(0, 10**12),
    fraction=st.text("0123456789", max_size=5),
    sign=st.sampled_from(["", "-", "\u2212"]),
    grouped=st.booleans(),
)
def test_numbers_are_read_back(example, digits, fraction, sign, grouped):
    text = written(digits, fraction, sign, grouped, example)
    exact = ("-" if sign else "") + str(digits) + ("." + fraction if fraction else "")
    assert format_of(example).plain(text) == exact


@given(
    example=st.sampled_from(sorted(DATES)),
    moment=st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),
    clock=st.sampled_from(["", " %H:%M", "T%H:%M:%S", " %H:%M:%S.%f", " %I:%M:%S %p"]),
)
def test_dates_are_read_back(example, moment, clock):
    pieces = {"31": f"{moment.day:02}", "12": f"{moment.month:02}", "2024": f"{moment.year:04}"}
    day = example.replace("2024", "Y").replace("31", "D").replace("12", "M")
    day = day.replace("Y", pieces["2024"]).replace("D", pieces["31"]).replace("M", pieces["12"])
    units = {"": ("hour", "minute", "second", "microsecond"), " %H:%M": ("second", "microsecond"), " %H:%M:%S.%f": ()}
    exact = moment.replace(**dict.fromkeys(units.get(clock, ("microsecond",)), 0))
    plain = format_of(example).plain(day + moment.strftime(clock))
    assert plain == (exact.isoformat() if clock else exact.date().isoformat())


@given(text=st.text("0123456789.,' -+$€%eE", max_size=14), example=st.sampled_from(NUMBERS))
def test_a_text_says_no_more_than_its_digits(text, example):
    plain = format_of(example).plain(text.strip())
    if plain is not None:
        assert math.isfinite(number(plain)) or "e" in plain.lower()
        assert [each for each in plain if each.isdigit()] == [each for each in text if each.isdigit()]


@pytest.mark.parametrize(
    "text",
    [
        "9" * LONG,
        "(" * LONG + ")" * LONG,
        "( " * LONG + " )" * LONG,
        "1" + ",111" * LONG,
        "1" + ",111" * LONG + "x",
        "1" * LONG + "." + "1" * LONG + "x",
        " " * LONG + "x",
        "1," * LONG,
        "-" * LONG,
        "$" * LONG,
        "1" + " " * LONG + "€",
        "31.12.2024 " + "1" * LONG,
    ],
    ids=range(12),
)
def test_a_long_text_takes_no_long_time(text):
    for example in (*NUMBERS, *DATES):
        before = time.process_time()
        format_of(example).plain(text)
        assert time.process_time() - before < 1


def test_blanks_and_signs_that_look_alike_are_alike():
    assert "\u00a0\u202f\u2009\u2007\u2019\u2212".translate(ALIKE) == "    '-"


def test_the_formats_of_a_problem():
    problem = SimpleNamespace(formats={"price": "$1,234.56", "amount": "?", "day": "31.12.24"})
    assert problem_format(problem, "price") == format_of("$1,234.56")
    assert problem_format(problem, "other") is None
    with pytest.raises(ProblemError, match=r'^formats.amount: "\?" .* Replace it with .*"1.234,56"'):
        problem_format(problem, "amount")
    with pytest.raises(ProblemError, match=r"^formats.day: '31.12.24' is not a valid example of a format. Write 1234.56"):
        problem_format(problem, "day")
