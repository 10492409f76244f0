"""Tables of PostgreSQL and MariaDB: their types, one state of a table that others write, and what goes wrong on the way."""

import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from socket import socket

import pyarrow
import pytest

import databases
from databases import PASSWORD, fresh
from servers import free_port
from slipway.errors import SlipwayError, TableError
from slipway.sections import Sql
from slipway.sources import batches
from slipway.sources.batches import one_table
from slipway.sources.sql import UnfitColumn, open_table
from slipway.sources.sql_faults import told
from slipway.sources.sql_server import engine_of

pytestmark = pytest.mark.database

ROWS = 20_000  # of several fetches
FILLED = {
    "postgresql": f"INSERT INTO visits SELECT n, 'old' FROM generate_series(1, {ROWS}) n",
    "mariadb": f"INSERT INTO visits SELECT seq, 'old' FROM seq_1_to_{ROWS}",
}


@pytest.fixture(params=["postgres", "mariadb"])
def database(request, monkeypatch):
    """An empty database that DATABASE_URL names."""
    with fresh(request.getfixturevalue(request.param)) as made:
        monkeypatch.setenv("DATABASE_URL", made.url)
        yield made


@pytest.fixture
def visits(database):
    """The database with a table of 20,000 rows."""
    database.execute("CREATE TABLE visits (id INTEGER PRIMARY KEY, said VARCHAR(9))", FILLED[database.kind])
    return database


@pytest.fixture
def postgresql(postgres, monkeypatch):
    with fresh(postgres) as made:
        monkeypatch.setenv("DATABASE_URL", made.url)
        yield made


@pytest.fixture
def mysql(mariadb, monkeypatch):
    with fresh(mariadb) as made:
        monkeypatch.setenv("DATABASE_URL", made.url)
        yield made


@pytest.fixture(params=["postgres", "mariadb"])
def own(request, monkeypatch):
    """A server of one's own, to be killed, with the table of 20,000 rows."""
    if not getattr(databases, f"{request.param}_programs")():
        request.getfixturevalue(request.param)  # says what is absent
    with getattr(databases, f"serve_{request.param}")() as made:
        made.execute("CREATE TABLE visits (id INTEGER PRIMARY KEY, said VARCHAR(9))", FILLED[made.kind])
        monkeypatch.setenv("DATABASE_URL", made.url)
        yield made


@pytest.fixture
def small_batches(monkeypatch):
    """So that a reading is not over when its first batch is here."""
    monkeypatch.setattr(batches, "ROWS", 100)


def read(columns=None, **settings) -> pyarrow.Table:
    opened = open_table(Sql(**settings), columns)
    return one_table(list(opened.read()), opened.names, "rows")


def refused(columns=None, **settings) -> str:
    with pytest.raises(SlipwayError) as caught:
        read(columns, **settings)
    said = str(caught.value)
    assert "\n" not in said and not any(secret in said for secret in (PASSWORD, "pass%2Fw", "hunter2"))
    return said


def test_the_types_of_postgresql(postgresql):
    postgresql.execute(
        "CREATE TYPE mood AS ENUM ('sad', 'glad')",
        "CREATE TABLE t (i smallint, big bigint, n numeric(10, 2), wide numeric(20), free numeric, r real, f float8, "
        "b boolean, d date, t timestamp, z timestamptz, u uuid, c char(3), e mood, nothing text)",
        "INSERT INTO t VALUES (1, 9007199254740993, 0.10, 1234567890123456789, 1, 0.1, 0.1, true, '2024-02-29', "
        "'2024-03-31 02:30', '2024-03-31 03:30+02', '6B015A03-0000-4000-8000-000000000000', 'ab', 'glad', NULL), "
        "(NULL, NULL, NULL, NULL, 2.5, 'NaN', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
    )
    found = read(table="t")
    assert list(map(str, found.schema.types)) == [
        *("int64", "int64", "double", "int64", "double", "double", "double", "bool", "date32[day]", "timestamp[us]"),
        *("timestamp[us, tz=UTC]", "string", "string", "string", "null"),
    ]
    assert [*found.to_pylist()[0].values()] == [
        *(1, 9007199254740993, 0.1, 1234567890123456789, 1.0, 0.1, 0.1, True, date(2024, 2, 29), datetime(2024, 3, 31, 2, 30)),
        *(datetime(2024, 3, 31, 1, 30, tzinfo=UTC), "6b015a03-0000-4000-8000-000000000000", "ab ", "glad", None),
    ]


