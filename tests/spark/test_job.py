"""What slipway predict --spark reads, writes and replaces, on the real cluster."""

import csv
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from bundles import make_bundle
from slipway.batch.open import open_batch
from slipway.batch.place import alone, state
from slipway.batch.run import run
from slipway.errors import TableError
from slipway.problem import load_problem
from slipway.spark.hadoop_folder import HadoopFolder
from slipway.spark.job import Counts, Request, require_lasting, score_table
from slipway.store.local import LocalStore

pytestmark = pytest.mark.spark
OLD = pyarrow.table({"old": [1]})


def rows(first: int, count: int, levels=("yes", "no", "perhaps")) -> pyarrow.Table:
    """Rows of the bundles made by hand; those with the level `perhaps` cannot be answered."""
    random = np.random.default_rng(first)
    return pyarrow.table(
        {
            "row": np.arange(first, first + count),
            "age": random.integers(18, 64, count),
            "bmi": pyarrow.array(np.round(random.uniform(16, 53, count), 2), mask=random.random(count) < 0.1),
            "smoker": random.choice(levels, count),
            "joined": random.choice(["2020-01-01", "2021-11-05"], count),
            "a note": random.choice(["", "ä`b"], count),
        }
    )


@dataclass
class Desk:
    """A folder with a champion, and a table of three files in the folder `in`."""

    folder: Path
    spark: object

    def path(self, name: str) -> str:
        return name if ":" in name else str(self.folder / name)

    def bundle(self, task: str) -> None:
        make_bundle(LocalStore(self.folder / "artifacts"), task)
        (self.folder / "slipway.yaml").write_text(f"name: {task}\nsource: table.csv\ntarget: charges\n")

    @property
    def problem(self):
        return load_problem(self.folder / "slipway.yaml", environ={})

    def write(self, name: str, *tables: pyarrow.Table) -> None:
        (self.folder / name).mkdir()
        for number, table in enumerate(tables):
            parquet.write_table(table, self.folder / name / f"{number}.parquet")

    def read(self, name: str = "out") -> pyarrow.Table:
        return parquet.read_table(self.folder / name).replace_schema_metadata().sort_by("row")

    def predict(self, location="in", out="out", rejects=None, digest=None, strict=False, level=None) -> Counts:
        places = self.path(location), self.path(out), rejects and self.path(rejects)
        return score_table(self.spark, self.problem, Request(*places, digest, strict, level))

    def files(self) -> set[str]:
        """What is there besides the problem and the table."""
        return {path.name for path in self.folder.iterdir()} - {"slipway.yaml", "artifacts", "in"}


@pytest.fixture
def desk(tmp_path, spark) -> Desk:
    made = Desk(tmp_path, spark)
    made.bundle("regression")
    made.write("in", *(rows(first, 1000) for first in (0, 1000, 2000)))
    return made


@pytest.mark.parametrize("task, level", [("regression", 0.9), ("binary", None), ("multiclass", None)])
def test_answers_and_rejects_are_those_of_one_machine(desk, task, level):
    desk.bundle(task)
    counts = desk.predict(level=level)
    mark = run(
        open_batch(
            desk.problem, desk.path("in/*.parquet"), desk.path("alone.parquet"), None, False, desk.path("alone.csv"), level
        ),
        lambda *_: None,
    )
    assert counts == Counts(mark.scored, mark.rejected) and counts.rejected
    assert desk.read() == desk.read("alone.parquet")
    with (desk.folder / "alone.csv").open() as file:
        reasons = [each["reason"] for each in csv.DictReader(file)]
    refused = desk.read("out.rejects")
    assert refused.column_names == [*rows(0, 1).column_names, "reason"]
    assert refused["reason"].to_pylist() == reasons
    together = pyarrow.concat_tables([desk.read().select(refused.column_names[:-1]), refused.drop_columns("reason")])
    assert together.sort_by("row") == desk.read("in")


def test_rows_of_a_file_stay_in_their_order(desk):
    desk.write("one", rows(0, 5000))
    desk.predict("one")
    [part] = (desk.folder / "out").glob("*.parquet")
    numbers = parquet.read_table(part)["row"].to_pylist()
    assert numbers == sorted(numbers)


def test_what_was_there_is_replaced_also_a_file(desk):
    parquet.write_table(OLD, desk.folder / "out")
    desk.predict()
    assert desk.files() == {"out", "out.rejects"}
    assert (desk.folder / "out/_SUCCESS").exists()
    desk.write("fewer", rows(0, 10, levels=["no"]))
    assert desk.predict("fewer") == Counts(10, 0)
    assert desk.read()["row"].to_pylist() == [*range(10)]
    assert len(desk.read("out.rejects")) == 0
    assert desk.files() == {"out", "out.rejects", "fewer"}


