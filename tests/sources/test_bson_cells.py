from datetime import datetime

import pyarrow
import pytest
from bson import Binary, Code, Decimal128, Int64, ObjectId, Regex, Timestamp
from bson.datetime_ms import DatetimeMS

from slipway.sources.bson_cells import Column, Misfit

EXACT = 1 << 53


def cells(*values, path="x") -> pyarrow.Array:
    return Column("x", path).cells([{"x": value} for value in values])


@pytest.mark.parametrize(
    "values, kind, read",
    [
        ((1, None, Int64(2**62)), pyarrow.int64(), [1, None, 2**62]),
        ((1.5, None, float("inf")), pyarrow.float64(), [1.5, None, float("inf")]),
        ((1, 2.5, EXACT), pyarrow.float64(), [1.0, 2.5, float(EXACT)]),
        ((Decimal128("1.10"), 2, None), pyarrow.float64(), [1.1, 2.0, None]),
        ((Decimal128("0.1234567890123456789"),), pyarrow.float64(), [0.12345678901234568]),
        ((Decimal128("-Infinity"), 0.5), pyarrow.float64(), [float("-inf"), 0.5]),
        ((True, None, False), pyarrow.bool_(), [True, None, False]),
        (("a", "", "ü"), pyarrow.string(), ["a", "", "ü"]),
        ((ObjectId("6b015a03a8fc8d87b3f676e4"), None), pyarrow.string(), ["6b015a03a8fc8d87b3f676e4", None]),
        ((None, None), pyarrow.null(), [None, None]),
    ],
)
def test_each_type_has_a_column_type(values, kind, read):
    array = cells(*values)
    assert (array.type, array.to_pylist()) == (kind, read)


def test_dates_are_utc_milliseconds():
    array = cells(datetime(2020, 1, 2, 3, 4, 5, 678_000), None, datetime(1, 1, 1))
    assert array.type == pyarrow.timestamp("ms", "UTC")
    assert array.cast(pyarrow.int64()).to_pylist() == [1577934245678, None, -62135596800000]


def test_nan_is_no_missing_cell_of_the_batch():
    for nan in (float("nan"), Decimal128("NaN"), Decimal128("sNaN")):
        array = cells(nan, None)
        assert array.null_count == 1 and array[0].as_py() != array[0].as_py()


@pytest.mark.parametrize(
    "value, name",
    [
        ([1], "array"),
        ({"a": 1}, "object"),
        (b"a", "binData"),
        (Binary(b"a", 4), "binData"),
        (Regex("a"), "regex"),
        (Timestamp(1, 1), "timestamp"),
        (Code("a"), "javascript"),
        (DatetimeMS(1 << 60), "date outside of the years 1 to 9999"),
    ],
)
def test_what_is_no_cell_is_refused(value, name):
    with pytest.raises(Misfit) as caught:
        cells(None, value)
    assert (caught.value.name, caught.value.row, caught.value.says) == ("x", 1, f"the type is {name}")
    with pytest.raises(Misfit, match=f"the type is {name}, and int in documents before it"):
        cells(1, value)


@pytest.mark.parametrize(
    "first, then, names",
    [
        (1, "a", "string, and int"),
        ("a", 1.5, "double, and string"),
        (True, 1, "int, and bool"),
        (1.5, True, "bool, and double"),
        (1, datetime(2020, 1, 1), "date, and int"),
        (ObjectId(), "a", "string, and objectId"),
        ("a", b"a", "binData, and string"),
        (Decimal128("1"), "1", "string, and decimal"),
    ],
)
@pytest.mark.parametrize("apart", [False, True])
def test_mixed_types_name_both_and_the_row(first, then, names, apart):
    """In one batch of documents and in two."""
    column = Column("x", "x")
    documents = [{"x": first}, {}, {"x": then}]
    with pytest.raises(Misfit, match=f"the type is {names} in documents before it") as caught:
        if apart:
            column.cells(documents[:1])
            column.cells(documents[1:])
        column.cells(documents)
    assert caught.value.row == (1 if apart else 2)


@pytest.mark.parametrize("apart", [False, True])
@pytest.mark.parametrize("values, row", [([EXACT + 1, 0.5], 0), ([0.5, -EXACT - 1], 1)])
def test_a_whole_number_that_is_no_double_does_not_mix_with_them(values, row, apart):
    column = Column("x", "x")
    with pytest.raises(Misfit, match=r"a whole number above 2\^53"):
        for part in [values[:1], values[1:]] if apart else [values]:
            column.cells([{"x": value} for value in part])


def test_a_column_keeps_the_type_that_it_has_got():
    column = Column("x", "x")
    types = [column.cells([{"x": value}]).type for value in (None, 1, None, 2.5, 3, None)]
    kinds = [pyarrow.null(), pyarrow.int64(), pyarrow.int64(), pyarrow.float64(), pyarrow.float64(), pyarrow.float64()]
    assert types == kinds and column.type == pyarrow.float64()


@pytest.mark.parametrize(
    "document, read",
    [
        ({"a": {"b": {"c": 1}}}, 1),
        ({"a": {"b": {}}}, None),
        ({"a": {"b": None}}, None),
        ({"a": None}, None),
        ({}, None),
        ({"a": 7}, None),
        ({"a": {"b": "text"}}, None),
    ],
)
def test_dotted_paths(document, read):
    assert Column("x", "a.b.c").cells([{"a": {"b": {"c": 5}}}, document]).to_pylist() == [5, read]


def test_an_array_on_the_path_is_refused():
    with pytest.raises(Misfit, match="the type is array"):
        Column("x", "a.b").cells([{"a": [{"b": 1}]}])
