"""From a table of a database to another, with SQLite, which needs no server."""

import json
import sqlite3
from decimal import Decimal

import pyarrow
import pyarrow.parquet as parquet
import pytest

from slipway.batch import run, sql_rows
from slipway.errors import TableError

PATIENTS = "create table patients (id integer primary key, age, bmi double, smoker text, joined date, note text)"
GOOD = (19, 27.9, "yes", "2020-01-01")


class Store:
    """A file of SQLite that the problem's variable names."""

    def __init__(self, path):
        self.connection = sqlite3.connect(path, isolation_level=None)

    def __call__(self, statement: str, *values) -> list[tuple]:
        return self.connection.execute(statement, values).fetchall()

    def fill(self, count: int, every: int = 7) -> None:
        """Patients, of whom each seventh cannot be answered."""
        rows = [
            (number, "old" if number % every == every - 1 else 18 + number % 46, 20.5, "no", "2021-03-05", f"n{number}")
            for number in range(count)
        ]
        self.connection.executemany("insert into patients values (?, ?, ?, ?, ?, ?)", rows)


@pytest.fixture
def store(desk, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{desk.folder / 'clinic.db'}")
    made = Store(desk.folder / "clinic.db")
    made(PATIENTS)
    yield made
    made.connection.close()


def test_rows_keep_their_cells_and_get_the_answer(desk, store):
    store("insert into patients values (1, ?, ?, ?, ?, 'it''s')", *GOOD)
    store("insert into patients values (2, 19, null, 'maybe', '2020-01-01', null)")
    mark = desk.predict("sql:patients", "sql:scored")
    assert (mark.scored, mark.rejected) == (1, 1)
    assert store("select * from scored") == [(1, *GOOD, "it's", 29589.0, "")]
    (rejected,) = desk.rows("scored.rejects.csv")
    assert rejected == {"source": "sql:patients/2", "row": "2", "reason": 'smoker: expected one of "no", "yes"'}
    assert desk.files() == {"clinic.db", "scored.rejects.csv"}
