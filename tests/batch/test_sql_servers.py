"""From table to table of real PostgreSQL and MariaDB servers, which are killed, and whose clients are."""

import os
import subprocess
import sys
import threading
import time

import pyarrow
import pyarrow.parquet as parquet
import pytest
import sqlalchemy

import databases
from databases import PASSWORD
from servers import DEADLINE, ROOT
from slipway.batch import run, sql_place, sql_rows
from slipway.errors import ProblemError, TableError

pytestmark = pytest.mark.database
KINDS = ("postgres", "mariadb")
PATIENTS = "CREATE TABLE patients (id INT PRIMARY KEY, age INT, bmi DOUBLE PRECISION, smoker VARCHAR(9), joined DATE)"
ROWS = 3_000
# the command itself, with smaller blocks, so that a small table has many marks
PROGRAM = """
import sys
from slipway.batch import run, sql_rows
sql_rows.ROWS, run.SECONDS, run.SHARE = 50, 0, float("inf")
from slipway.cli import main
sys.argv = ["slipway", "predict", *sys.argv[1:]]
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


def start(desk, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=desk.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        text=True,
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
    for count in (200, 1200):
        process = start(desk, "sql:patients", "-o", "sql:scored")
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
