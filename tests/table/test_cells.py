import re
from datetime import time

import numpy as np
import pandas as pd
import pyarrow
import pytest

from slipway.errors import ProblemError, TableError
from slipway.sections import Serving
from slipway.table.arrow_cells import read_column
from slipway.table.cells import cells_of, read_columns, read_frame_column
from slipway.table.identity import row_keys
from slipway.table.rules import Rule, Rules
from slipway.table.schema import MISSING, UNSEEN, Field, Schema


@pytest.mark.parametrize(
    ("cells", "texts", "missing"),
    [
        ([" a", "b ", "a"], ["a", "b"], 0),
        (["NA", "na", " ?", "", "  ", "None", "nan", "x"], ["x"], 7),
        (['"1234"', ' "1234" ', "1234", '"""1234"""', '" NA "', '""'], ["1234", '"1234"'], 2),
        ([True, False, True], ["true", "false"], 0),
        (["True", "FALSE"], ["true", "false"], 0),
        ([1.0, 2.5, np.nan], ["1", "2.5"], 1),
        (pd.to_datetime(["2024-01-05 00:00", "2024-01-05 12:00"]), ["2024-01-05", "2024-01-05T12:00:00"], 0),
        (pd.Categorical(["x", None, "y"]), ["x", "y"], 1),
    ],
)
def test_cells_are_texts_without_blanks_and_missing_markers(cells, texts, missing):
    found = cells_of(pd.Series(cells, name="c"))
    assert found.texts == texts and found.missing.sum() == missing


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1.0),
        ("1.50", 1.5),
        ("-2e3", -2000.0),
        ("1_000", None),
        ("inf", None),
        ("1,5", None),
        ("0x10", None),
    ],
)
def test_what_is_a_number(text, number):
    value = cells_of(pd.Series([text], name="c")).numbers[0]
    assert np.isnan(value) if number is None else value == number


def test_columns_are_typed_by_the_schema():
    schema = Schema(
        (
            Field("n", "number"),
            Field("c", "category", levels=("a", "b")),
            Field("d", "date"),
        )
    )
    frame = pd.DataFrame({"n": ["1.5", "?", "2"], "c": ["b", "", "z"], "d": ["1970-01-02", "NA", "1970-01-01 12:00"]})
    columns = read_columns(frame, schema)
    np.testing.assert_array_equal(columns["n"], [1.5, np.nan, 2])
    assert columns["c"].tolist() == [1, MISSING, UNSEEN]
    np.testing.assert_array_equal(columns["d"], [1, np.nan, 0.5])


def test_a_cell_of_another_type_is_named_with_its_rows():
    schema = Schema((Field("n", "number"),))
    with pytest.raises(TableError, match=r"column 'n': 2 cells contain 'oops' \(rows 2, 4\), expected a number"):
        read_columns(pd.DataFrame({"n": ["1", "oops", "2", "oops"]}), schema)


@pytest.mark.parametrize(
    "cell, says",
    [
        ([1], "column 'c': has lists or objects"),
        ({"a": 1}, "column 'c': has lists or objects"),
        (time(10, 30), "column 'c': '10:30:00' is no text"),
        (b"x", "is no text"),
        (pd.Timedelta(1, "s"), "is no text"),
        (pd.Timestamp("2020-01-01").as_unit("s") + pd.Timedelta(days=3_000_000), "no date of the years 1 to 9999"),
    ],
)
def test_a_cell_that_nobody_can_learn_from_is_named(cell, says):
    with pytest.raises(TableError, match=re.escape(says)):
        cells_of(pd.Series([cell, cell], name="c"))


def test_markers_of_ones_own_are_missing_too():
    columns = read_columns(pd.DataFrame({"n": ["1", " -999"]}), Schema((Field("n", "number"),)), lambda name: ["-999"])
    assert np.isnan(columns["n"][1])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (["1", "2"], [1, 2]),
        (["1", ""], [1.0, np.nan]),
        (["1.0", "0.1"], [1.0, 0.1]),
        (["2024-01-05", "NA"], pd.to_datetime(["2024-01-05", None])),
        (["True", "false"], [True, False]),
        ([" a ", "b"], pd.Categorical(["a", "b"])),
    ],
)
def test_keys_do_not_depend_on_how_a_cell_is_typed(one, other):
    assert row_keys(pd.DataFrame({"c": one}), ["c"], {}) == row_keys(pd.DataFrame({"c": other}), ["c"], {})


