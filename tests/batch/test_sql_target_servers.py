"""From table to table of real PostgreSQL and MariaDB servers, which are killed, and whose clients are."""

import os
import subprocess
import sys
import threading
import time
from datetime import UTC, date, datetime
from decimal import Decimal

import pyarrow
import pyarrow.parquet as parquet
import pytest
import sqlalchemy

import databases
from servers import DEADLINE, ROOT
from slipway.batch import sql_place, sql_rows
from slipway.errors import TableError

pytestmark = pytest.mark.database
KINDS = ("postgres", "mariadb")
PATIENTS = "CREATE TABLE patients (id INT PRIMARY KEY, age INT, bmi DOUBLE PRECISION, smoker VARCHAR(9), joined DATE)"
ROWS = 3_000
WAITING = "information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
# the command itself, with smaller blocks, so that a small table has many marks; it waits once it has put so many rows,
# until its input is closed
PROGRAM = """
import sys
from slipway.batch import run, sql_place, sql_rows
sql_rows.ROWS, run.SECONDS, run.SHARE = 50, 0, float("inf")
rest, put = int(sys.argv[1]), sql_place.Growing._put

def held(self, rows):
    global rest
    put(self, rows)
    rest -= len(rows)
    if rest <= 0:
        sys.stdin.read()

sql_place.Growing._put = held
from slipway.cli import main
sys.argv = ["slipway", "predict", *sys.argv[2:]]
sys.exit(main())
"""


@pytest.fixture(params=KINDS)
def clinic(request, monkeypatch, desk):
    """An empty database whose URL is in the problem's variable."""
    with databases.fresh(request.getfixturevalue(request.param)) as made:
        monkeypatch.setenv("DATABASE_URL", made.url)
        yield made


def fill(clinic, count: int = ROWS) -> None:
    """Patients, of whom each seventh cannot be answered."""
    smokers = ["maybe" if number % 7 == 6 else "no" for number in range(count)]
    rows = ", ".join(
        f"({number}, {18 + number % 46}, 20.5, '{smoker}', '2021-03-05')" for number, smoker in enumerate(smokers)
    )
    clinic.execute(PATIENTS, f"INSERT INTO patients VALUES {rows}")


def scored(clinic) -> list[tuple]:
    return clinic.rows("SELECT * FROM scored ORDER BY id")


def start(desk, rows: int) -> subprocess.Popen:
    """From table to table; it waits once it has put so many rows."""
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(rows), "sql:patients", "-o", "sql:scored"],
        cwd=desk.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def count_of(clinic) -> int:
    """How many rows a reader sees; -1 when there is no table."""
    made = databases.engine(clinic.url)
    try:
        with made.connect() as connection:
            if not sqlalchemy.inspect(connection).has_table("scored"):
                return -1
            return connection.execute(sqlalchemy.text("SELECT count(*) FROM scored")).scalar()
    finally:
        made.dispose()


def wait_for(clinic, process: subprocess.Popen, count: int) -> None:
    """Return once readers see so many rows."""
    deadline = time.monotonic() + DEADLINE
    while count_of(clinic) < count:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()


def test_killed_twice_nothing_is_lost_or_doubled(desk, clinic):
    fill(clinic)
    for rows, count in ((250, 250), (1000, 1200)):  # the second one puts one block again
        process = start(desk, rows)
        wait_for(clinic, process, count)
        process.kill()
        process.communicate()
        assert 0 < count_of(clinic) < ROWS - ROWS // 7
    told = []
    mark = desk.predict("sql:patients", "sql:scored", tell=lambda mark, says: told.append(says))
    assert any("Resuming after row" in says for says in told)
    assert (mark.scored, mark.rejected) == (ROWS - 428, 428)
    answers = scored(clinic)
    assert [row[0] for row in answers] == [number for number in range(ROWS) if number % 7 != 6]
    assert len(desk.rows("scored.rejects.csv")) == 428
    desk.predict("sql:patients", "sql:scored")
    assert scored(clinic) == answers