def test_where_no_row_can_be_answered_out_is_an_empty_table(desk):
    desk.write("none", rows(0, 10, levels=["perhaps"]))
    assert desk.predict("none", "out.parquet") == Counts(0, 10)
    assert desk.read("out.parquet").column_names == [*rows(0, 1).column_names, "prediction", "warning"]
    assert len(desk.read("out.parquet")) == 0
    assert len(desk.read("out.rejects.parquet")) == 10
    assert desk.files() == {"out.parquet", "out.rejects.parquet", "none"}


def test_strict_stops_at_a_row_that_cannot_be_answered_and_writes_nothing(desk):
    parquet.write_table(OLD, desk.folder / "out")
    with pytest.raises(TableError) as failure:
        desk.predict(strict=True)
    assert failure.value.cause == f'{desk.path("in")}: smoker: expected one of "no", "yes"'
    assert desk.files() == {"out"} and parquet.read_table(desk.folder / "out") == OLD
    desk.write("good", rows(0, 10, levels=["no"]))
    assert desk.predict("good", strict=True) == Counts(10, 0)


@pytest.mark.parametrize(
    "asked, says",
    [
        ({"location": "nowhere"}, "Path does not exist: file:"),
        ({"location": "spark:nowhere"}, "nowhere"),
        ({"location": "in.csv"}, "in.csv: with --spark only Parquet and tables are read and written"),
        ({"out": "out.csv.gz"}, "out.csv.gz: with --spark only"),
        ({"location": "lacking"}, "the table has no column 'smoker'"),
        ({"location": "empty"}, "empty: has no rows"),
        ({"out": "in"}, "in: OUT would overwrite IN"),
        ({"out": "in/../in/"}, "OUT would overwrite IN"),
        ({"out": "in/scored"}, "in/scored: OUT would overwrite IN, or lies in it"),
        ({"location": "in/*", "out": "in/9.parquet"}, "in/9.parquet: OUT would overwrite IN"),
        ({"location": "in/0.parquet", "out": "in"}, "in: OUT would overwrite IN"),
        ({"rejects": "in"}, "in: the table of rejects would overwrite IN"),
        ({"rejects": "out"}, "out: is OUT and the table of rejects"),
        ({"out": "out.rejects/scored", "rejects": "out.rejects"}, "the table of rejects and OUT would overwrite each other"),
        ({"rejects": "out/refused"}, "out/refused: the table of rejects and OUT would overwrite each other"),
        ({"rejects": "out.slipway-partial"}, "the table of rejects and OUT would overwrite each other"),
        ({"rejects": "out.slipway-previous/x"}, "the table of rejects and OUT would overwrite each other"),
        ({"rejects": "spark:same", "out": "spark:spark_catalog.default.SAME"}, "is OUT and the table of rejects"),
        ({"rejects": "spark:same", "out": "spark:`Same`"}, "is OUT and the table of rejects"),
        (
            {"location": "sql:visits"},
            "sql:visits: with --spark only Parquet and tables are read and written. Leave",
        ),
        ({"out": "sql:scored"}, "sql:scored: with --spark only"),
        ({"rejects": "mongodb:refused"}, "mongodb:refused: with --spark only"),
        ({"location": "s3://lake/in"}, "Write s3a://lake/in"),
        ({"out": "s3://lake/out"}, "Write s3a://lake/out"),
        ({"location": "spark:SELECT * FROM visits"}, "spark:SELECT * FROM visits: is a query. Name a table or a path"),
        ({"location": "spark:select 1/2 AS x"}, "is a query"),
        ({"location": "spark:db.csv"}, "[TABLE_OR_VIEW_NOT_FOUND]"),
        ({"out": "nosuch://lake/out"}, 'No FileSystem for scheme "nosuch"'),
    ],
)
def test_what_cannot_be_is_said_and_nothing_is_written(desk, asked, says):
    desk.write("lacking", rows(0, 10).drop_columns("smoker"))
    desk.write("empty", rows(0, 0))
    with pytest.raises(TableError) as failure:
        desk.predict(**asked)
    assert says in str(failure.value) and "\n" not in str(failure.value)
    assert desk.files() == {"lacking", "empty"}


@pytest.mark.parametrize("name", ["out.slipway-partial", "out.slipway-previous", "out.rejects.slipway-partial"])
def test_a_table_where_a_run_keeps_what_is_unfinished_is_refused(desk, name):
    desk.write(name, rows(0, 10))
    with pytest.raises(TableError, match="would overwrite IN"):
        desk.predict(name)
    assert desk.read(name) == rows(0, 10)


