"""A table of SQLite or DuckDB, or what a query finds there, as a table."""

import gc
import math
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from weakref import ref

import pyarrow
import pytest
import yaml

from slipway.doctor import check_source
from slipway.errors import ProblemError, SlipwayError, TableError
from slipway.problem import load_problem
from slipway.sections import Sql
from slipway.sources import batches, sql
from slipway.sources.batches import one_table
from slipway.sources.source import open_source, sources_of
from slipway.sources.sql import UnfitColumn, open_table
from slipway.sources.sql_server import engine_of
from tables import charges

VISITS = [(3, 27.9, "yes", None), (1, None, "no", "ä"), (2, 26.29, "no", "100% :x")]

LEAST = {"name": "a", "source": "sql", "target": "x"}


@pytest.fixture
def database(tmp_path, monkeypatch):
    """An open database with a table of three visits; DATABASE_URL names it."""
    path = tmp_path / "shop.db"
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{path}")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute('CREATE TABLE visits (age INTEGER, bmi REAL, smoker TEXT, "a note: 100%s" TEXT)')
    connection.executemany("INSERT INTO visits VALUES (?, ?, ?, ?)", VISITS)
    yield connection
    connection.close()


@pytest.fixture
def duck(tmp_path, monkeypatch):
    """The same of DuckDB, closed: it lets nobody else in."""
    duckdb = pytest.importorskip("duckdb")
    pytest.importorskip("duckdb_engine")
    path = tmp_path / "shop.duckdb"
    monkeypatch.setenv("DATABASE_URL", f"duckdb:///{path}")

    def fill(*statements: str) -> None:
        with duckdb.connect(str(path)) as connection:
            for statement in statements:
                connection.execute(statement)

    return fill


def read(columns=None, **settings) -> pyarrow.Table:
    opened = open_table(Sql(**settings), columns)
    return one_table(list(opened.read()), opened.names, "rows")


def refused(columns=None, **settings) -> str:
    with pytest.raises(SlipwayError) as caught:
        read(columns, **settings)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_table(database):
    found = read(table="visits")
    assert found.schema.types == [pyarrow.int64(), pyarrow.float64(), pyarrow.string(), pyarrow.string()]
    assert [tuple(row.values()) for row in found.to_pylist()] == VISITS
    assert found.column_names == ["age", "bmi", "smoker", "a note: 100%s"]


def test_only_the_columns_that_are_asked_for_are_selected(database):
    seen = []
    database.execute("ALTER TABLE visits ADD COLUMN photo BLOB DEFAULT x'00'")
    opened = open_table(Sql(table="visits"), {"smoker", "age", "absent"})
    assert opened.names == ("age", "smoker")
    for batch in opened.read():
        seen += batch.schema.names
    assert seen == ["age", "smoker"]
    assert refused({"absent"}, table="visits").endswith("shop.db/visits has none of the columns that are asked for")


@pytest.mark.parametrize(
    "query, column, cells",
    [
        ("SELECT age AS years FROM visits WHERE smoker = 'no' ORDER BY age", "years", [1, 2]),
        ("SELECT age FROM visits WHERE smoker LIKE 'y%' AND ':x' <> smoker;  ", "age", [3]),
        ("select '%s' || ':a::b' || '\\:c' AS text -- the end", "text", ["%s:a::b\\:c"]),
        ("/* first */ WITH old AS (SELECT * FROM visits WHERE age > 2) SELECT bmi FROM old", "bmi", [27.9]),
        ("VALUES (1), (2)", "column1", [1, 2]),
    ],
)
def test_a_query_is_run_as_it_is_written(database, query, column, cells):
    assert read(query=query).to_pydict() == {column: cells}


def test_of_a_query_too_only_the_columns_that_are_asked_for(database):
    assert read({"b"}, query="SELECT age a, bmi b, x'00' c FROM visits").column_names == ["b"]


