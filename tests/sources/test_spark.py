"""Tables of a Spark cluster as the source: on a master and two workers in processes of their own."""

import os
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from slipway.errors import TableError
from slipway.problem import Problem, read_problem
from slipway.sources.batches import one_table
from slipway.sources.source import open_source
from slipway.training.data.sample import Sample, draw

pytestmark = pytest.mark.spark

ROWS = 30_000
MOST = 2_000


def at(folder: Path, source: str) -> Problem:
    return read_problem(f"name: visits\nsource: {source!r}\ntarget: x\n", folder / "slipway.yaml", {})


def drawn(folder: Path, source: str, most: int = MOST, key: tuple[str, ...] = ("id",)) -> Sample:
    return draw(open_source(at(folder, source)), key, most, source)


def refused(folder: Path, source: str) -> str:
    with pytest.raises(TableError) as caught:
        drawn(folder, source)
    assert "\n" not in str(caught.value) and "\tat " not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """visits/ has 30,000 rows in three files of several row groups, visits.parquet the same."""
    made = tmp_path_factory.mktemp("tables")
    random = np.random.default_rng(0)
    table = pyarrow.table(
        {
            "id": [f"v{number}" for number in range(ROWS)],
            "x": random.normal(size=ROWS),
            "group": random.integers(0, 3_000, ROWS),
            "when": pyarrow.array(random.integers(0, 10**15, ROWS), pyarrow.timestamp("us", "UTC")),
            "small": pyarrow.array(random.normal(size=ROWS), pyarrow.float32()),
            "level": pyarrow.array(random.choice(["a", "ü", ""], ROWS), mask=random.random(ROWS) < 0.1),
            "parts": [[1.5]] * ROWS,
        }
    )
    parquet.write_table(table, made / "visits.parquet")
    (made / "visits").mkdir()
    for number in range(3):
        rows = table.slice(number * ROWS // 3, ROWS // 3)
        parquet.write_table(rows, made / "visits" / f"{number}.parquet", row_group_size=2_000)
    return made


@pytest.fixture(scope="module")
def visits(spark, folder) -> str:
    """The same as a view of the catalogue."""
    spark.read.parquet(str(folder / "visits")).createOrReplaceTempView("visits")
    spark.conf.set("spark.sql.session.timeZone", "Asia/Kolkata")
    yield "spark:visits"
    spark.conf.set("spark.sql.session.timeZone", "UTC")


@pytest.mark.parametrize("key", [("id",), ("group",), ("x", "when", "small", "level")])
def test_the_sample_is_the_one_of_the_same_table_as_a_file(folder, visits, key):
    """Rows of one group stay together, which makes their number uneven."""
    here, there = drawn(folder, "visits.parquet", key=key), drawn(folder, visits, key=key)
    assert there.table.equals(here.table) and there.seen == here.seen == ROWS


@pytest.mark.parametrize(
    "source",
    [
        "spark:./visits",
        "spark:SELECT * FROM visits;",
        "spark:with v as (select * from visits) select * from v -- all",
        "spark:SELECT /*+ REPARTITION(200) */ * FROM visits WHERE id < 'v1' UNION ALL SELECT * FROM visits WHERE id >= 'v1'",
    ],
)
def test_a_path_and_a_query_are_the_same_table(folder, visits, source):
    assert drawn(folder, source).table.equals(drawn(folder, "visits.parquet").table)


def test_only_the_columns_asked_for_are_read(folder, visits):
    batches = open_source(at(folder, visits), ["x", "id", "nowhere"])
    assert batches.names == ("id", "x") and next(batches.read()).schema.names == ["id", "x"]
    plan = batches.preselect.frame._jdf.queryExecution().executedPlan().toString()
    assert "level" not in plan and "ReadSchema: struct<id:string,x:double>" in plan


def test_all_rows_are_read_part_by_part(folder, visits):
    batches = open_source(at(folder, visits))
    found = one_table(list(batches.read()), batches.names, visits)
    assert found.sort_by("x").equals(parquet.read_table(folder / "visits.parquet").sort_by("x"))


def test_a_table_of_few_rows_and_many_empty_partitions_is_taken_whole(folder, spark):
    source = "spark:SELECT /*+ REPARTITION(300) */ id, id * 0.5D AS x FROM range(20)"
    found = drawn(folder, source, key=("id", "x"))
    assert sorted(found.table["id"].to_pylist()) == list(range(20)) and found.seen == 20
    assert drawn(folder, source, key=("id", "x")).table.equals(found.table)


def test_where_most_rows_share_an_id_the_limit_is_raised(folder, spark):
    skewed = "SELECT IF(id < 20000, 'same', CAST(id AS STRING)) AS id, id AS x FROM range(30000)"
    (folder / "skewed").mkdir()
    spark.sql(skewed).write.mode("overwrite").parquet(str(folder / "skewed"))
    for most in (1_000, 9_000):
        there, here = (drawn(folder, source, most).table for source in (f"spark:{skewed}", "skewed/*.parquet"))
        assert there.to_pydict() == here.to_pydict() and len(there) > most // 2


def test_a_query_cannot_change_anything(folder, spark):
    never = folder / "never"
    query = f"WITH a AS (SELECT 1 AS x) INSERT OVERWRITE DIRECTORY '{never}' USING parquet SELECT * FROM a"
    said = refused(folder, f"spark:{query}")
    assert "Syntax error at or near 'INSERT'" in said and not never.exists()
    assert "Syntax error" in refused(folder, "spark:DROP VIEW visits")


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("spark:visit", "spark:visit: there is no such table. Did you mean visits?"),
        ("spark:elsewhere.visits", "The schema `spark_catalog`.`elsewhere` cannot be found"),
        ("spark:./nowhere", "Path does not exist"),
        ("spark:SELECT ids FROM visits", "name `ids` cannot be resolved. Did you mean one of the following"),
        ("spark:SELECT 1 AS Age, 2 AS age", "has columns 'Age', 'age', which Spark cannot tell apart"),
        ("spark:SELECT id, 1 / (id - id) AS x FROM range(9)", "Division by zero"),
        ("spark:SELECT id, id AS x FROM range(0)", "has columns but no rows"),
        ("spark:SELECT CAST(id % 2 AS STRING) AS id, id AS x FROM range(9000)", "a sample by hash has 0 rows"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(folder, visits, source, says):
    assert says in refused(folder, source)


def test_a_column_that_is_missing_is_named(folder, visits):
    with pytest.raises(TableError, match="spark:visits: has none of the columns nowhere"):
        open_source(at(folder, visits), ["nowhere"])


def test_an_executor_killed_in_mid_read_changes_nothing(folder, visits, spark, cluster):
    """It has done tasks of the running stage by then; what it held ready for the driver is made again."""
    source = "spark:SELECT /*+ REPARTITION(60) */ * FROM visits"
    wanted = drawn(folder, "visits.parquet").table
    killed = []

    def kill() -> None:
        tracker = spark.sparkContext.statusTracker()
        deadline = time.monotonic() + 60
        while not killed and time.monotonic() < deadline:
            for stage in map(tracker.getStageInfo, tracker.getActiveStageIds()):
                if stage and stage.numTasks >= 60 and 5 <= stage.numCompletedTasks <= 50:
                    killed.append(cluster.kill_executor())
                    return
            time.sleep(0.005)

    killer = threading.Thread(target=kill)
    killer.start()
    found = drawn(folder, source).table
    killer.join()
    assert killed and found.equals(wanted)


def test_the_drivers_memory_is_that_of_the_sample(tmp_path):
    """Of 1,000,000 rows, 60 MB as Arrow has them, it takes 20,000."""
    program = """
        import resource
        from pathlib import Path
        from slipway.problem import read_problem
        from slipway.sources.source import open_source
        from slipway.training.data.sample import draw

        def taken(rows):
            query = f"SELECT id, id * 1.5D AS x, rand(7) AS y, uuid(7) AS z FROM range({rows})"
            problem = read_problem(f"name: a\\nsource: 'spark:{query}'\\ntarget: x\\n", Path("slipway.yaml"), {})
            sample = draw(open_source(problem), ("id",), 20_000, "a")
            assert (sample.seen, sample.table.num_rows) == (rows, 20_000)
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10

        from slipway.sources.spark_session import session
        session("local[2]")  # all cores of the cluster are another session's
        print(taken(100_000), taken(1_000_000))
    """
    environ = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", textwrap.dedent(program)]
    done = subprocess.run(command, env=environ, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2_000:]
    small, large = map(int, done.stdout.split())
    assert large - small < 10, "MB"