def test_keys_of_different_rows_differ():
    frame = pd.DataFrame({"a": ["x\x1fm", "x"], "b": ["y", "m\x1fy"]})
    first, second = row_keys(frame, ["b", "a"], {})
    assert first != second


def rule_of(field: Field, **policies) -> Rule:
    [rule] = Rules(Schema((field,)), Serving(**policies))
    return rule


def test_a_level_in_quotes_of_an_earlier_training_is_read_as_it_was():
    rule = rule_of(Field("c", "category", levels=('"no"', '"yes"')))
    assert rule.read([' "yes"', '"no"', "no"])[0].tolist() == [1, 0, UNSEEN]
    assert read_frame_column(rule, pd.Series([' "yes"', '"no"']))[0].tolist() == [1, 0]


def test_a_number_of_32_bits_is_the_level_that_it_says():
    rule = rule_of(Field("c", "category", levels=("0.1", "0.5")))
    cells = np.array([0.1, 0.5], dtype=np.float32)
    assert rule.read(list(cells))[0].tolist() == [0, 1]
    assert read_column(rule, pyarrow.array(cells))[0].tolist() == [0, 1]
    assert read_frame_column(rule, pd.Series(cells))[0].tolist() == [0, 1]


@pytest.mark.parametrize("kind", ["number", "category"])
def test_arrow_texts_of_every_type_are_read(kind):
    rule = rule_of(Field("c", kind, levels=("1", "2") if kind == "category" else (), minimum=1, maximum=2, missing=0.1))
    view = pyarrow.array(["1", None, "2"]).cast(pyarrow.string_view())
    many = pyarrow.DictionaryArray.from_arrays(
        pyarrow.array([0, None, 127], pyarrow.int8()), [str(each) for each in range(128)]
    )
    assert read_column(rule, view)[0].tolist()[::2] == ([0, 1] if kind == "category" else [1, 2])
    assert np.isnan(read_column(rule, many)[0][1]) or read_column(rule, many)[0][1] == MISSING


def test_a_frame_of_any_names_and_with_odd_cells_has_a_reason_a_row():
    rule = rule_of(Field("0", "number", minimum=1, maximum=9))
    values, wrong = read_frame_column(rule, pd.Series([1, [2], time(10), pd.NA, 5], dtype=object))
    assert values[[0, 4]].tolist() == [1, 5] and sorted(wrong) == [1, 2, 3]
    assert [wrong[row].reason for row in sorted(wrong)] == ["type", "type", "missing"]


@pytest.mark.parametrize(
    "minimum, maximum, refused, taken",
    [(18, 64, [-1, 111], [0, 110]), (0, 10, [-0.5, 20.5], [0, 20]), (-1, 1, [-3.5, 3.5], [-3, 3])],
)
def test_near_the_range_is_not_below_0_where_training_saw_nothing_negative(minimum, maximum, refused, taken):
    rule = rule_of(Field("n", "number", minimum=minimum, maximum=maximum))
    assert all(rule.fault_of_number(value) for value in refused) and not any(map(rule.fault_of_number, taken))


def test_a_range_wider_than_double_precision_is_still_one():
    rule = rule_of(Field("n", "number", minimum=-1.5e308, maximum=1.5e308), out_of_range="reject")
    assert list(rule.read([1.7e308, 1e308])[1]) == [0]


def test_what_is_expected_of_long_levels_is_short():
    rule = rule_of(Field("c", "category", levels=tuple(f"{place}{'x' * 500}" for place in range(30))))
    assert len(rule.expected) < 400 and rule.expected.endswith(" others")


def test_limits_of_a_column_that_the_model_has_not_are_refused():
    schema = Schema((Field("kids", "integer", minimum=0, maximum=5), Field("c", "category", levels=("a",))))
    for name, says in (("Kids", "Did you mean 'kids'"), ("c", "the model has no number 'c'")):
        with pytest.raises(ProblemError, match=says):
            Rules(schema, Serving(), {name: (0, 1)})


@pytest.mark.parametrize(
    "cells", [["-999.00", " -9.99e2 ", "5"], [-999.0, -999, 5], np.array([-999, -999, 5], dtype=np.float32)]
)
def test_a_marker_that_is_a_number_stands_for_its_value(cells):
    rule = rule_of(Field("n", "number", minimum=1, maximum=9, missing=0.1, markers=("-999",)))
    for values, wrong in (
        rule.read(list(cells)),
        read_frame_column(rule, pd.Series(cells)),
        read_column(rule, pyarrow.array(cells)),
    ):
        assert np.isnan(values).tolist() == [True, True, False] and not wrong
