"""The job that the pages on managed Spark submit, on a real cluster."""

import re
import runpy
import subprocess
from pathlib import Path

import pytest
from pyarrow import parquet

from bundles import make_bundle
from slipway.batch.open import open_batch
from slipway.batch.run import run as predict
from slipway.problem import Problem, load_problem
from slipway.store.local import LocalStore

pytestmark = pytest.mark.spark
ROOT = Path(__file__).resolve().parents[2]
JOB = ROOT / "examples/spark/score.py"
PAGE = (ROOT / "docs/databricks.md").read_text()


@pytest.fixture
def problem(tmp_path) -> Problem:
    folder = tmp_path / "repository"
    make_bundle(LocalStore(folder / "artifacts"), "binary")
    (folder / "slipway.yaml").write_text("name: binary\nsource: table.csv\ntarget: approved\n")
    return load_problem(folder / "slipway.yaml", environ={})


@pytest.fixture
def model(problem) -> Path:
    """The folder that the commands of the page make."""
    block = re.search(r"```sh\n(mkdir -p model.*?)```", PAGE, re.S)[1]
    subprocess.run(["bash", "-e", "-c", block], cwd=problem.folder, check=True)
    return problem.folder / "model"


def visits(spark):
    return spark.range(2_000).selectExpr(
        "id", "CAST(18 + id % 47 AS INT) AS age", "16.5 + id % 37 AS bmi", "IF(id % 9 = 0, 'huh', 'no') AS smoker",
        "DATE '2021-01-01' AS joined",
    )  # fmt: skip


def test_a_path_is_answered_as_slipway_predict_does(spark, problem, model, tmp_path, monkeypatch, capsys):
    table, out, alone = tmp_path / "in", tmp_path / "out", tmp_path / "alone.parquet"
    visits(spark).coalesce(1).write.parquet(str(table))
    monkeypatch.setattr("sys.argv", [str(JOB), str(model), str(table), str(out)])
    runpy.run_path(str(JOB), run_name="__main__")
    done = predict(open_batch(problem, f"{table}/*.parquet", str(alone), None, False, None), lambda mark, says: None)
    assert capsys.readouterr().out == f"{done.scored:,} rows answered, {done.rejected:,} rejected\n"
    answered = parquet.read_table(out, filters=[("reason", "=", "")]).sort_by("id")
    assert done.rejected == 223
    assert answered.drop_columns("reason").to_pydict() == parquet.read_table(alone).sort_by("id").to_pydict()


def test_a_table_of_the_catalogue_is_overwritten(spark, model, monkeypatch, capsys):
    visits(spark).createOrReplaceTempView("visits")
    monkeypatch.setattr("sys.argv", [str(JOB), str(model), "visits", "visits_scored"])
    try:
        for _ in range(2):
            runpy.run_path(str(JOB), run_name="__main__")
            assert capsys.readouterr().out == "1,777 rows answered, 223 rejected\n"
    finally:
        spark.sql("DROP TABLE IF EXISTS visits_scored")
