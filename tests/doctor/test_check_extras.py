"""The extras of slipway-ml that a problem needs: named when they are missing, never mentioned when it needs none."""

import pytest
from msgspec.structs import replace

from slipway.doctor.check_extras import check
from slipway.extras import extras_of
from slipway.problem import Problem
from slipway.sections import Search


def problem(tmp_path, source: str, engine: str = "local") -> Problem:
    made = Problem(name="visits", source=(source,), target="charges", folder=tmp_path)
    return replace(made, search=Search(engine=engine))


@pytest.mark.parametrize(
    "source, engine, extras",
    [
        ("table.csv", "local", ()),
        ("s3://lake/spark/*.parquet", "local", ()),
        ("mongodb", "local", ()),
        ("sql", "local", ("sql",)),
        ("spark:clinic.visits", "local", ("spark",)),
        ("table.csv", "spark", ("spark",)),
    ],
)
def test_what_a_problem_needs(tmp_path, source, engine, extras):
    assert extras_of(problem(tmp_path, source, engine)) == extras


def test_of_what_is_not_needed_nothing_is_said(tmp_path):
    assert check(problem(tmp_path, "table.csv"), installed=lambda extra: False, java=lambda: False) == []


@pytest.mark.parametrize("source", ["sql", "spark:clinic.visits"])
def test_a_missing_extra_is_named_with_its_cure_and_needed_now(tmp_path, source):
    found = check(problem(tmp_path, source), installed=lambda extra: False, java=lambda: True)[0]
    extra = source.partition(":")[0]
    assert (found.state, found.now) == ("failed", True)
    assert found.cure == f"pip install 'slipway-ml[{extra}]'"
    assert check(problem(tmp_path, source), installed=lambda extra: True, java=lambda: True)[0].state == "ok"


def test_spark_needs_java_and_sql_does_not(tmp_path):
    spark, sql = (check(problem(tmp_path, source), lambda extra: True, lambda: False) for source in ("spark:visits", "sql"))
    assert [(each.what, each.state) for each in spark] == [("extra", "ok"), ("Java", "failed")]
    assert [each.what for each in sql] == ["extra"]
