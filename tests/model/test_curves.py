import numpy as np
import pytest

from bundles import SCHEMA, files
from slipway.model.curves import FIELDS, POINTS, curves
from slipway.model.encoding import Encoding, Output
from slipway.model.predictor import Predictor
from slipway.model.typed_document import Draft
from slipway.sections import Serving
from slipway.table.cell import columns_from_rows
from slipway.table.rules import Rules
from slipway.table.schema import Field, Schema

ROW = {"age": 45, "bmi": 33.3, "smoker": "no", "joined": "2021-11-05"}
RULES = Rules(SCHEMA, Serving())


def made(task="regression", row=ROW, names=SCHEMA.names, rules=RULES):
    predictor = Predictor(Draft(files(task)))
    return predictor, curves(predictor, rules, columns_from_rows(SCHEMA, [row]), names)


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_a_curve_has_the_answers_to_the_row_with_other_values_in_one_field(task):
    predictor, found = made(task)
    assert [curve.field.name for curve in found.fields] == ["age", "bmi", "smoker", "joined"]
    assert found.label == {"regression": "", "binary": "Y", "multiclass": "a"}[task]
    for curve in found.fields:
        assert 2 <= len(curve.values) <= POINTS
        assert curve.values[curve.here] == ROW[curve.field.name]
        rows = [ROW | {curve.field.name: value} for value in curve.values]
        answer = predictor.predict(columns_from_rows(SCHEMA, rows))
        expected = answer.values if task == "regression" else answer.probabilities[:, predictor.classes.index(found.label)]
        assert curve.answers == pytest.approx(list(expected), rel=1e-12)


def test_the_values_go_from_end_to_end_of_training_and_are_such_as_the_field_has():
    age, bmi, smoker, joined = made()[1].fields
    assert (age.values[0], age.values[-1]) == (18, 64) and all(type(value) is int for value in age.values)
    assert (bmi.values[0], bmi.values[-1]) == (15.96, 53.13)
    assert smoker.values == ("no", "yes")
    assert (joined.values[0], joined.values[-1]) == ("2020-01-01", "2023-12-31") and "T" not in "".join(joined.values)


def test_what_is_not_answered_is_not_tried():
    rules = Rules(SCHEMA, Serving(), limits={"age": (30, 50), "bmi": (60, 70)})
    found = made(rules=rules, row=ROW | {"bmi": None})[1]
    assert [curve.field.name for curve in found.fields] == ["age", "smoker", "joined"]
    assert (found.fields[0].values[0], found.fields[0].values[-1]) == (30, 50)


def test_a_value_beyond_training_is_on_the_curve_and_a_missing_one_is_not():
    age, bmi, *_ = made(row=ROW | {"age": 80, "bmi": None})[1].fields
    assert age.values[-1] == 80 and age.here == len(age.values) - 1
    assert bmi.here is None and len(bmi.values) == POINTS - 1


def test_many_fields_are_answered_in_one_bounded_batch(monkeypatch):
    fields = tuple(Field(f"s{place:03}", "number", minimum=0, maximum=9, example=1) for place in range(170))
    schema = Schema(fields)
    encoding = Encoding(schema, tuple(Output("value", field.name) for field in fields))
    row = {field.name: 5.0 for field in fields}
    predictor = Predictor(Draft(files("regression", schema, encoding, [row], np.ones((170, 1)))))
    asked = []
    scores = predictor.scores
    monkeypatch.setattr(predictor, "scores", lambda columns: asked.append(len(columns["s000"])) or scores(columns))
    found = curves(predictor, Rules(schema, Serving()), columns_from_rows(schema, [row]), schema.names)
    assert len(found.fields) == FIELDS and len(asked) == 1 and asked[0] <= FIELDS * POINTS


def test_a_field_with_many_levels_or_one_value_has_none():
    schema = Schema(
        (
            Field("many", "category", levels=tuple(map(str, range(POINTS + 1)))),
            Field("one", "number", minimum=3, maximum=3),
            Field("none", "number", missing=1.0),
            Field("x", "number", minimum=0, maximum=1),
        )
    )
    encoding = Encoding(schema, (Output("value", "x"),))
    row = {"many": "1", "one": 3, "none": None, "x": 0.5}
    predictor = Predictor(Draft(files("regression", schema, encoding, [row], [[1.0]])))
    found = curves(predictor, Rules(schema, Serving()), columns_from_rows(schema, [row]), schema.names)
    assert [curve.field.name for curve in found.fields] == ["x"]