@pytest.mark.parametrize(
    "settings, says",
    [
        ({"table": "visitors"}, "/shop.db/visitors: there is no such table. Did you mean visits?"),
        ({"table": "orders"}, "/shop.db/orders: there is no such table. It has visits"),
        ({"query": "SELECT * FROM orders"}, "/shop.db/sql.query: there is no such table (no such table: orders). Correct its"),
        ({"query": "SELECT agee FROM visits"}, "/shop.db/sql.query: there is no such column (no such column: agee). Correct"),
        ({"query": "SELECT age, age FROM visits"}, "/shop.db/sql.query: duplicate column name 'age'. Rename or remove one"),
        ({"query": "SELECT FROM"}, "/shop.db/sql.query cannot be read: near "),
        ({"query": "SELECT 1; DROP TABLE visits"}, "You can only execute one statement at a time"),
        (
            {"query": "DELETE FROM visits RETURNING age"},
            "/shop.db/sql.query: only reading is allowed here (atte",
        ),
        ({"table": "visits", "query": None, "url": "NOWHERE"}, "the environment variable NOWHERE is not set. Set it to"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(database, settings, says):
    assert says in refused(**settings)
    assert database.execute("SELECT count(*) FROM visits").fetchone() == (3,), "nothing was written"


def test_an_empty_table(database):
    database.execute("DELETE FROM visits")
    opened = open_table(Sql(table="visits"))
    assert len(opened.names) == 4 and list(opened.read()) == []


@pytest.mark.parametrize(
    "cells, kind, expected",
    [
        ("(1), (NULL), (-5)", pyarrow.int64(), [1, None, -5]),
        ("(NULL), (1), (0.5)", pyarrow.float64(), [None, 1.0, 0.5]),
        ("(9007199254740993), (NULL)", pyarrow.int64(), [9007199254740993, None]),
        ("(-9007199254740992), (0.5)", pyarrow.float64(), [-9007199254740992.0, 0.5]),
        ("(NULL), (NULL)", pyarrow.null(), [None, None]),
        ("('007'), ('')", pyarrow.string(), ["007", ""]),
    ],
)
@pytest.mark.parametrize("piece", [1, 64])
def test_the_type_of_a_column_is_that_of_all_its_cells(database, monkeypatch, cells, kind, expected, piece):
    monkeypatch.setattr(sql, "FIRST", piece)
    monkeypatch.setattr(sql, "MOST", piece)
    found = read(query=f"SELECT column1 AS x FROM (VALUES {cells})")
    assert (found.schema.types, found["x"].to_pylist()) == ([kind], expected)


@pytest.mark.parametrize("cells", ["(9007199254740993), (NULL), (0.5)", "(0.5), (NULL), (-9007199254740993)"])
@pytest.mark.parametrize("piece", [1, 64])
def test_an_integer_that_a_fraction_beside_it_would_round(database, monkeypatch, cells, piece):
    monkeypatch.setattr(sql, "FIRST", piece)
    monkeypatch.setattr(sql, "MOST", piece)
    says = "column 'x': the type is integer and number by turns, and a whole number above 2^53 (9,007,199,254,740,992) is no"
    assert says in refused(query=f"SELECT column1 AS x FROM (VALUES {cells})")


@pytest.mark.parametrize(
    "cells, says",
    [
        ("(x'00')", "column 'x': the type is binary. Add it to drop, or convert it or leave it out in sql.query"),
        ("(1), ('one')", "column 'x': the type is integer in some rows and text in others. Add it to drop, or convert"),
    ],
)
def test_a_column_that_no_table_can_have(database, cells, says):
    assert says in refused(query=f"SELECT column1 AS x, 1 AS y FROM (VALUES {cells})")
    with pytest.raises(UnfitColumn) as caught:
        read(query=f"SELECT column1 AS x, 1 AS y FROM (VALUES {cells})")
    assert caught.value.field == "x" and caught.value.why in says


def test_a_column_that_is_gone_when_it_is_read(database):
    opened = open_table(Sql(table="visits"))
    database.execute("ALTER TABLE visits DROP COLUMN bmi")
    with pytest.raises(TableError, match="there is no such column .no such column: slipway.bmi."):
        list(opened.read())


def test_batches_are_bounded_in_rows_and_in_bytes(database, monkeypatch):
    monkeypatch.setattr(batches, "ROWS", 1_000)
    numbers = "WITH RECURSIVE n(x) AS (VALUES (1) UNION ALL SELECT x + 1 FROM n WHERE x < 20000) SELECT x FROM n"
    sizes = [batch.num_rows for batch in open_table(Sql(query=numbers)).read()]
    assert sum(sizes) == 20_000 and max(sizes) < 1_000 + sql.MOST
    monkeypatch.setattr(batches, "SIZE", 1 << 18)
    wide = numbers.replace("SELECT x FROM", "SELECT x, replace(hex(zeroblob(2000)), '0', 'y') AS y FROM")
    bytes_of = [batch.nbytes for batch in open_table(Sql(query=wide)).read()]
    assert sum(bytes_of) > 20_000 * 4_000 and max(bytes_of) < (1 << 18) + 3 * sql.SIZE


def test_each_reading_begins_anew_and_one_may_be_left_early(database):
    opened = open_table(Sql(table="visits"))
    assert len(list(opened.read())) == 1
    half = opened.read()
    next(half)
    del half
    gc.collect()
    database.execute("INSERT INTO visits VALUES (9, 9, '9', '9')")  # nobody holds a lock
    assert sum(batch.num_rows for batch in opened.read()) == 4


def test_the_source_of_a_problem(database, tmp_path, monkeypatch):
    path = tmp_path / "slipway.yaml"
    path.write_text("name: a\nsource: sql\nsql: {table: visits}\ntarget: bmi\n")
    problem = load_problem(path, environ={})
    (source,) = sources_of(problem)
    assert (source.where, source.variables, source.fingerprint()) == ("visits", ("DATABASE_URL",), None)
    source.ping()
    assert open_source(problem, ["bmi"]).names == ("bmi",)
    monkeypatch.setenv("DATABASE_URL", "sqlite:///absent.db")
    with pytest.raises(TableError, match="DATABASE_URL: there is no file absent.db"):
        source.ping()


@pytest.mark.parametrize(
    "section, says",
    [
        ("", "sql.table is missing. source: sql needs it, or a SELECT in sql.query"),
        ("sql: {table: a, query: SELECT 1}", "sql.table and sql.query exclude one another"),
        ("sql: {query: DELETE FROM a}", "sql.query: expected a SELECT"),
        ("sql: {query: '-- all\nDROP TABLE a'}", "sql.query: expected a SELECT"),
        ("sql: {table: a, url: 'postgresql://u:hunter2@h/d'}", "sql.url: expected"),
    ],
)
def test_settings_that_cannot_be(tmp_path, section, says):
    path = tmp_path / "slipway.yaml"
    path.write_text(f"name: a\nsource: sql\ntarget: x\n{section}\n")
    with pytest.raises(ProblemError) as caught:
        load_problem(path, environ={})
    assert says in str(caught.value) and "hunter2" not in str(caught.value)


def test_comments_before_a_select_are_read_in_no_time(tmp_path):
    path = tmp_path / "slipway.yaml"
    comments = "/* a * / b */ -- c\n " * 2_000
    path.write_text(yaml.safe_dump(LEAST | {"sql": {"query": f"{comments} SELECT 1"}}))
    assert load_problem(path, environ={}).sql.table is None
    path.write_text(yaml.safe_dump(LEAST | {"sql": {"query": f"{comments} DROP TABLE a"}}))
    with pytest.raises(ProblemError, match="sql.query: expected a SELECT"):
        load_problem(path, environ={})


def test_sql_is_named_alone(tmp_path):
    path = tmp_path / "slipway.yaml"
    path.write_text("name: a\nsource: [sql, more.csv]\nsql: {table: a}\ntarget: x\n")
    with pytest.raises(ProblemError, match="source: sql cannot be one table together with other entries"):
        load_problem(path, environ={})


def test_duckdb(duck):
    duck(
        "CREATE TABLE visits (a INTEGER, b DECIMAL(10, 2), c HUGEINT, d DATE, t TIMESTAMP, u UUID, f FLOAT)",
        "INSERT INTO visits VALUES (1, 0.10, 170141183460469231731687303715884105727, '2024-02-29', '2024-06-01 00:30:00', "
        "'6b015a03-0000-4000-8000-000000000000', 0.5), (NULL, NULL, 1, NULL, NULL, NULL, 'nan')",
    )
    found = read(table="visits")
    assert list(map(str, found.schema.types)) == [
        *("int64", "double", "double", "date32[day]", "timestamp[us]", "string", "double")
    ]
    first, second = (list(row.values()) for row in found.to_pylist())
    assert first == [
        *(1, 0.1, 1.7014118346046923e38, date(2024, 2, 29), datetime(2024, 6, 1, 0, 30)),
        *("6b015a03-0000-4000-8000-000000000000", 0.5),
    ]
    assert second[:2] == [None, None] and math.isnan(second[-1])
    assert open_table(Sql(table="visits")).rows == 2


@pytest.mark.parametrize(
    "settings, says",
    [
        ({"table": "visitt"}, "there is no such table. Did you mean visits?"),
        ({"query": "SELECT a, a FROM visits"}, "duplicate column name 'a'"),
        ({"query": "SELECT 1; DROP TABLE visits"}, "only reading is allowed here"),
        ({"query": "SELECT [1, 2] AS x"}, "column 'x': the type is array"),
        ({"query": "SELECT {'k': 1} AS x"}, "column 'x': the type is json"),
        ({"query": "SELECT INTERVAL 1 DAY AS x"}, "column 'x': the type is interval or time"),
    ],
)
def test_what_duckdb_refuses(duck, settings, says):
    duck("CREATE TABLE visits (a INTEGER)")
    assert says in refused(**settings)
    assert open_table(Sql(table="visits")).names == ("a",)


@pytest.fixture
def patients(tmp_path, monkeypatch):
    """A folder with a database of 120 patients, who have photos."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "sqlite:///shop.db")
    with closing(sqlite3.connect("shop.db")) as connection:
        charges(120).astype({"age": int, "charges": float}).assign(photo=b"x").to_sql("patients", connection, index=False)


def test_init_drops_what_no_column_can_be_and_check_does_not_read_it(patients, run):
    code, out, err = run("init", "sql:patients", "--target", "charges")
    assert (code, err) == (0, "") and "  photo: left out: the type is binary\n" in out
    text = Path("slipway.yaml").read_text()
    assert "in the environment variable DATABASE_URL\nsql:\n  table: patients\n" in text and "shop.db" not in text
    problem = load_problem("slipway.yaml", environ={})
    assert (problem.name, problem.source, problem.sql, problem.drop) == (
        "patients",
        ("sql",),
        Sql(table="patients"),
        ("photo",),
    )
    code, out, err = run("check")
    assert code == 0 and "sql: 120 rows, 0 findings against the schema of sql" in out, err
    refused = run("init", "sql:patients", "--target", "photo", "--force")
    assert refused.code == 4 and "column 'photo': the type is binary" in refused.err


def test_check_reads_a_table_that_it_is_given(patients, run):
    Path("slipway.yaml").write_text("name: t\nsource: t.csv\ntarget: charges\ndrop: photo\n")
    charges(120).assign(photo="x").to_csv("t.csv", index=False)
    with closing(sqlite3.connect("shop.db")) as connection:
        connection.execute("CREATE TABLE fewer AS SELECT age, smoker, charges FROM patients WHERE age < 40")
    code, out, err = run("check", "sql:patients")
    assert code == 0 and "sql:patients: 120 rows, 0 findings against the schema of t.csv" in out, err
    code, out, err = run("check", "sql:fewer")
    assert code == 4 and "bmi: " in out and "sql:fewer: " in out, err
    code, out, err = run("check", "sqlite:///hunter2.db")
    assert code == 3 and "name the table as sql:TABLE" in err and "hunter2" not in out + err


def test_check_ends_a_reading_before_it_begins_another(patients, run, monkeypatch):
    class Answer:
        """As of a server that has begun to answer; it ends with the last reference."""

    begun = []

    def opened(problem, columns=None, without=()):
        assert not [each for each in begun if each() is not None]
        answer = Answer()
        begun.append(ref(answer))
        made = open_table(problem.sql, columns)
        return replace(made, read=lambda held=answer: made.read())

    monkeypatch.setattr("slipway.sources.source.open_source", opened)
    Path("slipway.yaml").write_text("name: t\nsource: sql\nsql: {table: patients}\ntarget: charges\ndrop: photo\n")
    assert run("check").code == 0 and len(begun) == 4


def test_init_takes_the_variable_of_the_problem_that_is_there(patients, run, monkeypatch):
    monkeypatch.setenv("SHOP", "sqlite:///shop.db")
    monkeypatch.delenv("DATABASE_URL")
    Path("slipway.yaml").write_text("name: t\nsource: t.csv\ntarget: x\nsql: {url: SHOP}\n")
    assert run("init", "sql:patients", "--target", "charges", "--force").code == 0
    assert load_problem("slipway.yaml", environ={}).sql == Sql(url="SHOP", table="patients")


@pytest.mark.parametrize(
    "table, says",
    [
        ("postgresql://u:hunter2@h/d", "Set DATABASE_URL to the URL of the database, and name the table as sql:TABLE"),
        ("mysql+pymysql://u:hunter2@h/d", "a URL on the command line is shown by ps and kept in the shell history"),
        ("PostgreSQL://u:hunter2@h/d", "a URL on the command line is shown by ps and kept in the shell history"),
        ("sql:", "sql: names no table. Use sql:TABLE, or sql:SCHEMA.TABLE"),
    ],
)
def test_what_init_does_not_take(patients, run, table, says):
    code, out, err = run("init", table, "--target", "charges")
    assert code == 3 and says in err and "hunter2" not in out + err


def test_the_variable_that_retrain_yaml_has_to_pass(patients):
    Path("slipway.yaml").write_text("name: t\nsource: sql\nsql: {table: patients}\ntarget: charges\n")
    problem = load_problem("slipway.yaml", environ={})
    entries = check_source.gather(problem)
    (missing,) = check_source.check(problem, entries, {"retrain.yaml": "env: {}"})
    (there,) = check_source.check(problem, entries, {"retrain.yaml": "DATABASE_URL: ${{ secrets.DATABASE_URL }}"})
    assert "retrain.yaml does not pass DATABASE_URL" in missing.says and "reads patients, with the secret" in there.says


@pytest.mark.parametrize(
    "library, url, cure",
    [
        ("sqlalchemy", "sqlite:///shop.db", "pip install 'slipway-ml[sql]'"),
        ("psycopg", "postgres://u:hunter2@h/d", "pip install 'slipway-ml[sql]'"),
        ("pymssql", "mssql://u:hunter2@h/d", "pip install pymssql"),
        ("duckdb_engine", "duckdb:///shop.db", "pip install duckdb-engine pytz"),
    ],
)
def test_a_library_that_is_absent_is_named_with_the_cure(patients, library, url, cure):
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "from slipway.errors import TableError\n"
        "from slipway.sections import Sql\n"
        "from slipway.sources.sql import open_table\n"
        "try:\n    open_table(Sql(table='patients'))\nexcept TableError as error:\n    print(error)"
    )
    environ = {"DATABASE_URL": url, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    done = subprocess.run([sys.executable, "-c", code], env=environ, capture_output=True, text=True)
    assert done.stdout.rstrip().endswith(f"not installed. {cure}"), done.stderr
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    "url",
    [
        "shop.db",
        "http://u:hunter2@h/d",
        "postgresql://",
        "postgresql://u:hunter2@h",
        "postgresql://u:hunter2@h/",
        "postgresql:///d",
        "postgresql://u:hunter2@h:port/d",
        "postgresql://u:hun@ter2@h/d",
        "mysql://u:hunter2/x@y@h/d",
        "mysql://u:a@hunter2.invalid/c?d@h/d",
        "postgresql://u:a@h/hunter2?d@h/d",
        "mariadb://u:hunter2@[::1/d",
        "sqlite://",
        "sqlite+hunter2",
    ],
)
def test_what_is_no_url_is_not_repeated(monkeypatch, url):
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ProblemError) as caught:
        open_table(Sql(table="visits"))
    assert str(caught.value).startswith("DATABASE_URL: ") and " Expected DATABASE://user:password@host:port/name" in str(
        caught.value
    )
    assert not any(part in str(caught.value) for part in ("hunter2", "ter2@", "hun@")) and caught.value.__cause__ is None


@pytest.mark.parametrize(
    "url, says",
    [
        ("mysql://u:hunter2@127.0.0.1:1/d?ssl-mode=REQUIRED", "refuses an option of the URL (ssl-mode). Correct it"),
        (
            "mysql://u:hunter2@127.0.0.1:1/d?ssl_ca=/absent",
            "refuses an option of the URL (ssl_ca): No such file or directory.",
        ),
        ("mysql://u:hunter2\u0142@127.0.0.1:1/d", "refuses the URL. Correct the user and the password in the variable"),
    ],
)
def test_what_the_driver_does_not_take_of_a_url(monkeypatch, url, says):
    monkeypatch.setenv("DATABASE_URL", url)
    with pytest.raises(ProblemError) as caught:
        open_table(Sql(table="visits"))
    assert f"DATABASE_URL: the driver pymysql {says}" in str(caught.value)
    assert "hunter2" not in str(caught.value) and caught.value.__cause__ is None


@pytest.mark.parametrize(
    "url, given",
    [
        ("mysql://u:p@h/d?connect_timeout=30", {"connect_timeout": 30, "read_timeout": 600, "charset": "utf8mb4"}),
        ("mysql://u:p@h/d?charset=utf8", {"connect_timeout": 5, "charset": "utf8mb4"}),
        (
            "postgresql://u:p@h/d?connect_timeout=30&client_encoding=latin1",
            {"connect_timeout": "30", "client_encoding": "utf8"},
        ),
    ],
)
def test_an_option_of_the_url_wins_unless_it_would_change_texts(monkeypatch, url, given):
    seen: dict[str, object] = {}
    engine = engine_of(Sql(), url)
    monkeypatch.setattr(engine.dialect, "connect", lambda **options: seen.update(options) or sys.exit())
    with pytest.raises(SystemExit):
        engine.connect()
    assert {name: seen[name] for name in given} == given


def test_a_file_that_is_no_database(monkeypatch, tmp_path):
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{tmp_path}/shop.db")
    (tmp_path / "shop.db").write_bytes(b"x" * 4096)
    assert "the file is no intact database of its kind (file is not a database)" in refused(table="visits")
