"""One table as CSV, as Parquet and on a Spark cluster gives one sample, one hold-out and one model."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow
import pytest
import yaml
from pyarrow import csv, parquet

from slipway.model.bundle import Bundle
from slipway.problem import Problem, read_problem
from slipway.store.local import LocalStore
from slipway.training.data import sample
from slipway.training.data.dataset import read
from slipway.training.train import train

pytestmark = pytest.mark.spark

ROWS = 1_500


@pytest.fixture(scope="module")
def folder(tmp_path_factory, spark) -> Path:
    """The table as files here, and as a table of the catalogue whose rows lie in another order in several files."""
    made = tmp_path_factory.mktemp("same")
    random = np.random.default_rng(1)
    age, smoker = random.integers(18, 65, ROWS), random.random(ROWS) < 0.3
    table = pyarrow.table(
        {
            "row": [f"r{number}" for number in range(ROWS)],
            "age": pyarrow.array(age, pyarrow.int32(), mask=random.random(ROWS) < 0.05),
            "bmi": np.round(random.normal(30, 6, ROWS), 2),
            "dose": pyarrow.array(np.round(random.random(ROWS), 1), pyarrow.float32()),
            "paid": [Decimal(int(cents)).scaleb(-2) for cents in random.integers(100, 10**6, ROWS)],
            "smoker": smoker,
            "joined": [date(2020, 1, 1) + timedelta(days=int(days)) for days in random.integers(0, 2_000, ROWS)],
            "seen": pyarrow.array(random.integers(15 * 10**8, 16 * 10**8, ROWS) * 1_000_000, pyarrow.timestamp("us", "UTC")),
            "region": pyarrow.array(random.choice(["Süd", "nord", "1"], ROWS), mask=random.random(ROWS) < 0.1),
            "charges": np.round(250 * age + smoker * 20_000 + random.normal(0, 900, ROWS), 2),
        }
    )
    parquet.write_table(table, made / "table.parquet")
    csv.write_csv(table, made / "table.csv")
    spark.conf.set("spark.sql.session.timeZone", "America/New_York")
    spark.read.parquet(str(made / "table.parquet")).orderBy("bmi").repartition(3).write.parquet(str(made / "stored"))
    spark.read.parquet(str(made / "stored")).createOrReplaceTempView("claims")
    yield made
    spark.conf.set("spark.sql.session.timeZone", "UTC")


def problem(folder: Path, source: str, *more: str) -> Problem:
    text = ["name: claims", f"source: {source}", "target: charges", "candidates: linear", "search: {trials: 1}", *more]
    return read_problem("\n".join(text), folder / "slipway.yaml", {})


def trained(folder: Path, source: str, *more: str) -> Bundle:
    """Each source has a store of its own: a champion would be compared with."""
    store = LocalStore(folder / "stores" / f"{source} {more}".replace("/", " "))
    return train(problem(folder, source, *more), store, jobs=1).bundle


@pytest.mark.parametrize("more", [("id: row",), ("drop: row",), ("drop: row", "time: seen")])
@pytest.mark.parametrize("whole", [True, False])
def test_the_rows_held_out_are_the_same(folder, monkeypatch, more, whole):
    """Of a table that is taken whole, and of one that is sampled."""
    if not whole:
        monkeypatch.setattr(sample, "WHOLE", 500)
        monkeypatch.setattr(
            "slipway.training.data.dataset.draw",
            lambda batches, key, most, *to, **named: DRAW(batches, key, 700, *to, **named),
        )
    here, text, there = (read(problem(folder, each, *more)) for each in ("table.parquet", "table.csv", "spark:claims"))
    assert there.seen == text.seen == ROWS and len(there.held) == len(text.held) == (ROWS if whole else 700)
    assert (there.held == here.held).all() and (there.held == text.held).all() and there.held.sum() > 50
    assert there.split == here.split == text.split
    assert there.frame.equals(here.frame) and there.fingerprint == here.fingerprint
    for name, cells in there.rows.columns.items():
        assert np.array_equal(cells, text.rows.columns[name], equal_nan=True), name


DRAW = sample.draw


def test_the_bundle_has_the_digest_of_the_one_from_parquet(folder):
    assert trained(folder, "spark:claims", "id: row").digest == trained(folder, "table.parquet", "id: row").digest


def test_the_model_is_the_one_from_csv(folder):
    there, text = trained(folder, "spark:claims", "drop: row"), trained(folder, "table.csv", "drop: row")
    for name in ("model.onnx", "twin.onnx", "schema.json", "golden.json", "metrics.json", "drift.json"):
        assert there.read(name) == text.read(name), name


def test_train_and_check_on_the_command_line(folder, run, monkeypatch):
    monkeypatch.chdir(folder)
    (folder / "slipway.yaml").write_text(
        "name: claims\nsource: spark:claims\ntarget: charges\nid: row\ncandidates: linear\nsearch: {trials: 1}\n"
    )
    done = run("train", "--jobs", "2")
    assert done.code == 0 and "Reading spark:claims" in done.err and "Verdict: promoted" in done.out
    assert "spark:claims cannot tell whether it has changed" in run("train", "--if-changed", "--jobs", "1").err
    found = run("check")
    assert found.code == 0 and "spark:claims: 1,500 rows (1,500 answered, 0 refused), 0 findings" in found.out


def test_init_writes_a_problem_that_trains(folder, run, monkeypatch):
    monkeypatch.chdir(folder)
    done = run("init", "spark:claims", "--target", "charges", "--output", "made.yaml")
    assert done.code == 0 and "Read 1,500 rows" in done.out
    made = yaml.safe_load((folder / "made.yaml").read_text())
    assert made["source"] == "spark:claims" and made["name"] == "claims"
