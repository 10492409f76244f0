"""What a cluster answers is what one machine answers, to the last bit."""

import csv
from collections.abc import Callable
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

import slipway.spark
from bundles import make_bundle
from slipway.batch.open import open_batch
from slipway.batch.run import run
from slipway.errors import BundleError, TableError
from slipway.problem import Problem, load_problem
from slipway.store.local import LocalStore
from typed_tables import TARGETS, champion, odd, typed

pytestmark = pytest.mark.spark
ROWS = 25_000


@pytest.fixture(scope="module", params=TARGETS)
def problem(request, tmp_path_factory) -> Problem:
    return champion(tmp_path_factory.mktemp(request.param), request.param)


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Path:
    """Rows as Arrow writes them."""
    path = tmp_path_factory.mktemp("table") / "in.parquet"
    parquet.write_table(odd(typed(ROWS)).drop_columns(list(TARGETS.values())), path)
    return path


@pytest.fixture(scope="module")
def elsewhere(spark):
    """The session, in a time zone that is no whole number of hours from UTC."""
    own = spark.newSession()
    own.conf.set("spark.sql.session.timeZone", "Asia/Kolkata")
    own.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", "777")
    return own


@pytest.fixture
def small(tmp_path) -> Callable[..., Problem]:
    """Make a problem whose champion is a small linear model; `settings` are further lines of its file."""

    def make(task: str = "binary", settings: str = "", **changes) -> Problem:
        make_bundle(LocalStore(tmp_path / "artifacts"), task, **changes)
        (tmp_path / "slipway.yaml").write_text(f"name: {task}\nsource: table.csv\ntarget: charges\n{settings}")
        return load_problem(tmp_path / "slipway.yaml", environ={})

    return make


def alone(problem: Problem, location: Path | str, level: float | None = None) -> tuple[pyarrow.Table, dict[int, str]]:
    """What slipway predict answers, by row, and its reasons for the rows that it rejects."""
    out = problem.folder / "out.parquet"
    run(open_batch(problem, str(location), str(out), None, False, None, level), lambda mark, says: None)
    with (problem.folder / "out.rejects.csv").open(newline="") as file:
        reasons = {int(each["row"]) - 1: each["reason"] for each in csv.DictReader(file)}
    return parquet.read_table(out).sort_by("row"), reasons


def equal(found: pyarrow.Table, expected: pyarrow.Table) -> bool:
    """Whether all columns that were added are the same, numbers bit by bit."""
    assert found.column_names[: len(expected.column_names)] == expected.column_names
    added = expected.column_names[expected.column_names.index("prediction") :]
    pairs = [(found[name].combine_chunks(), expected[name].combine_chunks()) for name in added]
    assert all(one.type == other.type for one, other in pairs)
    return all(_bytes(one) == _bytes(other) for one, other in pairs)


def _bytes(column: pyarrow.Array) -> object:
    return column.to_numpy().tobytes() if pyarrow.types.is_floating(column.type) else column.to_pylist()


def test_answers_and_reasons_equal_those_of_one_machine(problem, table, elsewhere):
    expected, reasons = alone(problem, table)
    scored = slipway.spark.predict(elsewhere.read.parquet(str(table)).repartition(5), problem).toArrow().sort_by("row")
    assert scored.num_rows == ROWS and 1_000 < len(reasons) < ROWS / 2
    answered = scored.filter(pyarrow.compute.equal(scored["reason"], ""))
    assert answered["row"].to_pylist() == expected["row"].to_pylist()
    assert equal(answered, expected)
    rejected = scored.filter(pyarrow.compute.not_equal(scored["reason"], ""))
    assert rejected["prediction"].null_count == rejected.num_rows and set(rejected["warning"].to_pylist()) == {""}
    assert dict(zip(rejected["row"].to_pylist(), rejected["reason"].to_pylist())) == reasons