def test_a_server_that_is_killed_ends_the_run_in_one_line_and_the_next_one_resumes(desk, clinic, request):
    """kill -9 in the midst of writing; what was committed is there after the restart, and nothing is there twice."""
    if clinic.kind == "mariadb":  # the tests' server is faster, and forgets the last second when it is killed
        clinic.execute("SET GLOBAL innodb_flush_log_at_trx_commit = 1")
    fill(clinic)
    server = request.getfixturevalue("postgres" if clinic.kind == "postgresql" else "mariadb")
    process = start(desk, 300)
    wait_for(clinic, process, 300)
    server.kill()
    _, err = process.communicate(timeout=DEADLINE)
    server.start()
    databases.wait(server)
    assert process.returncode == 4, err
    assert "run the same command again to resume" in err and "Traceback" not in err and "pass/" not in err, err
    assert "ignored" not in err, err
    assert "the connection was lost" in err.splitlines()[-1] or "no server answers" in err.splitlines()[-1]
    assert 300 <= count_of(clinic) < 2572
    told = []
    mark = desk.predict("sql:patients", "sql:scored", tell=lambda mark, says: told.append(says))
    assert any("Resuming after row" in says for says in told)
    assert (mark.scored, mark.rejected) == (ROWS - 428, 428)
    assert [row[0] for row in scored(clinic)] == [number for number in range(ROWS) if number % 7 != 6]


TYPES = {
    "postgresql": {
        "price NUMERIC": "1.500",
        "sum NUMERIC(20, 5)": "123456789012345.67891",
        "small REAL": "0.1",
        "ratio DOUBLE PRECISION": "'0.1'",
        "seen TIMESTAMPTZ": "'2026-10-25 00:30:00.123456Z'",
        "again TIMESTAMPTZ": "'2026-10-25 01:30:00Z'",  # in Berlin both are half past two
        "plain TIMESTAMP(3)": "'2026-03-29 02:30:00.123'",
        "noon TIME": "'12:00'",
        "night TIME": "'24:00'",
        "ever TIMESTAMPTZ": "'infinity'",
        "never DATE": "'-infinity'",
        "old DATE": "'0044-03-15 BC'",
        "mood MOOD": "'glad'",
        "doc JSON": "'{\"a\":  1.10}'",
        "docs JSONB": "'{\"a\": 1.10}'",
        "list TEXT[]": "'{a,NULL,\"b c\"}'",
        "span INTERVAL": "'1 mon 2 days 00:00:01'",
        "one UUID": "'00000000-0000-0000-0000-000000000007'",
        "net INET": "'10.0.0.1/8'",
        "raw BYTEA": "'\\x00ff'",
        "four CHAR(4)": "'ab'",
        "flag BOOLEAN": "true",
        'words TEXT COLLATE "C"': "'it''s \"é\" 😀 %s :p0 \\'",
    },
    "mariadb": {
        "price DECIMAL(20, 5)": "123456789012345.67891",
        "small FLOAT": "16777215",
        "ratio DOUBLE": "0.1",
        "plain DATETIME(6)": "'2026-03-29 02:30:00.123456'",
        "seen TIMESTAMP(6) NULL": "'2026-10-25 00:30:00.123456'",
        "span TIME(3)": "'-100:00:01.5'",
        "mood ENUM('glad', 'sad')": "'sad'",
        "tags SET('a', 'b')": "'a,b'",
        "bits BIT(5)": "b'101'",
        "year YEAR": "2026",
        "doc JSON": "'{\"a\":  1.10}'",
        "one UUID": "'00000000-0000-0000-0000-000000000007'",
        "raw BLOB": "x'00ff'",
        "flag BOOLEAN": "true",
        "big BIGINT UNSIGNED": "18446744073709551615",
        "words TEXT": "'it''s \"é\" 😀 \\0 %s :p0 \\\\'",
        "spaces VARCHAR(9)": "'a  '",
    },
}


