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
from slipway.sources.spark_session import told
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
    """The session, in a time zone that is no whole number of hours from UTC, and by a name that Python does not know."""
    own = spark.newSession()
    own.conf.set("spark.sql.session.timeZone", "GMT+05:30")
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


def test_intervals_and_tables_that_spark_wrote(small, spark, tmp_path):
    """Spark writes moments as INT96, which has no time zone; a linear model multiplies blocks of another size."""
    problem, written = small("regression"), tmp_path / "written"
    random = spark.range(5_003).selectExpr(
        "id AS row", "18 + CAST(id % 47 AS INT) AS age", "ROUND(16 + 37 * RAND(1), 4) AS bmi",
        "IF(id % 3 = 0, 'yes', 'no') AS smoker", "TIMESTAMP '2020-01-01 23:30:00' + MAKE_DT_INTERVAL(id % 900) AS joined",
    )  # fmt: skip
    random.coalesce(1).write.parquet(str(written))
    expected, reasons = alone(problem, f"{written}/*.parquet", level=0.9)
    scored = slipway.spark.predict(spark.read.parquet(str(written)).repartition(7), problem, interval=0.9).toArrow()
    assert reasons == {} and scored.num_rows == 5_003 and {"low", "high"} <= set(scored.column_names)
    assert equal(scored.sort_by("row"), expected)


def test_the_policies_of_the_problem_hold(small, spark):
    rows = [(30, 20.0, "huh", "2020-01-01"), (30, -99.0, "no", "2020-01-01"), (70, 20.0, "no", "2020-01-01")]
    df = spark.createDataFrame(rows, "age int, bmi double, smoker string, joined string")
    usual = slipway.spark.predict(df, small()).collect()
    assert [bool(row.prediction) for row in usual] == [False, False, True] and usual[2].warning.startswith("age: a number")
    settings = "missing: [-99]\nlimits: {age: [18, 65]}\nserving: {unknown_levels: warn}\n"
    asked = slipway.spark.predict(df, small(settings=settings)).collect()
    assert [bool(row.prediction) for row in asked] == [True, True, False]
    assert asked[0].warning == "smoker: a level that training never saw" and "from 18 to 65" in asked[2].reason


def test_other_columns_pass_whatever_their_type_and_names_that_are_taken_get_an_underscore(small, spark):
    df = spark.sql(
        "SELECT 30 AS age, 20.0D AS bmi, 'no' AS smoker, DATE '2020-01-01' AS joined, ARRAY(1, NULL) AS list,"
        " MAP('a', 1) AS map, STRUCT(1 AS one, ARRAY('x') AS more) AS struct, X'00FF' AS bytes,"
        " 1 AS Prediction, 'w' AS warning"
    )
    (row,) = (scored := slipway.spark.predict(df, small())).collect()
    assert scored.columns[10:] == ["prediction_", "probability_N", "probability_Y", "warning_", "reason"]
    assert scored.schema.fields[:10] == df.schema.fields and row[:10] == df.first()[:10] and row.prediction_ in ("N", "Y")


def test_a_column_may_have_any_name(small, spark):
    df = spark.sql("SELECT 30 AS age, 20.0D AS bmi, 'no' AS smoker, '2020-01-01' AS joined, 1 AS `a.b`, 2 AS `c``d`, 3 AS z")
    (row,) = (scored := slipway.spark.predict(df, small())).collect()
    assert scored.columns[4:8] == ["a.b", "c`d", "z", "prediction"] and row[4:7] == (1, 2, 3) and row.prediction
    assert slipway.spark.check(df, small()).answered == 1


def test_an_empty_table_and_empty_partitions(small, spark):
    df = spark.createDataFrame([(30, 20.0, "no", "2020-01-01")], "age int, bmi double, smoker string, joined string")
    assert slipway.spark.predict(df.where("age > 30"), small()).collect() == []
    assert slipway.spark.predict(df.repartition(3), small()).count() == 1


def test_two_bundles_answer_in_one_query(small, spark):
    first = small("regression")
    mine = slipway.load_champion(first).digest
    other = make_bundle(LocalStore(first.folder / "artifacts"), "regression", weights=[[1.0], [1.0], [1.0], [1.0]])
    df = spark.createDataFrame([(30, 20.0, "no", "2020-01-01")] * 4, "age int, bmi double, smoker string, joined string")
    both = slipway.spark.predict(df, first, digest=mine[:8]).union(slipway.spark.predict(df, first, digest=other.digest[:8]))
    found = {row.prediction for row in both.collect()}
    cells = df.toArrow()
    assert found == {
        value for digest in (mine, other.digest) for value in slipway.score_batch(
            slipway.load_champion(first, digest), cells, first
        )["prediction"].to_pylist()
    } and len(found) == 2  # fmt: skip


def test_what_cannot_be_answered_is_said_before_anything_runs(small, spark):
    df = spark.createDataFrame([(30, 20.0, "no")], "Age int, bmi double, smoker string")
    with pytest.raises(TableError, match="the table has no column 'age', 'joined', which .* mean 'Age'"):
        slipway.spark.predict(df, small())
    with pytest.raises(TableError, match="duplicate column name"):
        slipway.spark.predict(df.select("smoker", "smoker"), small())
    with pytest.raises(BundleError, match="prediction intervals are for numbers"):
        slipway.spark.predict(df, small(), interval=0.9)


def test_a_column_of_lists_is_refused_in_one_line_where_the_model_needs_it(small, spark):
    df = spark.sql("SELECT 30 AS age, ARRAY(20.0D) AS bmi, 'no' AS smoker, '2020-01-01' AS joined")
    with pytest.raises(TableError, match=r"^the Spark worker on .*: column 'bmi': unsupported column type list<.*>$"), told():
        slipway.spark.predict(df, small()).collect()
