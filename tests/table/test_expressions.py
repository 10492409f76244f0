"""The language of own features: what it computes, and that it is no way to run code."""

import numpy as np
import pytest

from slipway.errors import TableError
from slipway.table.cell import columns_from_rows
from slipway.table.expressions import columns_of, expression, fitted, formula
from slipway.table.schema import MISSING, Field, Schema

NAN = np.nan
SCHEMA = Schema(
    (
        Field("a", "number", missing=0.1),
        Field("b", "integer"),
        Field("loan amount", "number"),
        Field("it's", "number"),
        Field("µg", "number"),
        Field("n`o`#", "number"),
        Field("city", "category", levels=("x", "y")),
        Field("start", "date", missing=0.1),
        Field("end", "date"),
    )
)
TYPES = {field.name: field.type for field in SCHEMA}
ROWS = [
    {
        "a": 4,
        "b": 2,
        "loan amount": 10,
        "it's": 1,
        "µg": 3,
        "n`o`#": 5,
        "city": "x",
        "start": "2024-02-29",
        "end": "2024-03-02T06:00:00",
    },
    {
        "a": -1,
        "b": 0,
        "loan amount": 20,
        "it's": 1,
        "µg": 3,
        "n`o`#": 5,
        "city": "y",
        "start": "2023-12-31T23:59:59",
        "end": "2024-01-01",
    },
    {"a": None, "b": 1, "loan amount": 30, "it's": 1, "µg": 3, "n`o`#": 5, "city": None, "start": None, "end": "1969-12-31"},
]
COLUMNS = columns_from_rows(SCHEMA, ROWS)


def computed(text: str) -> list[float]:
    return expression(text, TYPES).column(COLUMNS).tolist()


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a + b", [6, -1, NAN]),
        ("a - b * 2", [0, -1, NAN]),
        ("(a - b) * 2", [4, -2, NAN]),
        ("a / b", [2, NAN, NAN]),  # by zero
        ("b / 0", [NAN, NAN, NAN]),
        ("0 / b", [0, NAN, 0]),
        ("-a", [-4, 1, NAN]),
        ("+b", [2, 0, 1]),
        ("`loan amount` / b", [5, NAN, 30]),
        ("'loan amount' - \"it's\"", [9, 19, 29]),
        ("`it's` + b", [3, 1, 2]),
        ("µg + b", [5, 3, 4]),
        ("'n`o`#' + `it's`", [6, 6, 6]),
        ("log(a)", [np.log(4), NAN, NAN]),
        ("log(b)", [np.log(2), NAN, 0]),  # of zero
        ("log(1 + b)", [np.log(3), 0, np.log(2)]),
        ("sqrt(a)", [2, NAN, NAN]),
        ("abs(a)", [4, 1, NAN]),
        ("min(a, b)", [2, -1, NAN]),
        ("max(b, 1, `loan amount` / 15)", [2, 4 / 3, 2]),
        ("b * 1e308 * 10", [NAN, 0, NAN]),  # beyond double precision
        ("b * -3e38", [NAN, 0, -3e38]),  # beyond single precision, which trees read
        ("end - start", [2.25, 1 / 86_400, NAN]),
        ("(end - start) / 7", [2.25 / 7, 1 / 604_800, NAN]),
        ("month(start)", [2, 12, NAN]),
        ("year(start)", [2024, 2023, NAN]),
        ("weekday(start)", [3, 6, NAN]),
        ("hour(start)", [0, 23, NAN]),
        ("hour(end)", [6, 0, 0]),
        ("day(start)", [29, 31, NAN]),
        ("day_of_year(start)", [60, 365, NAN]),
        ("week(end)", [9, 1, 1]),
        ("day_of_year(end) - month(end)", [59, 0, 353]),
    ],
)
def test_what_it_computes(text, expected):
    np.testing.assert_allclose(computed(text), expected, rtol=1e-9, atol=1e-9)


def test_a_binned_number_is_a_category():
    found = expression("bin(a, -1, 0.5, 4)", TYPES)
    assert found.levels == ("below -1", "-1 to 0.5", "0.5 to 4", "4 or more")
    assert found.column(COLUMNS).tolist() == [3, 1, MISSING]
    assert expression("bin(b / 0, 1)", TYPES).column(COLUMNS).tolist() == [MISSING] * 3
    assert expression("bin(month(start), 4, 7, 10)", TYPES).column(COLUMNS).tolist() == [0, 3, MISSING]


def test_quantiles_are_learned_of_the_rows_given():
    rows = {"a": np.array([1.0, 2, 3, 4, NAN, 5])}
    assert fitted("quantiles(a, 4)", {"a": "number"}, rows) == "bin(a, 2.0, 3.0, 4.0)"
    assert fitted("quantiles(`a` * 2, 2)", {"a": "number"}, rows) == "bin('a' * 2, 6.0)"
    assert fitted("quantiles(a, 3)", {"a": "number"}, {"a": np.array([NAN])}) == "bin(a, 0.0)"
    assert fitted("quantiles(a, 9)", {"a": "number"}, {"a": np.array([7.0, 7, 7])}) == "bin(a, 7.0)"
    assert fitted("a / 2", {"a": "number"}, rows) == "a / 2"


def test_close_limits_are_told_apart():
    assert expression("bin(a, 1.00000001, 1.00000002)", TYPES).levels[1] == "1.00000001 to 1.00000002"


