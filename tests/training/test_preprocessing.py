"""What is learned of columns before a fit: of the rows of that fit alone."""

import numpy as np
import pytest

from slipway.model.encoding import Output
from slipway.table.schema import UNSEEN, Feature, Field, Schema
from slipway.training.preprocessing import for_linear, for_trees

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


def test_ranks_are_learned_of_the_levels_that_are_there():
    """Rare levels share a rank, and levels without rows have it too; without rare ones they are missing."""
    schema = Schema((Field("city", "category", levels=("a", "b", "c", "d", "e")),))
    codes = np.array([0] * 30 + [1] * 30 + [2] * 3 + [3] * 3)
    y = np.array([5.0] * 30 + [1.0] * 30 + [3.0] * 6)
    (output,) = for_trees(schema, {"city": codes}, y, {"native_levels": True}).outputs
    assert dict(zip(output.levels, output.values)) == {"b": 0.0, "c": 1.0, "d": 1.0, "a": 2.0} and output.other == 1.0
    common = {"city": codes[:60]}
    encoding = for_trees(schema, common, y[:60], {"native_levels": True})
    assert encoding.outputs == (Output("lookup", "city", levels=("b", "a"), values=(0.0, 1.0)),)
    np.testing.assert_array_equal(encoding.encode({"city": np.array([4, UNSEEN, 0])})[:, 0], [np.nan, np.nan, 1])


def test_a_category_without_any_cell_in_the_rows_learned_from_has_no_ranks():
    schema = Schema((Field("city", "category", levels=("a", "b")),))
    encoding = for_trees(schema, {"city": np.full(30, -1)}, np.zeros(30), {"native_levels": True})
    assert encoding.outputs == (Output("missing", "city"),) and encoding.unfit is None