def test_the_types_of_mariadb(mysql):
    mysql.execute(
        "SET sql_mode = ''",
        "CREATE TABLE t (i smallint, big bigint unsigned, n decimal(10, 2), wide decimal(20), f float, b boolean, d date, "
        "t datetime(6), z timestamp NULL, e enum('sad', 'glad'), c varchar(9), y year, u uuid, nothing text)",
        "SET time_zone = '+02:00'",
        "INSERT INTO t VALUES (1, 18446744073709551615, 0.10, 1234567890123456789, 0.1, true, '2024-02-29', "
        "'2024-06-01 00:30:00.000001', NULL, 'glad', 'ä', 2024, '6b015a03-0000-4000-8000-000000000000', NULL)",
        "UPDATE t SET z = from_unixtime(1717194600)",
    )
    found = read(table="t")
    assert list(map(str, found.schema.types)) == [
        *("int64", "double", "double", "int64", "double", "int64", "date32[day]", "timestamp[us]", "timestamp[us]"),
        *("string", "string", "int64", "string", "null"),
    ]
    assert [*found.to_pylist()[0].values()] == [
        *(1, 1.8446744073709552e19, 0.1, 1234567890123456789, 0.1, 1, date(2024, 2, 29), datetime(2024, 6, 1, 0, 30, 0, 1)),
        *(datetime(2024, 5, 31, 22, 30), "glad", "ä", 2024, "6b015a03-0000-4000-8000-000000000000", None),
    ]


@pytest.mark.parametrize("kind", ["json", "jsonb", "int[]", "bytea", "interval", "time", "inet", "point"])
def test_a_type_of_postgresql_that_no_column_can_have(postgresql, kind):
    cell = {"json": "1", "jsonb": "1", "int[]": "{1}", "bytea": "x", "interval": "1 day", "time": "10:00", "inet": "::1"}
    postgresql.execute(f"CREATE TABLE t (odd {kind}, x int)", f"INSERT INTO t VALUES ('{cell.get(kind, '(1,2)')}', 1)")
    if kind == "point":  # a text to the driver, as in a dump
        assert read(table="t")["odd"].to_pylist() == ["(1,2)"]
        return
    assert "column 'odd': the type is " in refused(table="t")
    assert read(["x"], table="t").to_pydict() == {"x": [1]}, "a column that is not read does no harm"


@pytest.mark.parametrize(
    "cell, says",
    [("x'00'", "binary"), ("CAST('10:00' AS TIME)", "interval or time"), ("ST_GeomFromText('POINT(1 1)')", "binary")],
)
def test_a_type_of_mariadb_that_no_column_can_have(mysql, cell, says):
    if cell == "x'00'":
        cell = "CAST('a' AS BINARY)"
    with pytest.raises(UnfitColumn) as caught:
        read(query=f"SELECT {cell} AS odd")
    assert (caught.value.field, caught.value.why) == ("odd", f"the type is {says}")


def test_moments_do_not_depend_on_the_zone_of_a_session(postgresql, monkeypatch):
    postgresql.execute(
        "CREATE TABLE t (z timestamptz)", "INSERT INTO t VALUES ('2024-10-27 02:30+02'), ('2024-10-27 02:30+01')"
    )
    found = []
    for zone in ("America/New_York", "Asia/Kolkata"):
        monkeypatch.setenv("PGTZ", zone)
        monkeypatch.setenv("PGOPTIONS", f"-c timezone={zone}")
        found.append(read(query="SELECT z, z::date AS day, z::text AS said FROM t").to_pylist())
    assert found[0] == found[1]
    assert [row["said"] for row in found[0]] == ["2024-10-27 00:30:00+00", "2024-10-27 01:30:00+00"]


def test_what_is_written_during_a_read_is_not_in_it(visits, small_batches):
    opened = open_table(Sql(table="visits"))
    reading = opened.read()
    first = next(reading).column("said").to_pylist()
    visits.execute(
        "UPDATE visits SET said = 'new'", "DELETE FROM visits WHERE id > 10000", "INSERT INTO visits VALUES (0, 'new')"
    )
    rows = [*first, *(said for batch in reading for said in batch.column("said").to_pylist())]
    assert (len(rows), set(rows)) == (ROWS, {"old"})
    assert opened.consistent == ""
    assert set(read(table="visits")["said"].to_pylist()) == {"new"}


