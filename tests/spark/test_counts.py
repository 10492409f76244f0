"""What is counted on a cluster is what one machine counts, and the counts add up."""

import time
from pathlib import Path
from threading import Thread

import pytest
from pyarrow import compute, parquet

import slipway.spark
from slipway.batch.open import find_bundle, open_batch
from slipway.batch.run import run as predict
from slipway.errors import TableError
from slipway.model.contents import schema_of
from slipway.monitoring.bins import columns_of
from slipway.problem import Problem
from slipway.spark.counting_job import tally_of
from slipway.spark.counts import Counts, counts_of
from slipway.spark.scoring_job import packed_job
from typed_tables import TARGETS, champion, odd, typed

pytestmark = pytest.mark.spark
ROWS = 10_000


@pytest.fixture(scope="module")
def problem(tmp_path_factory) -> Problem:
    return champion(tmp_path_factory.mktemp("binary"), "binary")


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("table") / "in.parquet"
    parquet.write_table(odd(typed(ROWS)).drop_columns(list(TARGETS.values())), path)
    return path


def on_one_machine(problem: Problem, table: Path) -> Counts:
    """The same rows, in one batch and without Spark."""
    bundle, whole = find_bundle(problem, None), parquet.read_table(table)
    [batch] = whole.combine_chunks().to_batches()
    tally = tally_of(packed_job(bundle, problem, whole.column_names), batch)
    return counts_of(tally, columns_of(bundle), schema_of(bundle), [name for name in whole.column_names if name != "row"])


def same(one: Counts, other: Counts) -> bool:
    scalars = [(each.rows, each.answered, each.faults, each.warnings, each.findings, each.sentences) for each in (one, other)]
    assert one.bins.keys() == other.bins.keys()
    return scalars[0] == scalars[1] and all((one.bins[key] == other.bins[key]).all() for key in one.bins)


def test_the_cluster_counts_what_one_machine_counts(problem, table, spark):
    found = slipway.spark.check(spark.read.parquet(str(table)).repartition(7), problem)
    assert same(found, on_one_machine(problem, table))
    assert found.findings and found.moves


def test_the_counts_add_up_and_are_those_of_slipway_predict(problem, table, spark):
    found, out = slipway.spark.check(spark.read.parquet(str(table)).repartition(7), problem), problem.folder / "out.parquet"
    done = predict(open_batch(problem, str(table), str(out), None, False, None), lambda mark, says: None)
    assert found.rows == found.answered + found.refused == ROWS
    assert (found.answered, found.refused) == (done.scored, done.rejected) and found.refused > 100
    answered = parquet.read_table(out)
    for key, bins in found.bins.items():
        name = key.partition("/")[2]
        refused = sum(count for cell, count in found.faults.items() if cell.startswith(f"{name}/"))
        assert bins.sum() == found.answered + refused, key
        if key.startswith("field/"):
            assert bins[:2].tolist() == [refused, answered[name].null_count], key
    warned = answered.filter(compute.not_equal(answered["warning"], "")).num_rows
    assert warned <= sum(found.warnings.values())


def test_an_executor_that_is_killed_changes_no_count(problem, table, cluster, spark, tmp_path):
    started, go = tmp_path / "started", tmp_path / "go"

    def held(batches):
        """The rows, once the test lets them go: the kill comes while tasks run."""
        import time

        started.touch()
        while not go.exists():
            time.sleep(0.02)
        yield from batches

    df = spark.read.parquet(str(table)).repartition(4)
    results: list[Counts] = []
    waiting = Thread(target=lambda: results.append(slipway.spark.check(df.mapInArrow(held, df.schema), problem)))
    waiting.start()
    try:
        deadline = time.monotonic() + 60
        while not started.exists():
            assert time.monotonic() < deadline, "no task started"
            time.sleep(0.02)
        cluster.kill_executor()
    finally:
        go.touch()
        waiting.join()
    assert same(results[0], on_one_machine(problem, table))


def test_slipway_check_counts_the_whole_table_and_refusals_are_exit_code_4(problem, table, spark, run, monkeypatch):
    monkeypatch.chdir(problem.folder)
    result = run("check", f"spark:{table}")
    expected = on_one_machine(problem, table)
    assert result.code == 4
    *lines, last = result.out.splitlines()
    assert lines[: len(expected.findings)] == [f"{each.column}: {each.says}" for each in expected.findings]
    assert f"{ROWS:,} rows ({expected.answered:,} answered, {expected.refused:,} refused)" in last
    unseen = expected.faults["region/unseen_level"]
    assert unseen > 300 and f"region: {unseen} cells are of a level that training never saw" in lines


def test_a_table_without_rows_and_one_without_a_column(problem, table, spark):
    df = spark.read.parquet(str(table))
    empty = slipway.spark.check(df.limit(0), problem)
    assert (empty.rows, empty.answered, empty.findings, empty.moves) == (0, 0, (), ())
    assert all(not bins.any() for bins in empty.bins.values())
    with pytest.raises(TableError, match="has no column 'region'"):
        slipway.spark.check(df.drop("region"), problem)
