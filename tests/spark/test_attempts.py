"""A task that fails and is tried again, and one that runs twice at once, change nothing in the result."""

import os
import subprocess
import sys
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

import slipway
from bundles import make_bundle
from clusters import serve_cluster
from slipway.store.local import LocalStore

pytestmark = pytest.mark.spark
SOURCE = Path(__file__).resolve().parents[2] / "src"
ROWS = 4_000
JOB = """
import sys
import slipway.spark
from slipway.sources.spark_session import session

master, folder = sys.argv[1:]
spark = session(
    master, spark__speculation="true", spark__speculation__interval="100ms",
    spark__speculation__quantile="0.1", spark__speculation__minTaskRuntime="0ms",
)

def attempts(batches):
    import pathlib, time
    from pyspark import TaskContext
    task, mark = TaskContext.get(), pathlib.Path(folder, "second")
    if task.attemptNumber() == 0 and task.partitionId() == 1:
        raise RuntimeError("the first attempt fails")
    if task.attemptNumber() == 0 and task.partitionId() == 2:
        while not mark.exists():  # a second attempt is the only way out
            time.sleep(0.02)
    if task.partitionId() == 2:
        mark.touch()
    yield from batches

df = spark.read.parquet(folder + "/in.parquet").repartitionByRange(8, "row")
slipway.spark.predict(df.mapInArrow(attempts, df.schema), folder + "/slipway.yaml").write.parquet(folder + "/out")
spark.stop()
"""


def test_a_task_that_is_tried_again_and_one_that_runs_twice_answer_each_row_once(tmp_path):
    make_bundle(LocalStore(tmp_path / "artifacts"), "binary")
    (tmp_path / "slipway.yaml").write_text("name: binary\nsource: table.csv\ntarget: charges\n")
    rows = range(ROWS)
    cells = {"row": rows, "age": [18 + row % 47 for row in rows], "bmi": [16 + row / 109 for row in rows]}
    table = pyarrow.table(cells | {"smoker": [("yes", "no", "?!")[row % 3] for row in rows], "joined": ["2020-01-01"] * ROWS})
    parquet.write_table(table, tmp_path / "in.parquet")
    environ = os.environ | {"PYTHONPATH": str(SOURCE)}
    with serve_cluster(tmp_path) as cluster:
        command = [sys.executable, "-c", JOB, cluster.url, str(tmp_path)]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "second").exists()
    expected = slipway.score_batch(slipway.load_champion(tmp_path / "slipway.yaml"), table)
    assert parquet.read_table(tmp_path / "out").sort_by("row").equals(expected.cast(_schema(tmp_path / "out")))


def _schema(folder: Path) -> pyarrow.Schema:
    return parquet.read_table(folder).schema.remove_metadata()