def test_every_cell_survives(desk, clinic):
    """All values of all types, NULL among them, are the same in IN and OUT, and so are the types."""
    types = TYPES[clinic.kind]
    if clinic.kind == "postgresql":
        clinic.execute("CREATE TYPE mood AS ENUM ('glad', 'sad')")
    charset = " CHARACTER SET utf8mb4" if clinic.kind == "mariadb" else ""
    made = databases.engine(clinic.url)
    columns = f"{PATIENTS.removesuffix(')')}, {', '.join(types)}){charset}"
    with made.begin() as connection:
        connection.execution_options(no_parameters=True)
        if clinic.kind == "mariadb":
            connection.exec_driver_sql("SET time_zone = '+00:00'")
        connection.exec_driver_sql(columns)
        connection.exec_driver_sql(
            f"INSERT INTO patients VALUES (1, 30, 20.5, 'no', '2021-03-05', {', '.join(types.values())})"
        )
        nothing = ", ".join(["NULL"] * len(types))
        connection.exec_driver_sql(f"INSERT INTO patients VALUES (2, 30, 20.5, 'no', '2021-03-05', {nothing})")
    names = [each.partition(" ")[0] for each in types]
    for _ in range(2):
        assert desk.predict("sql:patients", "sql:scored").scored == 2
    if clinic.kind == "postgresql":
        same = " AND ".join(f"p.{name}::text IS NOT DISTINCT FROM s.{name}::text" for name in names)
    else:
        same = " AND ".join(f"hex(p.{name}) <=> hex(s.{name}) AND p.{name} <=> s.{name}" for name in names)
    ((count,),) = clinic.rows(f"SELECT count(*) FROM patients p JOIN scored s ON p.id = s.id WHERE {same}")
    inspector = sqlalchemy.inspect(made)
    kinds = [{each["name"]: repr(each["type"]) for each in inspector.get_columns(table)} for table in ("patients", "scored")]
    made.dispose()
    assert count == 2
    assert {name: kinds[1][name] for name in kinds[0]} == kinds[0]


def test_a_run_reads_one_state_of_the_table_and_readers_see_whole_blocks(desk, clinic, monkeypatch):
    fill(clinic, 300)
    monkeypatch.setattr(sql_rows, "ROWS", 50)
    seen = []

    def change(mark, says):
        if mark.rows == 50:
            clinic.execute(
                "UPDATE patients SET age = 64",
                "DELETE FROM patients WHERE id > 250",
                "INSERT INTO patients VALUES (1000, 30, 20.5, 'no', '2021-03-05')",
            )
        if mark.rows:
            seen.append(count_of(clinic))

    mark = desk.predict("sql:patients", "sql:scored", tell=change)
    assert (mark.scored, mark.rejected) == (258, 42)
    assert [row[1] for row in scored(clinic)] == [18 + number % 46 for number in range(300) if number % 7 != 6]
    whole = [sum(number % 7 != 6 for number in range(count)) for count in range(50, 301, 50)]
    assert seen == whole


