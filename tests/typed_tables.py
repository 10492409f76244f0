"""A table with every type that a cell can have, and models that learned from such tables."""

import datetime as dt
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow

from slipway.problem import Problem, load_problem
from slipway.store.local import LocalStore
from slipway.training.train import train

TARGETS = {"regression": "cost", "binary": "late", "multiclass": "grade"}
LEVELS = ["north", "south", "east"]
START = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def typed(rows: int, seed: int = 0) -> pyarrow.Table:
    """Rows with their targets; every 13th cell of each column but the id is missing, some are unlike all others."""
    random = np.random.default_rng(seed)
    small, large = random.integers(-100, 100, rows), random.integers(0, 10**12, rows)
    single, price = random.normal(size=rows).astype(np.float32), np.round(random.gamma(2, 50, rows), 2)
    moments = [START + dt.timedelta(seconds=int(each)) for each in random.integers(0, 300 * 86_400, rows)]
    region, open_ = random.choice(LEVELS, rows), random.random(rows) < 0.4
    cost = 3.0 * small + price + 100 * single + 500 * open_ + random.normal(0, 5, rows)
    columns = {
        "tiny": pyarrow.array(small, pyarrow.int8()),
        "short": pyarrow.array(small * 7, pyarrow.int16()),
        "whole": pyarrow.array(small * 1_000, pyarrow.int32()),
        "large": pyarrow.array(large, pyarrow.int64()),
        "single": pyarrow.array(single, pyarrow.float32()),
        "double": pyarrow.array(random.normal(size=rows) / 3, pyarrow.float64()),
        "price": pyarrow.array([Decimal(f"{each:.2f}") for each in price], pyarrow.decimal128(12, 2)),
        "open": pyarrow.array(open_),
        "region": pyarrow.array(region),
        "day": pyarrow.array([each.date() for each in moments]),
        "moment": pyarrow.array(moments, pyarrow.timestamp("us", "UTC")),
        "local": pyarrow.array([each.replace(tzinfo=None) for each in moments], pyarrow.timestamp("us")),
    }
    for place, (name, cells) in enumerate(columns.items()):
        gaps = np.arange(rows) % 13 == place
        columns[name] = pyarrow.array(cells.to_pylist(), cells.type, mask=gaps)
    grade = np.digitize(cost, np.quantile(cost, [0.4, 0.8]))
    targets = {"cost": cost, "late": np.where(cost > np.median(cost), "yes", "no"), "grade": np.array(["a", "b", "c"])[grade]}
    return pyarrow.table({"row": np.arange(rows), **columns, **targets})


def odd(table: pyarrow.Table) -> pyarrow.Table:
    """The same with unseen levels, numbers far outside the range of training and such as are none, each in some rows."""
    every = np.arange(len(table))
    region = [("west" if row % 31 == 5 else cell) for row, cell in enumerate(table["region"].to_pylist())]
    double = np.where(every % 37 == 3, np.inf, np.where(every % 41 == 7, 1e9, table["double"].to_numpy(zero_copy_only=False)))
    for name, cells in (("region", pyarrow.array(region)), ("double", pyarrow.array(double, from_pandas=True))):
        table = table.set_column(table.column_names.index(name), name, cells)
    return table


def champion(folder: Path, task: str, **settings: str) -> Problem:
    """A problem of this task with a champion, boosted trees, in a folder."""
    frame = typed(400, seed=1).drop_columns([name for name in TARGETS.values() if name != TARGETS[task]]).to_pandas()
    frame.to_parquet(folder / "table.parquet")
    lines = {"name": task, "source": "table.parquet", "target": TARGETS[task], "id": "row"} | settings
    lines |= {"candidates": "[boosting]", "search": "{trials: 1}"}
    (folder / "slipway.yaml").write_text("".join(f"{name}: {value}\n" for name, value in lines.items()))
    problem = load_problem(folder / "slipway.yaml", environ={})
    assert train(problem, LocalStore(folder / "artifacts"), inputs={"data": "0"}, jobs=1).verdict.promoted
    return problem
