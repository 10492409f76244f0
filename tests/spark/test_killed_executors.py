"""slipway predict --spark as a person calls it, on a cluster where processes are ended with -9."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from bundles import make_bundle
from clusters import Cluster, serve_cluster
from conftest import absent
from servers import DEADLINE, ROOT
from slipway.store.local import LocalStore

pytestmark = pytest.mark.spark
PARTS, ROWS = 20, 5_000  # 100,000 rows
FREE = 4  # of these parts; the others wait for the file `go`
PATIENCE = 2 * DEADLINE  # a session starts slowly where much else runs
OLD = pyarrow.table({"old": [1]})
SETTINGS = "spark.sql.files.openCostInBytes 128m\n"  # a task for each file
COMMAND = f"""
import slipway.cli, slipway.spark
from pathlib import Path
from slipway.spark import predict

go = Path("go").absolute()

def held(batches):
    import time
    from pyspark import TaskContext

    while TaskContext.get().partitionId() >= {FREE} and not go.exists():
        time.sleep(0.02)
    yield from batches

slipway.spark.predict = lambda df, *asked: predict(df.mapInArrow(held, df.schema), *asked)
slipway.cli.main()
"""


@pytest.fixture(scope="module")
def own_cluster(tmp_path_factory) -> Iterator[Cluster]:
    """One whose cores no session of another test holds."""
    if not (find_spec("pyspark") and shutil.which("java")):
        absent("pyspark and Java")
    with serve_cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with a champion, a table, and what one machine answers."""
    made = tmp_path_factory.mktemp("desk")
    make_bundle(LocalStore(made / "artifacts"), "binary")
    (made / "slipway.yaml").write_text("name: binary\nsource: table.csv\ntarget: approved\n")
    (made / "in").mkdir()
    random = np.random.default_rng(0)
    for part in range(PARTS):
        table = {
            "row": np.arange(part * ROWS, (part + 1) * ROWS),
            "age": random.integers(18, 64, ROWS),
            "bmi": pyarrow.array(random.uniform(16, 53, ROWS), mask=random.random(ROWS) < 0.1),
            "smoker": random.choice(["no", "yes", "perhaps"], ROWS, p=[0.6, 0.39, 0.01]),
            "joined": random.choice(["2020-01-01", "2021-11-05"], ROWS),
        }
        parquet.write_table(pyarrow.table(table), made / "in" / f"{part:02}.parquet")
    with running(made, "in/*.parquet", "-o", "alone.parquet") as process:
        finish(process)
    return made


@contextmanager
def running(folder: Path, *arguments: str, settings: str = SETTINGS) -> Iterator[subprocess.Popen]:
    """The command in a process, which ends with the test, however that ends."""
    conf = folder / "conf"
    conf.mkdir(exist_ok=True)
    (conf / "spark-defaults.conf").write_text(settings)
    environ = os.environ | {"PYTHONPATH": str(ROOT / "src"), "SPARK_CONF_DIR": str(conf)}
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "predict", *arguments],
        cwd=folder,
        env=environ,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        process.kill()
        (folder / "go").touch()


def finish(process: subprocess.Popen) -> str:
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    return out


def in_the_middle(process: subprocess.Popen, unfinished: Path) -> None:
    """Return as soon as the first task has been committed; most of the others wait."""
    deadline = time.monotonic() + PATIENCE
    while not [*(unfinished / "_temporary/0").glob("task_*")]:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no task was committed in time"
        time.sleep(0.01)


def places(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("out*")}


def clear(cluster: Cluster, folder: Path) -> None:
    """Begin anew, once the executors of the run before, which may still write, have ended with it."""
    deadline = time.monotonic() + PATIENCE
    while cluster.executors():
        assert time.monotonic() < deadline, "executors are left"
        time.sleep(0.05)
    for path in [*folder.glob("out*"), *folder.glob("go")]:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.mark.parametrize(
    "by, code, left",
    [
        (signal.SIGTERM, 143, {"out.parquet"}),
        (signal.SIGINT, 130, {"out.parquet"}),
        (signal.SIGKILL, -9, {"out.parquet", "out.parquet.slipway-partial"}),
    ],
)
def test_a_run_that_is_ended_leaves_out_as_it_was(own_cluster, folder, by, code, left):
    clear(own_cluster, folder)
    parquet.write_table(OLD, folder / "out.parquet")
    with running(folder, "--spark", own_cluster.url, "in", "-o", "out.parquet") as process:
        in_the_middle(process, folder / "out.parquet.slipway-partial")
        process.send_signal(by)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, err
    assert "Traceback" not in err and "Exception" not in err
    assert places(folder) == left
    assert parquet.read_table(folder / "out.parquet") == OLD


def test_a_killed_executor_changes_nothing(own_cluster, folder):
    clear(own_cluster, folder)
    with running(folder, "--spark", own_cluster.url, "in", "-o", "out.parquet") as process:
        in_the_middle(process, folder / "out.parquet.slipway-partial")
        own_cluster.kill_executor()
        (folder / "go").touch()
        out = finish(process)
    expected = parquet.read_table(folder / "alone.parquet")
    refused = PARTS * ROWS - len(expected)
    assert out == f"{len(expected):,} rows scored, {refused:,} rejected: see out.rejects.parquet\n"
    assert places(folder) == {"out.parquet", "out.rejects.parquet"}
    found = parquet.read_table(folder / "out.parquet").replace_schema_metadata().sort_by("row")
    assert found == expected
    rejects = parquet.read_table(folder / "out.rejects.parquet")
    assert sorted([*found["row"].to_pylist(), *rejects["row"].to_pylist()]) == [*range(PARTS * ROWS)]


def test_a_table_is_made_by_the_run_after_one_that_was_killed(folder):
    """In a catalogue of Hive, which outlives the process."""
    (folder / "go").unlink(missing_ok=True)
    asked = "--spark", "local[2]", "in", "-o", "spark:scored", "--rejects", "spark:refused"
    settings = SETTINGS + "spark.sql.catalogImplementation hive\n"
    warehouse = folder / "spark-warehouse"
    with running(folder, *asked, settings=settings) as process:
        in_the_middle(process, warehouse / "scored_slipway_partial")
        process.kill()
        process.communicate(timeout=PATIENCE)  # its Java has standard output, too, and the catalogue until it ends
    with running(folder, *asked, settings=settings) as process:
        (folder / "go").touch()
        assert finish(process).endswith("rejected: see spark:refused\n")
    assert {path.name for path in warehouse.iterdir()} == {"scored", "refused"}
    expected = parquet.read_table(folder / "alone.parquet")
    assert parquet.read_table(warehouse / "scored").replace_schema_metadata().sort_by("row") == expected