def test_writers_from_two_machines_end_with_the_same_rows(desk, clinic, monkeypatch):
    """Both put the same keys at the same time, in opposite orders, which the database can only end by refusing one."""
    fill(clinic, 200)
    desk.predict("sql:patients", "sql:scored")
    batches = [desk.open("sql:patients", "sql:scored") for _ in range(2)]
    (rows,) = [block() for block in batches[0].source.read({})]
    encoded = batches[0].output.encode(rows, batches[0].scorer.answer(rows))
    before, failed = scored(clinic), []
    barrier = threading.Barrier(2)

    def write(batch, parameters):
        try:
            with batch.out.grow(0) as growing:
                for _ in range(20):
                    barrier.wait(DEADLINE)
                    growing.append(parameters)
        except TableError as error:
            failed.append(error)
            barrier.abort()

    threads = [threading.Thread(target=write, args=each) for each in zip(batches, (encoded, encoded[::-1]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert not failed and scored(clinic) == before


def test_a_deadlock_is_tried_again(desk, clinic, monkeypatch):
    """A real one: another writer holds the second row and then wants the first, and the database ends ours."""
    fill(clinic, 50)
    desk.predict("sql:patients", "sql:scored")
    monkeypatch.setattr(sql_place, "SECONDS", 0)
    batch = desk.open("sql:patients", "sql:scored")
    (rows,) = [block() for block in batch.source.read({})]
    first, second, *_ = batch.output.encode(rows, batch.scorer.answer(rows))
    made = databases.engine(clinic.url)
    real, tries = sql_place.Growing._put, []

    def put(self, parameters):
        tries.append(1)
        if len(tries) > 1:
            return real(self, parameters)
        with made.connect() as other, self.connection.begin():
            _prefer(other, self.connection)
            other.execute(sqlalchemy.text("UPDATE scored SET warning = 'other' WHERE id = 1"))
            self.connection.execute(self.place.statement, [first])
            wants = threading.Thread(target=_commit, args=(other, "UPDATE scored SET warning = 'other' WHERE id = 0"))
            wants.start()
            _wait_for_a_lock(clinic)
            try:
                self.connection.execute(self.place.statement, [second])
            finally:
                self.connection.rollback()
                wants.join(DEADLINE)

    monkeypatch.setattr(sql_place.Growing, "_put", put)
    with batch.out.grow(0) as growing:
        try:
            growing.append([first, second])
        finally:
            made.dispose()
    assert len(tries) == 2
    assert [row[-1] for row in scored(clinic)[:2]] == ["", ""]


def _prefer(other, ours) -> None:
    """Let a deadlock end ours: PostgreSQL ends the one that looks for it, MariaDB the one that has changed fewer rows."""
    if other.dialect.name == "postgresql":
        other.execute(sqlalchemy.text(f"SET LOCAL deadlock_timeout = '{DEADLINE}s'"))
        ours.execute(sqlalchemy.text("SET LOCAL deadlock_timeout = '10ms'"))
    else:
        other.execute(sqlalchemy.text("UPDATE patients SET age = age + 1"))


def _wait_for_a_lock(clinic) -> None:
    """Return once a writer waits for another."""
    waiting = "pg_locks WHERE NOT granted" if clinic.kind == "postgresql" else WAITING
    deadline = time.monotonic() + DEADLINE
    while clinic.rows(f"SELECT count(*) FROM {waiting}") == [(0,)]:
        assert time.monotonic() < deadline


def _commit(connection, statement: str) -> None:
    try:
        connection.execute(sqlalchemy.text(statement))
        connection.commit()
    except sqlalchemy.exc.DBAPIError:  # this one was preferred
        connection.rollback()


def test_faults_are_one_line_without_the_password(desk, clinic, run, monkeypatch):
    fill(clinic, 10)
    reader = "CREATE USER reader{} {} 'pass/w:rd@2'"
    if clinic.kind == "postgresql":
        clinic.execute(reader.format("", "PASSWORD"), "GRANT SELECT ON patients TO reader")
    else:
        clinic.execute(reader.format("@'%'", "IDENTIFIED BY"), f"GRANT SELECT ON {clinic.name}.patients TO reader@'%'")
    allowed = clinic.url_of("pass/w:rd@2").replace(databases.USER, "reader")
    wrong = clinic.url_of("pass/w:rd@3")
    try:
        for url, says in ((allowed, "right to it"), (wrong, "refuses the user or the password")):
            monkeypatch.setenv("DATABASE_URL", url)
            code, out, err = run("predict", "sql:patients", "-o", "sql:scored")
            assert code == 4 and says in err and err.count("\n") == 1, err
            assert "pass/" not in out + err and "pass%2F" not in out + err
    finally:
        if clinic.kind == "postgresql":
            clinic.execute("DROP OWNED BY reader", "DROP USER reader")
        else:
            clinic.execute("DROP USER reader@'%'")
    assert count_of(clinic) == -1


def test_parquet_to_a_table_and_back(desk, clinic):
    typed = {
        "id": pyarrow.array(["a", "A", "a "]),
        "age": pyarrow.array([19, 20, 21], pyarrow.int16()),
        "bmi": pyarrow.array([27.9, 30.1, None]),
        "smoker": pyarrow.array(["yes", "no", "no"]).dictionary_encode(),
        "joined": pyarrow.array([date(2020, 1, 1)] * 3),
        "price": pyarrow.array([Decimal("12345678901234567.89"), None, Decimal("0.10")], pyarrow.decimal128(20, 2)),
        "seen": pyarrow.array(
            [datetime(2026, 10, 25, 0, 30, 0, 123456), None, None], pyarrow.timestamp("us", "Europe/Berlin")
        ),
        "flag": pyarrow.array([True, None, False]),
        "raw": pyarrow.array([b"\0\xff", None, b""]),
        "note": pyarrow.array(["é 😀 " + "x" * 100_000, "", None]),
        "huge": pyarrow.array([2**64 - 1, 0, None], pyarrow.uint64()),
    }
    parquet.write_table(pyarrow.table(typed), desk.folder / "in.parquet")
    path = desk.folder / "slipway.yaml"
    path.write_text(path.read_text() + "id: id\n")
    for _ in range(2):
        assert desk.predict("in.parquet", "sql:scored").scored == 3
    found = {row[0]: row for row in clinic.rows("SELECT id, price, flag, raw, note, huge FROM scored")}
    assert found == {
        "a": ("a", Decimal("12345678901234567.89"), True, b"\0\xff", "é 😀 " + "x" * 100_000, 2**64 - 1),
        "A": ("A", None, None, None, "", 0),
        "a ": ("a ", Decimal("0.10"), False, b"", None, None),
    }
    seen = clinic.rows("SELECT seen FROM scored WHERE id = 'a'")[0][0]
    assert seen.astimezone(UTC).replace(tzinfo=None) if seen.tzinfo else seen == datetime(2026, 10, 25, 0, 30, 0, 123456)


KEYS = {
    "postgresql": [
        ("id varchar(2)", "has keys of more than 2 letters"),
        ("id text COLLATE loose", "has the collation loose"),
        ("id varchar(9)", ""),
    ],
    "mariadb": [
        ("id varchar(50)", "has the collation utf8mb4_general_ci"),
        ("id varchar(50) COLLATE utf8mb4_bin", "has the collation utf8mb4_bin"),
        ("id varchar(50) COLLATE utf8mb4_nopad_bin", ""),
    ],
}


def test_no_two_keys_of_a_file_become_one(desk, clinic):
    """In a table with a collation that takes them for the same, or that cuts off the space at the end."""
    typed = {
        "id": ["ab", "AB", "ab "],
        "age": [19, 20, 21],
        "bmi": [27.9, 30.1, float("nan")],
        "smoker": ["no"] * 3,
        "joined": [date(2020, 1, 1)] * 3,
    }
    parquet.write_table(pyarrow.table(typed), desk.folder / "in.parquet")
    path = desk.folder / "slipway.yaml"
    path.write_text(path.read_text() + "id: id\n")
    answers = "age bigint, bmi double precision, smoker text, joined date, prediction double precision, warning text"
    if clinic.kind == "postgresql":
        loose = "provider = icu, locale = 'und-u-ks-level2', deterministic = false"
        clinic.execute(f"CREATE COLLATION loose ({loose})")
    for column, says in KEYS[clinic.kind]:
        charset = " CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci" if clinic.kind == "mariadb" else ""
        clinic.execute("DROP TABLE IF EXISTS scored", f"CREATE TABLE scored ({column} PRIMARY KEY, {answers}){charset}")
        if says:
            with pytest.raises(TableError, match=says):
                desk.predict("in.parquet", "sql:scored")
            assert count_of(clinic) == 0
        else:
            assert desk.predict("in.parquet", "sql:scored").scored == count_of(clinic) == 3


@pytest.mark.parametrize("clinic", ["mariadb"], indirect=True)
@pytest.mark.parametrize("kind", ["table", "view", "query"])
def test_no_two_keys_of_a_table_become_one(desk, clinic, kind):
    clinic.execute(
        PATIENTS.replace("id INT", "id VARCHAR(9) COLLATE utf8mb4_bin") + " CHARACTER SET utf8mb4",
        "INSERT INTO patients VALUES ('a', 30, 20.5, 'no', '2021-03-05'), ('A', 30, 20.5, 'no', '2021-03-05')",
        "CREATE VIEW seen AS SELECT * FROM patients",
    )
    path = desk.folder / "slipway.yaml"
    path.write_text(path.read_text() + "id: id\nsql: {query: select * from patients}\n")
    location = {"table": "sql:patients", "view": "sql:seen", "query": "sql:"}[kind]
    for _ in range(2):
        assert desk.predict(location, "sql:scored").scored == count_of(clinic) == 2
    clinic.execute("DELETE FROM scored", "ALTER TABLE scored CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci")
    with pytest.raises(TableError, match="column 'id' has the collation utf8mb4_general_ci"):
        desk.predict(location, "sql:scored")


def test_a_query_keeps_its_types(desk, clinic):
    fill(clinic, 3)
    path = desk.folder / "slipway.yaml"
    query = "select p.*, '5%:x' as odd, cast(1.50 as decimal(5, 2)) as price from patients p where id < 2 -- two"
    path.write_text(path.read_text() + f'sql: {{query: "{query}", key: [id]}}\n')
    for _ in range(2):
        assert desk.predict("sql:", "sql:scored").scored == 2
    assert clinic.rows("SELECT odd, price FROM scored") == [("5%:x", Decimal("1.50"))] * 2