@pytest.mark.parametrize(
    "text, says",
    [
        ("a +", "'a +' is not an expression. Use columns, numbers, + - * / ( ) and log"),
        ("", "'' is not an expression"),
        ("loan amount / 2", "Put names with blanks or other signs in backticks"),
        ("7", "'7' reads no column"),
        ("aa + b", "there is no column 'aa' to learn from. Did you mean a?"),
        ("`Loan Amount` + b", "there is no column 'Loan Amount' to learn from. Did you mean loan amount?"),
        ("zzzzzz + b", "There are a, b, loan amount"),
        ("city + b", "column 'city' is a category, not a number"),
        ("start + 1", "start is a date, not a number. Take a part of it, such as month(start), or subtract a date"),
        ("start", "start is a date"),
        ("start + end", "start is a date"),
        ("start - 1", "start is a date"),
        ("log(start)", "start is a date"),
        ("month(a)", "month is a part of a date, and a is none"),
        ("lgo(a)", "there is no function lgo. Did you mean log?"),
        ("log(a, b)", "log takes one value, got 2"),
        ("min(a)", "min takes two or more values, got 1"),
        ("log(x=a)", "'log(x=a)' is not supported"),
        ("1 + bin(a, 2)", "bin can only be the whole expression"),
        ("log(quantiles(a, 2))", "quantiles can only be the whole expression"),
        ("bin(a)", "bin needs a number and 1 to 20 ascending limits. Write it like bin(age, 18, 30, 65)"),
        ("bin(a, 3, 2)", "ascending limits"),
        ("bin(a, 2, 2)", "ascending limits"),
        ("bin(a, b)", "ascending limits"),
        ("bin(city, 2)", "column 'city' is a category"),
        ("a ** 2", "'a ** 2' is not supported"),
        ("a if b else 0", "is not supported"),
        ("[a for a in b]", "is not supported"),
        ("a.real", "'a.real' is not supported"),
        ("a[0]", "is not supported"),
        ("(lambda: a)()", "is not supported"),
        ("a.__class__()", "is not supported"),
        ("__import__(a)", "there is no function __import__"),
        ("(a := 1)", "is not supported"),
        ("f'{a}'", "is not supported"),
        ("a + True", "'True' is not supported"),
        ("a + 1j", "'1j' is not supported"),
        ("a + b'x'", "is not supported"),
        ("a + " + "9" * 400, "is not supported"),
        ("(" * 300 + "a" + ")" * 300, "is not an expression"),
        ("-" * 900 + "a", "is nested too deeply"),
        ("a" + "+a" * 100, "is nested too deeply"),
        ("a#b + c", "'a#b + c' is not an expression"),
        ("a # `b`", "Put names with blanks or other signs in backticks"),
    ],
)
def test_what_is_refused(text, says):
    with pytest.raises(TableError) as refused:
        expression(text, TYPES)
    assert says in str(refused.value)


def test_only_what_is_written_has_a_greatest_length():
    with pytest.raises(TableError, match="longer than 1,000 characters"):
        columns_of(f"max({', '.join(['a'] * 400)})")
    text = fitted(f"quantiles(max({', '.join(['a'] * 300)}), 20)", TYPES, {"a": np.random.default_rng(0).random(99)})
    assert len(text) > 1_000
    assert len(expression(text, TYPES).levels) == 20


def test_learned_limits_keep_odd_names():
    rows = {"µg": np.arange(3.0), "n`o`#": np.zeros(3)}
    assert expression(fitted("quantiles(µg + 'n`o`#', 2)", TYPES, rows), TYPES).column(rows).tolist() == [0, 1, 1]


def test_quantiles_of_what_is_nested_too_deeply_are_refused():
    with pytest.raises(TableError, match="is nested too deeply"):
        fitted(f"quantiles({'-' * 980}a, 4)", TYPES, COLUMNS)


@pytest.mark.parametrize("arguments", ["a", "a, b", "a, 1", "a, 2.5", "a, 21"])
def test_quantiles_that_cannot_be_learned_are_refused(arguments):
    with pytest.raises(TableError, match="quantiles needs a number, and into how many parts to divide it, from 2 to 20"):
        fitted(f"quantiles({arguments})", TYPES, COLUMNS)


def test_the_columns_that_it_reads():
    assert set(columns_of("log(`loan amount` / b) + min(b, a)")) == {"loan amount", "b", "a"}
    assert columns_of("log(log)") == ("log",)
    assert columns_of("bin(a, 1, 2)") == ("a",)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a", ["column", "a"]),
        ("`loan amount` + 1_000", ["+", ["column", "loan amount"], 1000.0]),
        ("-a * +b", ["*", ["negative", ["column", "a"]], ["column", "b"]]),
        ("a - -2.5e3", ["-", ["column", "a"], -2500.0]),
        ("min(a, b, log(µg)) / 0x10", ["/", ["min", ["column", "a"], ["column", "b"], ["log", ["column", "µg"]]], 16.0]),
        ("bin(month(start), -1, 6)", ["bin", ["month", ["column", "start"]], -1.0, 6.0]),
    ],
)
def test_a_formula_is_the_expression_as_json(text, expected):
    assert formula(text) == expected


@pytest.mark.parametrize("text", ["a ** 2", "a if b else a", "[a]", "a.real"])
def test_what_is_no_expression_has_no_formula(text):
    with pytest.raises(TableError, match="not supported"):
        formula(text)