def test_folders_that_are_no_remains_are_left_alone(desk):
    others = {"out.partial", "out.previous", "out.rejects.partial"}
    for name in others:
        desk.write(name, OLD)
    desk.predict()
    assert desk.files() == {"out", "out.rejects", *others}


def test_a_linked_folder_is_the_folder(desk):
    (desk.folder / "link").symlink_to(desk.folder)
    for location, out in [("link/in", "in"), ("in", "link/in"), ("link/in/*", "in/scored")]:
        with pytest.raises(TableError, match="OUT would overwrite IN"):
            desk.predict(location, out)
    assert len(desk.read("in")) == 3000


def test_all_files_of_a_table_are_kept(desk):
    """Also where OUT has only the last of them."""
    desk.write("further", rows(3000, 10))
    with pytest.raises(TableError, match="further: OUT would overwrite IN"):
        desk.predict("{in,further}", "further")
    assert len(desk.read("further")) == 10


def test_names_with_characters_of_urls_are_told_apart(desk):
    for name in ("a#1", "a b%20?c"):
        desk.write(name, rows(0, 10))
    desk.predict("a#1", "a#2")
    desk.predict("a b%20?c", "a b%20?d")
    with pytest.raises(TableError, match="OUT would overwrite IN"):
        desk.predict("a b%20?c", "a b%20?c")


def test_answers_that_are_gone_are_no_empty_table(desk, monkeypatch):
    put = HadoopFolder.put

    def put_and_lose(place, frame):
        put(place, frame)
        shutil.rmtree(desk.folder / "out.slipway-partial")

    monkeypatch.setattr(HadoopFolder, "put", put_and_lose)
    with pytest.raises(TableError, match="rows were written there, and are gone"):
        desk.predict()
    assert desk.files() == {"out.rejects"}


def test_moments_are_written_as_any_program_reads_them(desk):
    moments = pyarrow.array([datetime(9999, 12, 31, tzinfo=UTC)] * 10)
    desk.write("moments", rows(0, 10, levels=["no"]).append_column("at", moments))
    desk.predict("moments")
    assert desk.read()["at"].combine_chunks().equals(moments)


def test_a_column_of_months_is_named(desk, spark, schema):
    spark.read.parquet(desk.path("in")).selectExpr("*", "INTERVAL '1' MONTH AS paid").write.saveAsTable("job.months")
    with pytest.raises(TableError, match="spark:job.months: column 'paid' is of type interval month, which Python has not"):
        desk.predict("spark:job.months")


def test_a_table_may_have_a_column_of_the_name_that_divides_it(desk):
    desk.write("dividing", rows(0, 10, levels=["no"]).append_column("Slipway_Rejected", pyarrow.array(["x"] * 10)))
    assert desk.predict("dividing") == Counts(10, 0)
    assert desk.read()["Slipway_Rejected"].to_pylist() == ["x"] * 10


def test_rows_that_do_not_arrive_are_noticed(desk, monkeypatch):
    """As where each worker writes to a disk of its own."""
    stage = HadoopFolder.stage

    monkeypatch.setattr(HadoopFolder, "stage", lambda *given: stage(given[0], given[1].where("row > 0"), given[2]))
    with pytest.raises(TableError, match="out: 2,999 of 3,000 rows arrived there. Name a place that all workers"):
        desk.predict()
    assert desk.files() == set()


@pytest.mark.parametrize(
    "left, kept",
    [
        ({"out": 1, "out.slipway-partial": 2}, 1),  # killed while it answered
        ({"out.slipway-previous": 1, "out.slipway-partial": 2}, 1),  # between the two steps that replace OUT
        ({"out.slipway-previous": 1, "out": 2}, 2),  # before the end of the second
    ],
)
def test_what_a_killed_run_left_is_tidied_before_anything_else(desk, left, kept):
    for name, value in left.items():
        desk.write(name, pyarrow.table({"old": [value]}))
    with pytest.raises(TableError):
        desk.predict("nowhere")
    assert desk.files() == {*left}, "a wrong call changes nothing"
    with pytest.raises(TableError):
        desk.predict(strict=True)
    assert desk.files() == {"out"}
    assert parquet.read_table(desk.folder / "out")["old"].to_pylist() == [kept]


def test_two_runs_with_one_out_exclude_each_other(desk):
    lock = state(f"file:{desk.path('out')}", desk.folder / "artifacts/batch").with_suffix(".lock")
    with alone(lock, "out"), pytest.raises(TableError, match="out: another run is writing it"):
        desk.predict()


