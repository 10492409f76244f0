import re

import numpy as np
import pandas as pd
import pytest

from slipway.errors import TableError
from slipway.table.cells import cells_of
from slipway.table.inference import infer_field, infer_schema, read_target
from slipway.table.schema import Feature
from tables import charges, problem


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        (["1", "2", ""], "integer"),
        (["1.0", "2.0"], "number"),
        (["1", "2.5"], "number"),
        (["a", "b"], "category"),
        (["1", "2", "3+"], "category"),
        (["2024-01-05", "2024-02-01T10:30"], "date"),
        ([1.0, 2.0, np.nan], "integer"),
        ([1.0, 2.0], "number"),
        ([True, False], "category"),
        (["1"] * 30 + [" "], "integer"),
    ],
)
def test_types(cells, kind):
    column = pd.Series(cells, name="c")
    assert infer_field(cells_of(column), column.dtype).type == kind


def test_a_field_says_range_missing_share_and_a_typical_value():
    field = infer_field(cells_of(pd.Series(["3", "1", "NA", "2"], name="c")))
    assert (field.minimum, field.maximum, field.missing, field.example) == (1, 3, 0.25, 2)
    field = infer_field(cells_of(pd.Series(["b", "a", "b"], name="c")))
    assert (field.levels, field.example) == (("a", "b"), "b")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["1"] * 99 + ["oops"], "nearly all cells are numbers, but 1 cell contains 'oops'"),
        (["", "NA"], "every cell is missing"),
        (["1", "-2e300"], r"column 'c': has a number beyond ±3.4e\+38"),
        ([f"name {number}" for number in range(500)], "like a name or free text"),
    ],
)
def test_what_is_not_fit_to_learn_from_is_said(cells, message):
    with pytest.raises(TableError, match=message):
        infer_field(cells_of(pd.Series(cells, name="c")))


@pytest.mark.parametrize(
    ("cells", "settings", "task", "classes"),
    [
        (["yes", "no"] * 60, {}, "binary", ("no", "yes")),
        (["good", "bad"] * 60, {}, "binary", ("good", "bad")),
        (["x", "x", "z"] * 40, {}, "binary", ("x", "z")),
        (["0", "1"] * 60, {"positive": "0"}, "binary", ("1", "0")),
        (["1", "2", "3"] * 40, {}, "multiclass", ("1", "2", "3")),
        (["1", "2", "3"] * 40, {"task": "regression"}, "regression", ()),
        ([str(number / 7) for number in range(120)], {}, "regression", ()),
        ([str(number) for number in range(120)], {}, "regression", ()),
        (["a", "b", "c"] * 40, {}, "multiclass", ("a", "b", "c")),
    ],
)
def test_the_task_is_inferred_from_the_target(tmp_path, cells, settings, task, classes):
    frame = pd.DataFrame({"x": range(120), "y": cells})
    target = read_target(frame, problem(tmp_path, frame, "y", **settings))
    assert (target.task, target.classes) == (task, classes)


def test_rows_without_a_target_are_masked(tmp_path):
    frame = pd.DataFrame({"x": range(120), "y": ["1.5", "", "2.5"] * 40})
    target = read_target(frame, problem(tmp_path, frame, "y"))
    assert target.rows.sum() == 80 and len(target.y) == 80


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"positive": "maybe"}, "no label 'maybe'"),
        ({"task": "regression"}, "expected numbers"),
    ],
)
def test_a_target_that_does_not_fit(tmp_path, settings, message):
    frame = pd.DataFrame({"x": range(120), "y": ["yes", "no"] * 60})
    with pytest.raises(TableError, match=message):
        read_target(frame, problem(tmp_path, frame, "y", **settings))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"drop": ["bmy"]}, "no column 'bmy'. Did you mean 'bmi'"),
        ({"id": "row"}, "no column 'row'"),
        ({"drop": ["age", "bmi", "smoker", "region"]}, "no column to learn from"),
    ],
)
def test_columns_that_the_problem_names_must_be_there(tmp_path, settings, message):
    with pytest.raises(TableError, match=message):
        infer_schema(charges(), problem(tmp_path, charges(), "charges", **settings))


