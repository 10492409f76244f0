import numpy as np
import pandas as pd
import pytest
from msgspec.structs import replace

from slipway.sections import Sampling
from slipway.store.local import LocalStore
from slipway.training.comparison import curve
from slipway.training.comparison.curve import worth_learning
from slipway.training.data import sample
from slipway.training.data.dataset import read
from slipway.training.train import train
from tables import problem

SETTINGS = {"candidates": ["linear", "boosting"], "search.trials": 1}


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Large begins at 1,000 rows here."""
    for module, name, number in [
        (sample, "WHOLE", 1_000),
        (curve, "WHOLE", 1_000),
        (curve, "START", 500),
        (curve, "CHECKED", 500),
        (sample, "FEWEST", 10),
    ]:
        monkeypatch.setattr(module, name, number)


def plain(rows: int) -> pd.DataFrame:
    """One number tells all that can be told, so a few rows do."""
    random = np.random.default_rng(0)
    x = random.integers(0, 3, rows)
    return pd.DataFrame({"row": [f"r{each}" for each in range(rows)], "x": x, "y": x + random.normal(0, 1, rows)})


def rich(rows: int) -> pd.DataFrame:
    """Many levels, each with a number of its own: every row helps."""
    random = np.random.default_rng(0)
    grid = random.normal(0, 10, (60, 60))
    a, b = random.integers(0, 60, (2, rows))
    return pd.DataFrame({"row": [f"r{each}" for each in range(rows)], "a": a, "b": b, "y": grid[a, b]})


def trained(folder, frame, **changes):
    asked = replace(problem(folder, frame, "y", id="row", **SETTINGS), **changes)
    return train(asked, LocalStore(folder / "artifacts"), jobs=1).bundle


@pytest.mark.parametrize(("cells", "more"), [(1_800, True), (100_000, False)])
def test_a_small_table_has_more_rows_than_its_sample(tmp_path, cells, more):
    asked = replace(problem(tmp_path, rich(900), "y", id="row", **SETTINGS), sample=Sampling(cells=cells))
    worth = worth_learning(read(asked), asked.candidates, False)
    assert worth.more == more and not worth.said


def test_rows_that_add_nothing_are_not_learned_from(tmp_path):
    bundle = trained(tmp_path, plain(20_000))
    rows, notes = bundle.twin().json("model.json")["rows"], bundle.json("metrics.json")["notes"]
    assert rows["training"] in (1_000, 2_000, 4_000) and rows["holdout"] == pytest.approx(4_000, abs=300)
    number = rows["training"]
    assert notes[-1].startswith(f"learned from {number:,} of 20,000 rows: doubling from {number // 2:,} gained")
    assert "±" in notes[-1] and notes[-1][1:] in bundle.read("report.html").decode()


def test_rows_that_all_help_are_all_learned_from(tmp_path):
    bundle = trained(tmp_path, rich(12_000))
    rows = bundle.twin().json("model.json")["rows"]
    assert rows["training"] + rows["holdout"] == 12_000
    assert "learned from" in bundle.json("metrics.json")["notes"][-1]
    assert "sample.cells" not in bundle.json("metrics.json")["notes"][-1]


def test_what_the_memory_cannot_hold_is_said_with_what_it_would_take(tmp_path):
    bundle = trained(tmp_path, rich(12_000), sample=Sampling(cells=24_000))
    rows, note = bundle.twin().json("model.json")["rows"], bundle.json("metrics.json")["notes"][-1]
    assert 5_900 <= rows["training"] + rows["holdout"] <= 6_000
    assert "of 12,000 rows" in note and "sample.cells holds no more" in note


def test_rows_held_out_stay_held_out_when_a_table_is_sampled(tmp_path):
    """Those held out of the sample are those that the whole table would hold out."""
    frame = plain(20_000)
    (tmp_path / "whole").mkdir()
    whole = trained(tmp_path / "whole", frame)
    assert whole.twin().json("model.json")["rows"]["holdout"] > 0
    held = curve_held(tmp_path / "whole")
    assert held and held <= curve_held(tmp_path / "whole", ordered=frame.sample(frac=1, random_state=0))


def curve_held(folder, ordered=None) -> set[str]:
    from slipway.problem import load_problem
    from slipway.training.data.dataset import read

    if ordered is not None:
        ordered.to_csv(folder / "table.csv", index=False)
    table = read(load_problem(folder / "slipway.yaml", environ={}))
    return set(table.frame["row"])


def test_the_order_of_a_large_table_does_not_change_the_bundle(tmp_path):
    digests = set()
    for number, frame in enumerate([plain(5_000), plain(5_000)[::-1]]):
        folder = tmp_path / str(number)
        folder.mkdir()
        digests.add(trained(folder, frame).digest)
    assert len(digests) == 1


def test_a_small_table_has_no_curve(tmp_path):
    bundle = trained(tmp_path, plain(900))
    assert not any("learned from" in note for note in bundle.json("metrics.json")["notes"])
