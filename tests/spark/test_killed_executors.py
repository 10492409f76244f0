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
PATIENCE = 8 * DEADLINE  # a session starts slowly where much else runs
OLD = pyarrow.table({"old": [1]})


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
def running(folder: Path, *arguments: str) -> Iterator[subprocess.Popen]:
    """The command in a process, which ends with the test, however that ends."""
    settings = folder / "conf"
    settings.mkdir(exist_ok=True)
    (settings / "spark-defaults.conf").write_text("spark.sql.files.openCostInBytes 128m\n")  # a task for each file
    environ = os.environ | {"PYTHONPATH": str(ROOT / "src"), "SPARK_CONF_DIR": str(settings)}
    process = subprocess.Popen(
        [sys.executable, "-m", "slipway", "predict", *arguments],
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


def finish(process: subprocess.Popen) -> str:
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, err
    return out


def in_the_middle(process: subprocess.Popen, folder: Path) -> None:
    """Return as soon as the first task has been committed, and many are left to do."""
    deadline = time.monotonic() + PATIENCE
    while not (done := list((folder / "out.parquet.slipway-partial/_temporary/0").glob("task_*"))):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "no task was committed in time"
        time.sleep(0.01)
    assert len(done) < PARTS // 2


def places(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("out*")}


def clear(folder: Path) -> None:
    for path in folder.glob("out*"):
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
    clear(folder)
    parquet.write_table(OLD, folder / "out.parquet")
    with running(folder, "--spark", own_cluster.url, "in", "-o", "out.parquet") as process:
        in_the_middle(process, folder)
        process.send_signal(by)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code, err
    assert "Traceback" not in err and "Exception" not in err
    assert places(folder) == left
    assert parquet.read_table(folder / "out.parquet") == OLD


def test_a_killed_executor_changes_nothing(own_cluster, folder):
    clear(folder)
    deadline = time.monotonic() + DEADLINE
    while own_cluster.executors():  # those of the run before end with it
        assert time.monotonic() < deadline
        time.sleep(0.05)
    with running(folder, "--spark", own_cluster.url, "in", "-o", "out.parquet") as process:
        in_the_middle(process, folder)
        own_cluster.kill_executor()
        out = finish(process)
    expected = parquet.read_table(folder / "alone.parquet")
    refused = PARTS * ROWS - len(expected)
    assert out == f"{len(expected):,} rows scored, {refused:,} rejected: see out.rejects.parquet\n"
    assert places(folder) == {"out.parquet", "out.rejects.parquet"}
    found = parquet.read_table(folder / "out.parquet").replace_schema_metadata().sort_by("row")
    assert found == expected
    rejects = parquet.read_table(folder / "out.rejects.parquet")
    assert sorted([*found["row"].to_pylist(), *rejects["row"].to_pylist()]) == [*range(PARTS * ROWS)]
