import math
import pickle

import numpy as np
import pytest

from bundles import ENCODING, ROWS, SCHEMA, block_of
from slipway.model.encoding import Encoding, Output
from slipway.table.cell import columns_from_rows
from slipway.table.dates import parse_date
from slipway.table.schema import Columns, Feature, Field, Schema

NAN = math.nan
FIELDS = Schema((Field("x", "number"), Field("level", "category", levels=("a", "b", "c")), Field("day", "date")))

ENCODING_OF_ALL = Encoding(FIELDS, (Output("value", "x"), Output("missing", "level"), Output("log", "x")))


def columns_of(output: Output, *cells) -> Columns:
    """Rows with these cells; the other fields have other values."""
    row = {"level": "a", "day": "2020-01-01"}
    return columns_from_rows(FIELDS, [row | {"x": place, output.field: cell} for place, cell in enumerate(cells)])


def encoded(output: Output, *cells) -> list[float]:
    return Encoding(FIELDS, (output,)).encode(columns_of(output, *cells))[:, 0].tolist()


CASES = pytest.mark.parametrize(
    "output, cells, expected",
    [
        (Output("value", "x"), (1.5, -2, None), [1.5, -2, NAN]),
        (Output("value", "x", fill=7.0), (1.5, None), [1.5, 7]),
        (Output("value", "x", mean=1, scale=2), (5, None), [2, NAN]),
        (Output("value", "x", fill=3.0, mean=1, scale=2), (5, None), [2, 1]),
        (Output("log", "x"), (0, math.e - 1, 1 - math.e, None), [0, 1, -1, NAN]),
        (Output("log", "x", fill=0.5), (None,), [0.5]),
        (Output("missing", "x"), (1, None), [0, 1]),
        (Output("missing", "level"), ("a", None, "unseen"), [0, 1, 0]),
        (Output("missing", "day"), ("2020-01-01", None), [0, 1]),
        (Output("level", "level", levels=("b",)), ("a", "b", None, "unseen"), [0, 1, 0, 0]),
        (Output("level", "level", levels=("a", "c")), ("a", "b", "c", None), [1, 0, 1, 0]),
        (Output("level", "level", levels=("a",), unseen=True), ("a", "b", None, "unseen"), [1, 0, 0, 1]),
        (Output("level", "level", unseen=True), ("a", None, "unseen"), [0, 0, 1]),
        (Output("rank", "level", ("c", "a"), values=(0.5, 2.0)), ("a", "b", "c", None, "unseen"), [2, NAN, 0.5, NAN, NAN]),
        (Output("rank", "level", ("a",), values=(3.0,), other=7.0), ("a", "b", None, "unseen"), [3, 7, NAN, 7]),
        (Output("rank", "level", ("a",), values=(3.0,), other=7.0, fill=5.0, mean=1.0), ("a", None, "unseen"), [2, 4, 6]),
        (Output("value", "day"), ("1970-01-03",), [2]),
        (Output("month", "day"), ("2020-01-31", "2020-12-01", "1969-12-31", "2020-02-29T23:59:00", None), [1, 12, 12, 2, NAN]),
        (Output("weekday", "day"), ("1970-01-01", "2026-11-21", "2026-11-22T12:00:00", "1969-12-31", None), [3, 5, 6, 2, NAN]),
        (Output("weekday", "day", fill=1.0), (None,), [1]),
        (Output("hour", "day"), ("2020-01-31", "2020-12-01T08:00:00", "1969-12-31T23:59:59.999", None), [0, 8, 23, NAN]),
        (Output("day_of_year", "day"), ("2020-01-31", "2020-12-31", "2021-12-31", "1969-01-01"), [31, 366, 365, 1]),
        (
            Output("mean", "level", ("a", "c"), values=(0.1, 0.9), other=0.5, fill=0.4),
            ("a", "b", None, "x"),
            [0.1, 0.5, 0.4, 0.5],
        ),
    ],
)


@CASES
def test_one_column(output, cells, expected):
    np.testing.assert_allclose(encoded(output, *cells), expected)


@CASES
def test_a_block_is_encoded_as_its_columns_are(output, cells, expected):
    columns = columns_of(output, *cells)
    coded, hour = Output("level", "level", ("c",)), Output("hour", "day")
    others = (Output("log", "x", fill=0.0), coded, hour, output, Output("value", "x"))
    features = (Feature("twice", "x * 2"), Feature("more", "twice + x"))
    for encoding in (
        Encoding(FIELDS, (output,)),
        Encoding(FIELDS, others),
        Encoding(FIELDS, (Output("value", "more"), output, Output("value", "twice")), features),
        Encoding(FIELDS, ()),
    ):
        np.testing.assert_array_equal(encoding.encode(block_of(FIELDS, columns)), encoding.encode(columns))


def test_more_rows_than_are_encoded_together(monkeypatch):
    columns = columns_of(Output("value", "x"), *range(7))
    together = ENCODING_OF_ALL.encode(columns)
    monkeypatch.setattr("slipway.model.encoding.AT_ONCE", 3)
    np.testing.assert_array_equal(ENCODING_OF_ALL.encode(columns), together)


def test_it_can_be_sent_to_another_process_after_use():
    encoding = Encoding(FIELDS, (Output("value", "twice"),), (Feature("twice", "x * 2"),))
    columns = columns_of(Output("value", "x"), 1.5)
    before = encoding.encode(columns)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(encoding)).encode(columns), before)


def test_the_matrix_has_a_row_for_each_and_is_double():
    matrix = ENCODING.encode(columns_from_rows(SCHEMA, ROWS))
    assert matrix.dtype == np.float64
    np.testing.assert_array_equal(matrix, [[19, 27.9, 1, 2], [62, 30, 0, 4], [45, 33.3, 0, 4], [33, 22.7, 1, 0]])
    assert parse_date("2023-06-30") == 19538
    assert ENCODING.encode(columns_from_rows(SCHEMA, [])).shape == (0, 4)


def test_rows_do_not_touch_one_another():
    together = ENCODING.encode(columns_from_rows(SCHEMA, ROWS))
    alone = np.vstack([ENCODING.encode(columns_from_rows(SCHEMA, [row])) for row in ROWS])
    np.testing.assert_array_equal(together, alone)


def test_the_columns_are_left_as_they_are():
    columns = columns_from_rows(SCHEMA, ROWS)
    before = {name: column.copy() for name, column in columns.items()}
    ENCODING.encode(columns)
    for name, column in columns.items():
        np.testing.assert_array_equal(column, before[name])


@pytest.mark.parametrize(
    "output",
    [
        Output("square", "age"),
        Output("value", "height"),
        Output("level", "smoker", levels=("maybe",)),
        Output("level", "smoker"),
        Output("level", "age", unseen=True),
        Output("value", "smoker"),
        Output("log", "joined"),
        Output("month", "bmi"),
        Output("value", "age", levels=("yes",)),
        Output("value", "age", scale=0.0),
        Output("rank", "smoker"),
        Output("rank", "smoker", levels=("yes", "no"), values=(1.0,)),
        Output("rank", "smoker", levels=("maybe",), values=(1.0,)),
        Output("rank", "age", levels=("yes",), values=(1.0,)),
        Output("level", "smoker", levels=("yes",), values=(1.0,)),
    ],
)
def test_what_does_not_fit_the_schema_is_found(output):
    assert Encoding(SCHEMA, (*ENCODING.outputs, output)).unfit == output
    assert ENCODING.unfit is None