def test_free_text_is_left_out_unless_slipway_yaml_calls_it_a_category(tmp_path):
    frame = charges(400).assign(note=[f"note {number}" for number in range(400)])
    schema = infer_schema(frame, problem(tmp_path, frame, "charges"))
    assert schema.names == ("age", "bmi", "smoker", "region")
    assert schema.left_out == (("note", "400 different texts in 400 rows, like a name or free text"),)
    for settings in ({"types": {"note": "category"}}, {"drop": ["age", "bmi", "smoker", "region"]}):
        with pytest.raises(TableError, match="column 'note': has 400 different texts"):
            infer_schema(frame, problem(tmp_path, frame, "charges", **settings))
    with pytest.raises(TableError, match="features.half: there is no column 'note' to learn from"):
        infer_schema(frame, problem(tmp_path, frame, "charges", features={"half": "note / 2"}))


@pytest.mark.parametrize(
    "expressions, says",
    [
        (
            {"ratio": "bmi / charges"},
            "features.ratio: reads 'charges', which is the target. A feature reads only columns",
        ),
        ({"ratio": "age / `row number`"}, "features.ratio: reads 'row number', which is an id"),
        ({"ratio": "age / left"}, "features.ratio: reads 'left', which is in drop"),
        ({"age": "bmi / 2"}, "features.age: the table has a column of this name. Choose another name"),
        ({"charges": "bmi / 2"}, "features.charges: the table has a column of this name"),
        ({"ratio": "age / bim"}, "features.ratio: there is no column 'bim' to learn from. Did you mean bmi?"),
        ({"ratio": "age / region"}, "features.ratio: column 'region' is a category, not a number"),
        ({"ratio": "age /"}, "features.ratio: 'age /' is not an expression"),
        ({"one": "two + 1", "two": "age + 1"}, "features.one: there is no column 'two' to learn from"),
        ({"parts": "quantiles(age)"}, "features.parts: quantiles needs a number"),
        ({"big": "age * 1e300"}, "features.big: age * 1e300 is missing in every row. It is missing where a cell is, after"),
        ({"parts": "bin(age / 0, 1)"}, "features.parts: bin(age / 0, 1) is missing in every row"),
    ],
)
def test_features_that_cannot_be_computed_are_refused(tmp_path, expressions, says):
    frame = charges().assign(left="1")
    frame["row number"] = range(len(frame))
    settings = {"features": expressions, "id": "row number", "drop": ["left"]}
    with pytest.raises(TableError, match=re.escape(says)):
        infer_schema(frame, problem(tmp_path, frame, "charges", **settings))


def test_the_schema_has_the_features_that_are_declared(tmp_path):
    declared = {"ratio": "age / bmi", "half": "ratio / 2"}
    schema = infer_schema(charges(), problem(tmp_path, charges(), "charges", features=declared))
    assert schema.features == (Feature("ratio", "age / bmi"), Feature("half", "ratio / 2"))
    assert schema.names == ("age", "bmi", "smoker", "region")


@pytest.mark.parametrize(
    "cells, example, says",
    [
        (
            ["06/12/2024", "08/06/2024"] * 30,
            "31.12.2024",
            "60 cells contain '06/12/2024', '08/06/2024' .* not written like 31.12",
        ),
        (["$5.00", "€15.00", "$7.00"] * 30, "$1,234.56", "30 cells contain '€15.00' .* not written like"),
        (["1.234,56", "2", "k.A."] * 30, "1.234,56", "30 cells contain 'k.A.'"),
        (["16.04.2024"] * 60, "12/31/2024", "60 cells contain '16.04.2024'"),
    ],
)
def test_a_format_that_cells_are_not_written_in_is_refused(tmp_path, cells, example, says):
    frame = pd.DataFrame({"a": cells, "y": range(len(cells))})
    with pytest.raises(TableError, match=f"column 'a': {says}"):
        infer_schema(frame, problem(tmp_path, frame, "y", formats={"a": example}))
    with pytest.raises(TableError, match="column 'a': "):
        read_target(frame, problem(tmp_path, frame, "a", formats={"a": example}))


@pytest.mark.parametrize(
    "name, says", [("z", "has no column 'z'"), ("kind", "is a category"), ("left", "is not learned from")]
)
def test_limits_of_what_is_no_number_are_refused(tmp_path, name, says):
    frame = charges().assign(kind="a", left="1")
    frame.loc[::2, "kind"] = "b"
    with pytest.raises(TableError, match=says):
        infer_schema(frame, problem(tmp_path, frame, "charges", limits={name: [0, 1]}, drop=["left"]))
