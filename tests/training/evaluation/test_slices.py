import numpy as np

from slipway.model.metrics import Scored
from slipway.table.schema import Field, Schema
from slipway.training.data.labelled import Rows
from slipway.training.evaluation.slices import slices
from slipway.training.measures.goal import Goal

SCHEMA = Schema(
    (
        Field("age", "integer", minimum=18, maximum=90),
        Field("region", "category", levels=("east", "north", "west")),
        Field("joined", "date", minimum=0, maximum=1_000, missing=0.1),
    )
)
GOAL = Goal("rmse", None, 0)


def table(rows: int, seed: int = 0) -> Rows:
    random = np.random.default_rng(seed)
    columns = {
        "age": random.integers(18, 90, rows).astype(np.float64),
        "region": random.integers(0, 3, rows),
        "joined": np.where(random.random(rows) < 0.1, np.nan, random.integers(0, 1_000, rows)),
    }
    return Rows(SCHEMA, columns, random.normal(size=rows), "regression", ())


def test_the_worst_part_comes_first_and_stands_apart():
    held = table(800)
    scores = np.where(held.columns["region"] == 1, 3 * held.y, 0.0)  # errors twice as large there
    found = slices(Scored(held.y, scores), held, SCHEMA.names, GOAL, 0.9)
    worst = found.worst[0]
    assert (worst.field, worst.part, worst.apart) == ("region", "north", True)
    assert worst.estimate.low > found.whole and worst.rows == (held.columns["region"] == 1).sum()
    assert [one.estimate.value for one in found.worst] == sorted((one.estimate.value for one in found.worst), reverse=True)


def test_ranges_levels_and_missing_cells_are_named():
    held = table(800)
    found = slices(Scored(held.y, np.zeros(800)), held, SCHEMA.names, GOAL, 0.9)
    parts = {(one.field, one.part) for one in found.worst}
    assert found.examined == len(parts) == 4 + 3 + 5
    assert ("region", "west") in parts and ("joined", "missing") in parts
    ages = sorted(part for field, part in parts if field == "age")
    assert ages[0].startswith("18 to ") and ages[-1].endswith(" to 89")
    assert sum(one.rows for one in found.worst if one.field == "joined") == 800
    assert all(part.count("-") == 4 for field, part in parts if field == "joined" and part != "missing")


def test_parts_with_few_rows_are_not_judged():
    held = table(60)
    found = slices(Scored(held.y, np.zeros(60)), held, SCHEMA.names, GOAL, 0.9)
    assert all(one.rows >= 30 for one in found.worst) and found.examined == len(found.worst)


def test_a_part_is_not_all_rows():
    held = table(38)
    held.columns["region"][:] = 1
    found = slices(Scored(held.y, np.zeros(38)), held, SCHEMA.names, GOAL, 0.9)
    assert [one.field for one in found.worst] == ["joined"], "those with a date; each age and region would be all 38"


def test_where_no_part_differs_hardly_one_stands_apart():
    marked = 0
    for seed in range(20):
        held = table(400, seed)
        marked += any(one.apart for one in slices(Scored(held.y, np.zeros(400)), held, SCHEMA.names, GOAL, 0.9).worst)
    assert marked <= 4  # 2 expected


def test_a_metric_of_the_spread_of_the_target_is_not_compared_between_parts():
    held = table(400)
    assert slices(Scored(held.y, np.zeros(400)), held, SCHEMA.names, Goal("r2", None, 0), 0.9).metric == "rmse"
