"""What is learned of columns before a fit: of the rows of that fit alone."""

import numpy as np
import pytest

from slipway.model.encoding import Output
from slipway.table.schema import MISSING, UNSEEN, Feature, Field, Schema
from slipway.training.data.labelled import Rows
from slipway.training.fitting.candidates import Trial
from slipway.training.fitting.fitted import fit
from slipway.training.fitting.preprocessing import for_forest, for_linear, for_trees
from slipway.training.fitting.target_means import learned_matrix

FEATURES = (Feature("double", "2 * x"), Feature("part", "quantiles(double, 4)"), Feature("band", "bin(x, 0, 1)"))
SCHEMA = Schema((Field("x", "number"), Field("when", "date")), FEATURES)


def columns(rows: int, seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {"x": random.normal(size=rows), "when": 19_000 + np.floor(random.uniform(0, 700, rows))}


@pytest.mark.parametrize("learn", [for_trees, for_linear])
def test_features_are_columns_like_others(learn):
    """Numbers as numbers, binned ones as levels; a feature may read those before it."""
    rows = columns(400)
    encoding = learn(SCHEMA, rows)
    kinds = {(output.kind, output.field) for output in encoding.outputs}
    assert {("value", "double"), ("level", "part"), ("level", "band")} <= kinds
    assert encoding.unfit is None
    matrix = encoding.encode(rows)
    place = next(place for place, output in enumerate(encoding.outputs) if output.field == "double")
    output = encoding.outputs[place]
    np.testing.assert_allclose(matrix[:, place] * output.scale + output.mean, 2 * rows["x"])


def test_quantiles_are_those_of_the_rows_learned_from():
    """A fold's other rows do not move them."""
    rows = columns(400)
    first = {name: column[:200] for name, column in rows.items()}
    whole, half = for_trees(SCHEMA, rows), for_trees(SCHEMA, first)
    assert whole.features[1] != half.features[1]
    limits = ", ".join(repr(float(limit)) for limit in np.quantile(2 * first["x"], [0.25, 0.5, 0.75]))
    assert half.features == (FEATURES[0], Feature("part", f"bin(double, {limits})"), FEATURES[2])
    counts = np.sum([half.encode(first)[:, place] for place in _of(half, "part")], axis=1)
    assert counts.tolist() == [50, 50, 50, 50]
    assert half.encode(rows).shape == (400, len(half.outputs))


def _of(encoding, field: str) -> list[int]:
    return [place for place, output in enumerate(encoding.outputs) if output.field == field]


@pytest.mark.parametrize("time, parts", [(0.0, []), (0.25, ["hour"])])
def test_trees_see_what_comes_again_of_a_date(time, parts):
    schema = Schema((Field("when", "date", missing=0.1),))
    rows = {"when": np.array([19_000.0, 19_050 + time, np.nan])}
    kinds = [output.kind for output in for_trees(schema, rows).outputs]
    assert kinds == ["value", "month", "weekday", "day_of_year", *parts]
    assert [output.kind for output in for_linear(schema, rows).outputs] == ["value", "missing"]


NATIVE = {"native_levels": True}


def city(levels: str) -> Schema:
    return Schema((Field("city", "category", levels=tuple(levels)),))


def test_ranks_are_learned_of_the_levels_that_are_there():
    """Rare levels share a rank, and levels without rows have it too; without rare ones they are missing."""
    codes = np.array([0] * 30 + [1] * 30 + [2] * 3 + [3] * 3)
    aims = np.array([5.0] * 30 + [1.0] * 30 + [3.0] * 6)[:, None]
    for learn, settings in ((for_trees, NATIVE), (for_forest, {})):
        encoding = learn(city("abcde"), {"city": codes}, aims, settings)
        assert encoding.outputs == (Output("rank", "city", levels=("b", "a"), values=(0.0, 2.0), other=1.0),)
        np.testing.assert_array_equal(encoding.encode({"city": np.arange(-2, 5)})[:, 0], [1, np.nan, 2, 0, 1, 1, 1])
    encoding = for_trees(city("abcde"), {"city": codes[:60]}, aims[:60], NATIVE)
    assert encoding.outputs == (Output("rank", "city", levels=("b", "a"), values=(0.0, 1.0)),)
    np.testing.assert_array_equal(encoding.encode({"city": np.array([4, UNSEEN, 0])})[:, 0], [np.nan, np.nan, 1])


def test_levels_of_several_classes_are_ranked_where_their_shares_differ_most():
    """The number of a class says nothing: here the second of three tells the levels apart."""
    shares = {"a": (40, 10, 50), "b": (10, 80, 10), "c": (25, 45, 30)}
    codes = np.repeat(np.arange(3), 100)
    y = np.concatenate([np.repeat(np.arange(3), counts) for counts in shares.values()])
    (output,) = for_forest(city("abc"), {"city": codes}, np.eye(3)[y]).outputs
    assert output.levels in (("a", "c", "b"), ("b", "c", "a"))


@pytest.mark.parametrize("codes", [np.full(30, MISSING), np.arange(30)])
def test_a_category_without_a_common_level_has_no_ranks(codes):
    schema = Schema((Field("city", "category", levels=tuple(map(str, range(30)))),))
    encoding = for_forest(schema, {"city": codes}, np.zeros((30, 1)))
    assert "rank" not in {output.kind for output in encoding.outputs} and encoding.unfit is None


def many(rows: int = 2_000, levels: int = 300) -> tuple[Schema, np.ndarray]:
    schema = Schema((Field("city", "category", levels=tuple(map(str, range(levels)))), Field("x", "number")))
    return schema, np.random.default_rng(0).integers(0, levels - 1, rows)


def test_many_levels_are_told_by_their_mean_target():
    """Drawn to the mean of all rows; that is also what a level that training never saw gets."""
    schema, codes = many()
    codes[::10] = MISSING
    y = np.where(codes == MISSING, 7.0, 0.01 * codes)
    rows = {"city": codes, "x": np.zeros(len(codes))}
    kinds = {learn: [output.kind for output in learn(schema, rows, y[:, None]).outputs] for learn in (for_trees, for_linear)}
    assert kinds == {for_trees: ["mean", "value"], for_linear: ["mean", "value"]}
    assert [output.kind for output in for_trees(schema, rows, y[:, None], NATIVE).outputs] == ["rank", "mean", "value"]
    answered = for_trees(schema, rows, y[:, None]).encode({"city": np.array([UNSEEN, MISSING, 299, 10]), "x": np.zeros(4)})
    np.testing.assert_allclose(answered[:, 0], [y.mean(), 7, y.mean(), 0.1], rtol=1e-3)
    linear = for_linear(schema, rows, y[:, None])
    np.testing.assert_allclose(linear.encode(rows).mean(axis=0), 0, atol=1e-9)


@pytest.mark.parametrize("kin", [None, "copies"])
def test_a_row_that_is_learned_from_does_not_see_its_own_target(kin):
    """Levels that say nothing must not seem to: neither by their rows' own target nor by that of copies of these rows."""
    schema, codes = many()
    y = np.random.default_rng(1).normal(size=len(codes))
    if kin:
        codes, y, kin = np.tile(codes, 4), np.tile(y, 4), np.tile(np.arange(len(codes)), 4)
    rows, aims = {"city": codes, "x": np.zeros(len(codes))}, y[:, None]
    for learn in (for_trees, for_linear):
        encoding = learn(schema, rows, aims)
        shown = encoding.encode(rows)[:, 0], learned_matrix(encoding, rows, aims, kin, 0)[:, 0]
        own, others = (np.corrcoef(each, y)[0, 1] for each in shown)
        assert own > 0.3 and others < 0.05
        again = learned_matrix(encoding, rows, aims, kin, 0)
        np.testing.assert_array_equal(again[:, 0], shown[1])


def test_without_means_the_matrix_learned_from_is_the_encoded_one():
    rows = columns(100)
    encoding = for_trees(SCHEMA, rows)
    np.testing.assert_array_equal(learned_matrix(encoding, rows, np.zeros((100, 1)), None, 0), encoding.encode(rows))


@pytest.mark.parametrize("candidate", ["linear", "forest", "boosting"])
@pytest.mark.parametrize("task", ["regression", "binary", "multiclass"])
def test_a_random_column_of_many_levels_does_not_look_good(candidate, task):
    """Learned from whole folds: rows that a fit has not seen are answered no better than by the baseline."""
    schema, codes = many(1_200, 400)
    random = np.random.default_rng(2)
    y = random.normal(size=1_200) if task == "regression" else random.integers(0, 2 + (task == "multiclass"), 1_200)
    classes = {"regression": (), "binary": ("a", "b"), "multiclass": ("a", "b", "c")}[task]
    rows = Rows(schema, {"city": codes, "x": random.normal(size=1_200)}, y, task, classes)
    learned, unseen = rows.take(np.arange(800)), rows.take(np.arange(800, 1_200))
    fitted = fit(Trial(candidate, {**QUICK[candidate]}), learned, 0)
    means = [output for output in fitted.encoding.outputs if output.kind == "mean"]
    assert len(means) == max(1, len(classes) * (task == "multiclass"))
    for part in (unseen, learned):
        scores = fitted.scores(part.columns)
        told = np.corrcoef(scores if scores.ndim == 1 else scores[:, 1], part.y == 1 if task == "multiclass" else part.y)[0, 1]
        assert told < (0.15 if part is unseen else 0.85), "it learned the rows by heart"


QUICK = {
    "linear": {"penalty": 1.0},
    "forest": {"min_samples_leaf": 20, "max_features": 1.0},
    "boosting": {"max_iter": 20, "max_leaf_nodes": 4, "native_levels": True},
}