def test_a_table_without_snapshots_is_named(mysql):
    mysql.execute("CREATE TABLE t (x int) ENGINE = MyISAM", "INSERT INTO t VALUES (1)")
    opened = open_table(Sql(table="t"))
    assert opened.consistent.startswith("The database gives no snapshot of 127.0.0.1/test_")
    assert sum(batch.num_rows for batch in opened.read()) == 1


def test_about_how_many_rows_there_are(visits):
    visits.execute("ANALYZE visits" if visits.kind == "postgresql" else "ANALYZE TABLE visits")
    assert open_table(Sql(table="visits")).rows == pytest.approx(ROWS, rel=0.1)
    assert open_table(Sql(query="SELECT * FROM visits")).rows is None


def test_a_table_of_another_schema(postgresql):
    postgresql.execute(
        'CREATE SCHEMA "Shop"', 'CREATE TABLE "Shop"."My.Visits" (x int)', 'INSERT INTO "Shop"."My.Visits" VALUES (1)'
    )
    postgresql.execute('CREATE VIEW "a.b" AS SELECT 2 AS x', 'CREATE TABLE "Shop".visits (x int)')
    assert read(table="a.b").to_pydict() == {"x": [2]}
    assert open_table(Sql(table="Shop.visits")).names == ("x",)
    assert "/Shop.visit: there is no such table. Did you mean visits?" in refused(table="Shop.visit")


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1 AS x; DROP TABLE visits",
        "DELETE FROM visits RETURNING id",
        "WITH gone AS (DELETE FROM visits RETURNING id) SELECT id FROM gone",
        "SELECT nextval('counter') AS x",
        "SELECT id INTO other FROM visits",
    ],
)
def test_a_query_cannot_write(visits, query):
    visits.execute("CREATE SEQUENCE counter")
    refused(query=query)
    assert visits.rows("SELECT count(*) FROM visits") == [(ROWS,)]


def test_signs_in_a_query_are_its_own(visits):
    query = "SELECT id AS \"a%s:b\" FROM visits WHERE said LIKE 'o%' AND said <> ':x' AND '%(id)s' <> said AND id < 3 -- :y"
    if visits.kind == "mariadb":
        query = query.replace('"', "`")
    assert sorted(read(query=query)["a%s:b"].to_pylist()) == [1, 2]


@pytest.mark.parametrize(
    "change, says",
    [
        (lambda url: url.replace("pass%2Fw", "hunter2"), "the server refuses the user or the password"),
        (lambda url: url.rpartition("/")[0] + "/nowhere", "the server has no such database, or refuses this one"),
        (lambda url: url.replace(f":{url.rpartition(':')[2].partition('/')[0]}/", ":1/"), "no server answers"),
        (lambda url: url.replace("127.0.0.1", "nowhere.invalid"), "no server answers"),
        (
            lambda url: url.replace("pass%2Fw%3Ard%401", "pass/w:rd@1"),
            "is not a valid URL of a database. Expected DATABASE://",
        ),
    ],
)
def test_a_url_that_does_not_lead_there(visits, monkeypatch, change, says):
    monkeypatch.setenv("DATABASE_URL", change(visits.url))
    said = refused(table="visits")
    assert said.startswith("DATABASE_URL: ") and says in said


def test_a_user_without_the_right(postgresql, monkeypatch):
    postgresql.execute("CREATE TABLE t (x int)", "CREATE ROLE guest LOGIN PASSWORD 'hunter2'")
    try:
        monkeypatch.setenv("DATABASE_URL", f"postgres://guest:hunter2@127.0.0.1:{postgresql.port}/{postgresql.name}")
        assert "/t: the user has no right to it (permission denied for table t). Grant it" in refused(table="t")
    finally:
        postgresql.execute("DROP ROLE guest")


def test_a_server_that_is_killed_in_the_middle(own, small_batches):
    reading = open_table(Sql(query="SELECT a.id, b.said FROM visits a, visits b")).read()
    next(reading)
    own.kill()
    with pytest.raises(TableError, match="DATABASE_URL: the connection was lost while 127.0.0.1/.* was read") as caught:
        for _ in reading:
            pass
    assert "\n" not in str(caught.value) and PASSWORD not in str(caught.value)
    own.start()
    databases.wait(own)
    assert len(read(table="visits")) == ROWS