@pytest.fixture
def schema(spark, tmp_path) -> str:
    """A schema of one's own in the catalogue."""
    spark.sql(f"CREATE DATABASE job LOCATION '{tmp_path / 'job'}'")
    yield "job"
    spark.sql("DROP DATABASE job CASCADE")


def test_from_table_to_table_of_the_catalogue(desk, spark, schema):
    desk.predict()
    spark.read.parquet(desk.path("in")).write.saveAsTable("job.visits")
    counts = desk.predict("spark:job.visits", "spark:job.scored")
    written = {name: spark.table(f"job.{name}").toArrow().sort_by("row") for name in ("scored", "scored_rejects")}
    assert written["scored"].equals(desk.read()) and written["scored_rejects"].equals(desk.read("out.rejects"))
    assert counts == Counts(len(written["scored"]), len(written["scored_rejects"]))
    assert {table.name for table in spark.catalog.listTables("job") if not table.isTemporary} == {
        "visits",
        "scored",
        "scored_rejects",
    }


def test_a_table_is_overwritten_as_it_is_laid_out(desk, spark, schema):
    desk.predict()
    columns = "prediction double, row long, smoker string, bmi double, joined string, `a note` string"
    spark.sql(f"CREATE TABLE job.scored ({columns}, warning string, age long) USING orc PARTITIONED BY (age)")
    spark.sql("INSERT INTO job.scored VALUES (1.0, -1, '', 1.0, '', '', '', 99)")
    desk.predict(out="spark:job.scored", rejects="refused")
    found = (
        spark.table("job.scored")
        .select([f"`{name.replace('`', '``')}`" for name in desk.read().column_names])
        .toArrow()
        .sort_by("row")
    )
    assert found.equals(desk.read())
    assert "orc" in {row.data_type for row in spark.sql("DESCRIBE EXTENDED job.scored").collect()}
    assert len(desk.read("refused"))


@pytest.mark.parametrize(
    "out, says",
    [
        ("spark:job.narrow", "spark:job.narrow: has the columns row, and not row, age,"),
        ("spark:job.visits", "spark:job.visits: OUT would overwrite IN"),
        ("spark:spark_catalog.job.VISITS", "OUT would overwrite IN"),
        ("job/visits", "job/visits: OUT would overwrite IN"),
        ("job/visits/scored", "job/visits/scored: OUT would overwrite IN"),
        ("job/a place", "job/a place: OUT would overwrite IN"),
    ],
)
def test_a_table_that_would_be_lost_is_refused(desk, spark, schema, out, says):
    place = desk.path("job/a place" if out.endswith("place") else "job/visits")
    spark.read.parquet(desk.path("in")).write.option("path", place).saveAsTable("job.visits")
    spark.sql("CREATE TABLE job.narrow USING parquet AS SELECT 1L AS row")
    with pytest.raises(TableError) as failure:
        desk.predict("spark:job.visits", out, "spark:job.refused")
    assert says in str(failure.value)
    assert spark.table("job.narrow").count() == 1 and spark.table("job.visits").count() == 3000
    assert not spark.catalog.tableExists("job.narrow_slipway_partial")


@pytest.mark.parametrize("location, out", [("spark:job.visits", "job/visits"), ("job/visits", "spark:job.VISITS")])
def test_a_table_and_its_folder_are_the_same(desk, spark, schema, location, out):
    spark.read.parquet(desk.path("in")).write.saveAsTable("job.visits")
    with pytest.raises(TableError, match="OUT would overwrite IN"):
        desk.predict(location, out, "refused")
    assert spark.table("job.visits").count() == 3000


def test_a_table_where_a_run_keeps_what_is_unfinished_is_not_lost(desk, spark, schema):
    for name in ("scored_slipway_partial", "scored_partial"):
        spark.read.parquet(desk.path("in")).write.saveAsTable(f"job.{name}")
    with pytest.raises(TableError, match="OUT would overwrite IN"):
        desk.predict("spark:job.scored_slipway_partial", "spark:job.scored")
    assert spark.table("job.scored_slipway_partial").count() == 3000
    desk.predict("spark:job.scored_partial", "spark:job.scored")
    assert spark.table("job.scored_partial").count() == 3000


@pytest.mark.parametrize("out, rejects", [("spark:scored", "refused"), ("scored", "spark:job.refused")])
def test_the_command_writes_to_no_catalogue_in_memory(desk, spark, out, rejects):
    with pytest.raises(TableError, match="the session's catalogue is in memory, and ends with this command"):
        require_lasting(spark, Request("in", desk.path(out), desk.path(rejects)))
    require_lasting(spark, Request("spark:visits", desk.path("out")))