@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
def test_a_server_whose_port_is_taken_gets_another(kind, request, monkeypatch):
    if not getattr(databases, f"{kind}_programs")():
        request.getfixturevalue(kind)  # says what is absent
    with socket() as taken:
        taken.bind(("127.0.0.1", 0))
        ports = iter([taken.getsockname()[1], free_port()])
        monkeypatch.setattr(databases, "free_port", lambda: next(ports))
        with getattr(databases, f"serve_{kind}")() as made:
            assert made.rows("SELECT 1") == [(1,)] and made.port != taken.getsockname()[1]


def test_a_connection_that_the_server_ends(visits, small_batches):
    reading = open_table(Sql(query="SELECT a.id, b.said FROM visits a, visits b")).read()
    next(reading)
    if visits.kind == "postgresql":
        others = "datname = current_database() AND pid <> pg_backend_pid()"
        visits.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
    else:
        ids = "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
        for (each,) in visits.rows(ids):
            visits.execute(f"KILL {each}")
    with pytest.raises(TableError, match="the connection was lost while 127.0.0.1/test_"):
        for _ in reading:
            pass


def test_a_statement_that_takes_too_long(postgresql):
    postgresql.execute(f"ALTER DATABASE {postgresql.name} SET statement_timeout = '50ms'")
    assert "the database gave up waiting (canceling statement due to statement timeout)" in refused(
        query="SELECT pg_sleep(5) AS x"
    )


def test_the_password_is_in_no_error_and_in_no_engine(visits):
    engine = engine_of(Sql(table="visits"))
    with pytest.raises(TableError) as caught, told("DATABASE_URL", "visits"), engine.connect() as connection:
        connection.exec_driver_sql("SELECT nothing FROM visits")
    chain, error = [repr(engine), repr(engine.url), str(engine.url)], caught.value
    while error:
        chain += [str(error), repr(error)]
        error = error.__cause__
    assert not any(PASSWORD in each or "pass%2Fw" in each for each in chain)


MEMORY = """
import os, resource
from slipway.sections import Sql
from slipway.sources.sql import open_table

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

def read(times):
    query = f"SELECT {columns} FROM visits a, visits b WHERE b.id <= {times}"
    return sum(batch.num_rows for batch in open_table(Sql(query=query)).read())

columns = ", ".join(f"repeat(a.said, 10) AS c{number}" for number in range(30))
few, before = read(1), peak()
many, password = read(5), os.environ["DATABASE_URL"].split(":")[2].partition("@")[0]
print(few, many, peak() - before, password in open("/proc/self/cmdline").read())
"""


def test_memory_does_not_grow_with_the_table(visits):
    """100,000 rows of 30 texts are more than 90 MB; more of them than the 20,000 before take no more memory."""
    environ = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    done = subprocess.run([sys.executable, "-c", MEMORY], env=environ, capture_output=True, text=True, check=True)
    few, many, grown, shown = done.stdout.split()
    assert (few, many, shown) == (str(ROWS), str(5 * ROWS), "False")
    assert int(grown) < 30_000_000


def test_the_commands(visits, run, tmp_path, monkeypatch):
    from tables import charges

    monkeypatch.chdir(tmp_path)
    made = databases.engine(visits.url)
    charges(120).astype({"age": int, "charges": float}).to_sql("patients", made, index=False)
    made.dispose()
    code, out, err = run("init", "sql:patients", "--target", "charges")
    assert (code, err) == (0, "") and out.startswith("Read 120 rows: 4 columns to learn charges from (regression).")
    assert "postgres" not in Path("slipway.yaml").read_text() and "127.0.0.1" not in Path("slipway.yaml").read_text()
    code, out, err = run("check")
    assert code == 0 and "sql: 120 rows, 0 findings against the schema of sql" in out, err
    monkeypatch.setenv("DATABASE_URL", visits.url.replace("pass%2Fw", "hunter2"))
    said = run("train")
    assert said.code == 4 and "the server refuses the user or the password" in said.err and "hunter2" not in said.err
    said = run("init", visits.url, "--target", "charges", "--force")
    assert said.code == 3 and PASSWORD not in said.err and "name the table as sql:TABLE" in said.err
