"""From a table of a database to another, to and from files, with SQLite, which needs no server."""

import json
import sqlite3
from datetime import UTC, date, datetime, time
from decimal import Decimal
from uuid import UUID

import pyarrow
import pyarrow.parquet as parquet
import pytest
import sqlalchemy
from sqlalchemy.dialects import mysql, postgresql

from slipway.batch import run, sql_cells, sql_collation, sql_columns, sql_key, sql_rows
from slipway.errors import ProblemError, TableError

PATIENTS = "create table patients (id integer primary key, age, bmi double, smoker text, joined date, note text)"
GOOD = (19, 27.9, "yes", "2020-01-01")


class Store:
    """A file of SQLite that the problem's variable names."""

    def __init__(self, path):
        self.connection = sqlite3.connect(path, isolation_level=None)

    def __call__(self, statement: str, *values) -> list[tuple]:
        return self.connection.execute(statement, values).fetchall()

    def fill(self, count: int, every: int = 7, table: str = "patients") -> None:
        """Patients, of whom each seventh cannot be answered."""
        rows = [
            (number, 18 + number % 46, 20.5, "maybe" if number % every == every - 1 else "no", "2021-03-05", f"n{number}")
            for number in range(count)
        ]
        self.connection.executemany(f"insert into {table} values (?, ?, ?, ?, ?, ?)", rows)


@pytest.fixture
def store(desk, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", f"sqlite:///{desk.folder / 'clinic.db'}")
    made = Store(desk.folder / "clinic.db")
    made(PATIENTS)
    yield made
    made.connection.close()


def settings(desk, text: str) -> None:
    """Add to slipway.yaml."""
    path = desk.folder / "slipway.yaml"
    path.write_text(path.read_text() + text)


def test_rows_keep_their_cells_and_get_the_answer(desk, store):
    store("insert into patients values (1, ?, ?, ?, ?, 'it''s')", *GOOD)
    store("insert into patients values (2, 19, null, 'maybe', '2020-01-01', null)")
    mark = desk.predict("sql:patients", "sql:scored")
    assert (mark.scored, mark.rejected) == (1, 1)
    assert store("select * from scored") == [(1, *GOOD, "it's", 29589.0, "")]
    (rejected,) = desk.rows("scored.rejects.csv")
    assert rejected == {"source": "sql:patients/2", "row": "2", "reason": 'smoker: expected one of "no", "yes"'}
    assert desk.files() == {"clinic.db", "scored.rejects.csv"}


def test_the_answers_are_those_of_the_same_rows_in_a_file(desk, store):
    store.fill(100)
    desk.predict("sql:patients", "sql:scored")
    desk.predict("sql:patients", "out.csv")
    found = [str(value) for (value,) in store("select prediction from scored order by id")]
    assert found == [row["prediction"] for row in desk.rows()] and len(found) == 86


@pytest.mark.parametrize(
    "task, names",
    [("binary", ["probability_N", "probability_Y"]), ("multiclass", [f"probability_{label}" for label in "abc"])],
)
def test_labels_are_text_and_their_probabilities_columns(desk, store, task, names):
    desk.bundle(task)
    store.fill(3)
    desk.predict("sql:patients", "sql:scored")
    types = {name: kind for _, name, kind, *_ in store("pragma table_info(scored)")}
    assert list(types)[-len(names) - 2 :] == ["prediction", *names, "warning"]
    assert types["prediction"] == "TEXT" and {types[name] for name in names} == {"DOUBLE"}
    for row in store("select * from scored"):
        assert sum(row[-len(names) - 1 : -1]) == pytest.approx(1)


def test_an_interval_has_columns_too(desk, store):
    store("insert into patients values (1, ?, ?, ?, ?, null)", *GOOD)
    desk.predict("sql:patients", "sql:scored", level=0.9)
    ((low, found, high),) = store("select low, prediction, high from scored")
    assert low < found == 29589.0 < high


def test_out_has_the_types_of_in_and_its_key(desk, store):
    store.fill(1)
    desk.predict("sql:patients", "sql:scored")
    described = [(name, kind, key) for _, name, kind, _, _, key in store("pragma table_info(scored)")]
    assert described[:6] == [
        ("id", "INTEGER", 1),
        ("age", "BLOB", 0),
        ("bmi", "DOUBLE", 0),
        ("smoker", "TEXT", 0),
        ("joined", "DATE", 0),
        ("note", "TEXT", 0),
    ]


CELLS = [
    "",
    "it's",
    'a "quote"',
    "nul \0 inside",
    "é 😀 ﷽",
    "x" * 1_000_000,
    "%s %(p0)s :p0 \\ ; --",
    None,
    7,
    2.5,
    b"\0\xff",
    -(2**63),
]


def test_every_cell_survives(desk, store):
    store("alter table patients add column anything")
    for number, cell in enumerate(CELLS):
        store("insert into patients values (?, ?, ?, ?, ?, ?, ?)", number, *GOOD, None, cell)
    desk.predict("sql:patients", "sql:scored")
    assert [(cell, kind) for cell, kind in store("select anything, typeof(anything) from scored order by id")] == [
        (cell, kind) for cell, kind in store("select anything, typeof(anything) from patients order by id")
    ]


def test_names_that_need_quotes(desk, store):
    store('create table "my table" ("a ""b"" %s :x (1)" integer primary key, age, bmi, smoker, joined, "select" text)')
    store('insert into "my table" values (1, ?, ?, ?, ?, 2)', *GOOD)
    desk.predict("sql:my table", "sql:out %s")
    assert store('select * from "out %s"') == [(1, *GOOD, "2", 29589.0, "")]


def test_columns_that_are_taken_keep_their_name_whatever_their_case(desk, store):
    store("alter table patients add column Prediction text")
    store("alter table patients add column warning text")
    store("insert into patients values (1, ?, ?, ?, ?, null, 'kept', 'too')", *GOOD)
    desk.predict("sql:patients", "sql:scored")
    assert store("select Prediction, warning, prediction_, warning_ from scored") == [("kept", "too", 29589.0, "")]


def test_labels_that_differ_in_case_are_two_columns():
    assert sql_columns.answer_names(["probability_y", "probability_Y"], ["id"]) == ("probability_y", "probability_Y_")


def test_a_second_run_changes_nothing_and_a_changed_row_is_replaced(desk, store):
    store.fill(50)
    desk.predict("sql:patients", "sql:scored")
    before = store("select * from scored order by id")
    assert desk.predict("sql:patients", "sql:scored").scored == 43
    assert store("select * from scored order by id") == before
    store("update patients set smoker = 'yes' where id = 3")
    desk.predict("sql:patients", "sql:scored")
    after = store("select * from scored order by id")
    assert [row[0] for row, other in zip(before, after) if row != other] == [3] and len(after) == 43


def test_only_the_columns_of_the_answer_are_replaced_in_a_table_that_has_more(desk, store):
    store.fill(2)
    desk.predict("sql:patients", "sql:scored")
    store("alter table scored add column seen text")
    store("update scored set seen = 'yes'")
    desk.predict("sql:patients", "sql:scored")
    assert store("select seen from scored") == [("yes",), ("yes",)]


# where it goes on


def broken_off(desk, monkeypatch, at: int = 4, blocks: int = 10) -> None:
    """A run that ended at one of its blocks."""
    monkeypatch.setattr(sql_rows, "ROWS", blocks)
    monkeypatch.setattr(run, "cores", lambda: 1)
    answer, seen = run._answer, []

    def breaking(batch, block):
        seen.append(1)
        if len(seen) == at:
            raise TableError("the machine is gone")
        return answer(batch, block)

    with monkeypatch.context() as patch:
        patch.setattr(run, "_answer", breaking)
        with pytest.raises(TableError, match="the machine is gone"):
            desk.predict("sql:patients", "sql:scored")


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_a_run_that_broke_off_is_resumed_behind_its_last_key(desk, store, monkeypatch, mode):
    store(f"pragma journal_mode = {mode}")
    store.fill(100)
    broken_off(desk, monkeypatch)
    store("delete from patients where id = 29")  # the last one that was answered
    store("update patients set smoker = 'yes' where id = 0")  # before the mark: the next whole run sees it
    told = []
    mark = desk.predict("sql:patients", "sql:scored", tell=lambda mark, says: told.append(says))
    assert any(says.startswith("Resuming after row") for says in told)
    assert [row[0] for row in store("select id from scored order by id")] == [n for n in range(100) if n % 7 != 6]
    assert store("select smoker from scored where id = 0") == [("no",)]
    assert (mark.scored, mark.rejected) == (86, 14)
    assert len(desk.rows("scored.rejects.csv")) == 14


def test_a_table_that_was_dropped_meanwhile_is_written_anew(desk, store, monkeypatch):
    store.fill(100)
    broken_off(desk, monkeypatch)
    store("drop table scored")
    told = []
    assert desk.predict("sql:patients", "sql:scored", tell=lambda mark, says: told.append(says)).scored == 86
    assert any("starting over" in says for says in told)
    assert store("select count(*) from scored") == [(86,)]


def test_a_column_that_came_meanwhile_begins_the_run_anew(desk, store, monkeypatch):
    store.fill(100)
    broken_off(desk, monkeypatch)
    store("alter table patients add column more text")
    store("alter table scored add column more text")
    told = []
    desk.predict("sql:patients", "sql:scored", tell=lambda mark, says: told.append(says))
    assert any("the table changed" in says for says in told)


def test_a_reader_never_sees_a_part_of_a_block(desk, store, monkeypatch):
    store.fill(60, every=100)
    monkeypatch.setattr(sql_rows, "ROWS", 10)
    seen = []

    def look(mark, says):
        if mark.rows:
            seen.extend(store("select count(*) from scored")[0])

    desk.predict("sql:patients", "sql:scored", tell=look)
    assert set(seen) <= set(range(0, 61, 10)) and seen[-1] == 60


def test_without_a_snapshot_it_is_said_and_with_one_it_is_read(desk, store, monkeypatch):
    """In WAL mode rows that are changed by another connection in the midst of a run are read as they were."""
    store.fill(60, every=100)
    assert "journal mode" in desk.open("sql:patients", "sql:scored").source.note
    store("pragma journal_mode = wal")
    monkeypatch.setattr(sql_rows, "ROWS", 10)
    monkeypatch.setattr(run, "cores", lambda: 1)

    def change(mark, says):
        store("update patients set smoker = 'yes'")

    desk.predict("sql:patients", "sql:scored", tell=change)
    assert store("select distinct smoker from scored") == [("no",)]


@pytest.mark.parametrize("mode", ["delete", "wal"])
def test_long_rows_are_written_in_small_blocks(desk, store, monkeypatch, mode):
    monkeypatch.setattr(sql_rows, "SIZE", 10_000)
    store(f"pragma journal_mode = {mode}")
    for number in range(9):
        store("insert into patients values (?, ?, ?, ?, ?, ?)", number, *GOOD, "x" * 4_000)
    blocks = [block() for block in desk.open("sql:patients", "sql:scored").source.read({})]
    assert [block.count for block in blocks] == [3, 3, 3]


def test_a_run_that_was_killed_at_its_end_is_no_reason_to_pass_over_new_rows(desk, store, monkeypatch):
    store.fill(10)
    with monkeypatch.context() as patch:
        patch.setattr(run, "_finish", lambda batch: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            desk.predict("sql:patients", "sql:scored")
    store("insert into patients values (100, ?, ?, ?, ?, null)", *GOOD)
    assert desk.predict("sql:patients", "sql:scored").scored == 10
    assert len(store("select * from scored")) == 10 and len(desk.rows("scored.rejects.csv")) == 1


# keys


def test_the_key_is_that_of_the_settings_else_the_id_else_the_primary_key(desk, store):
    problem = desk.problem
    names = ["a", "b", "c"]
    assert sql_key.key_of(problem, "t", names, ["c"]) == ("c",)
    settings(desk, "id: [b]\n")
    assert sql_key.key_of(desk.problem, "t", names, ["c"]) == ("b",)
    assert sql_key.key_of(desk.problem, "t", ["a", "c"], ["c"]) == ("c",)
    settings(desk, "sql: {key: [a, b]}\n")
    assert sql_key.key_of(desk.problem, "t", names, ["c"]) == ("a", "b")
    with pytest.raises(TableError, match="sql.key: t has no column 'a'"):
        sql_key.key_of(desk.problem, "t", ["c"], ["c"])


def test_a_key_of_several_columns(desk, store, monkeypatch):
    store("create table visits (ward text collate nocase, day date, age, bmi, smoker, joined)")
    rows = [(ward, f"2026-01-{day:02}", *GOOD) for ward in ("B", "a", "c", "É") for day in range(1, 26)]
    store.connection.executemany("insert into visits values (?, ?, ?, ?, ?, ?)", rows)
    settings(desk, "sql: {key: [ward, day]}\n")
    monkeypatch.setattr(sql_rows, "ROWS", 7)
    mark = desk.predict("sql:visits", "sql:scored")
    assert mark.scored == 100
    assert sorted(store("select ward, day from scored")) == sorted(row[:2] for row in rows)
    source = desk.open("sql:visits", "sql:scored").source
    whole = [block() for block in source.read({})]
    for number, block in enumerate(whole, 1):
        position = json.loads(json.dumps(block.position))
        assert [each().originals for each in source.read(position)] == [each.originals for each in whole[number:]]


VALUES = [
    True,
    -(2**70),
    "é\0'",
    0.1,
    b"\0\xff",
    Decimal("1.500"),
    date(2026, 1, 2),
    datetime(2026, 10, 25, 2, 30, 0, 123456),
    datetime(2026, 10, 25, 2, 30, tzinfo=UTC),
    time(1, 2, 3, 4),
    UUID(int=7),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_key_is_kept_in_the_record_with_its_type(value):
    (again,) = sql_key.key_from_json(json.loads(json.dumps(sql_key.key_to_json([value]))))
    assert (type(again), again) == (type(value), value) and str(again) == str(value)


def test_a_position_needs_no_comparison_of_rows():
    a, b, c = map(sqlalchemy.column, "abc")
    found = str(sql_key.behind([a, b, c], [1, 2, 3]).compile(compile_kwargs={"literal_binds": True}))
    assert found == "a >= 1 AND (a > 1 OR a = 1 AND b > 2 OR a = 1 AND b = 2 AND c > 3)"


def test_a_table_without_rows_is_told_before_out_is_made(desk, store):
    with pytest.raises(TableError, match="sql:patients: has no rows"):
        desk.predict("sql:patients", "sql:scored")
    assert tables(store) == {"patients"}
    with pytest.raises(TableError, match="sql:patients: has no rows"):
        desk.predict("sql:patients", "out.csv")


def test_a_column_that_no_file_has_is_told_with_what_helps(desk, store):
    store("alter table patients add column raw blob")
    store("insert into patients values (1, ?, ?, ?, ?, null, x'00ff')", *GOOD)
    with pytest.raises(TableError, match="column 'raw': .*. Leave it out with sql.query, or write to a table"):
        desk.predict("sql:patients", "out.csv")


@pytest.mark.parametrize(
    "statements, says",
    [
        (["create table rows (id, age, bmi, smoker, joined)"], "has no key by which its answers could be written"),
        (
            [
                "create table rows (id primary key, age, bmi, smoker, joined)",
                "insert into rows values (null, 1, 2, 'no', null)",
            ],
            "1 rows have a NULL in the key (id)",
        ),
    ],
)
def test_tables_without_a_key(desk, store, statements, says):
    for statement in statements:
        store(statement)
    with pytest.raises(TableError) as caught:
        desk.predict("sql:rows", "sql:scored")
    assert says in str(caught.value) and "sql.key" in str(caught.value) or "sql.query" in str(caught.value)
    assert "scored" not in [name for (name,) in store("select name from sqlite_master")]


def test_a_key_that_is_not_unique_is_told_with_its_rows(desk, store):
    store.fill(5)
    store("update patients set note = 'n1' where id = 3")
    settings(desk, "sql: {key: [note]}\n")
    with pytest.raises(TableError, match=r"the key \(note\) is not unique: n1 in 2 rows"):
        desk.predict("sql:patients", "sql:scored")
    assert "scored" not in [name for (name,) in store("select name from sqlite_master")]


@pytest.mark.parametrize(
    "dialect, kind, fits",
    [
        (postgresql.dialect(), postgresql.UUID(), True),
        (postgresql.dialect(), postgresql.ENUM("a", "b", name="x"), True),
        (postgresql.dialect(), postgresql.DOUBLE_PRECISION(), False),
        (postgresql.dialect(), postgresql.JSONB(), False),
        (mysql.dialect(), mysql.ENUM("b", "a"), False),
        (mysql.dialect(), mysql.SET("b", "a"), False),
        (mysql.dialect(), mysql.FLOAT(), False),
        (mysql.dialect(), mysql.BINARY(16), True),
    ],
)
def test_types_by_which_rows_can_be_ordered(dialect, kind, fits):
    columns = [sqlalchemy.Column("k", kind)]
    if fits:
        sql_key.require_order(columns, "t", dialect.name)
    else:
        with pytest.raises(TableError, match="column 'k' of type .* cannot be a key"):
            sql_key.require_order(columns, "t", dialect.name)


# what is refused, before anything is written


def tables(store) -> set[str]:
    return {name for (name,) in store("select name from sqlite_master where type = 'table'")}


@pytest.mark.parametrize(
    "location, out, says",
    [
        ("sql:patients", "sql:patients", "OUT would overwrite IN"),
        ("sql:patients", "sql:main.patients", "OUT would overwrite IN"),
        ("sql:patients", "sql:", "names no table"),
        ("sql:", "sql:scored", "sql: names no table. Write sql:TABLE, or set sql.table or sql.query"),
        ("sql:patiens", "sql:scored", "patiens: there is no such table. Did you mean patients?"),
        ("sql:patiens", "out.csv", "there is no such table. Did you mean patients?"),
        ("sql:other", "sql:scored", "sql:other: has no column 'joined', which the model needs"),
        ("sql:other", "out.csv", "sql:other: has no column 'joined', which the model needs"),
        ("in.csv", "sql:scored", "Write Parquet first, or load the file into the database"),
        ("mongodb:rows", "sql:scored", "only the typed cells of a table of the same database, or of Parquet"),
        ("sql:patients", "mongodb:rows", "only a collection is answered to a collection"),
    ],
)
def test_tables_that_cannot_be(desk, store, location, out, says):
    store("create table other (id integer primary key, age, bmi, smoker)")
    store.fill(3)
    desk.write("age,bmi,smoker,joined\n1,2,3,4\n")
    with pytest.raises(TableError) as caught:
        desk.predict(location, out)
    assert says in str(caught.value)
    assert tables(store) == {"patients", "other"} and desk.files() == {"clinic.db", "in.csv"}


def test_rejects_are_a_file(desk, store):
    store.fill(3)
    with pytest.raises(TableError, match="sql:rejected: is no file"):
        desk.predict("sql:patients", "sql:scored", rejects="sql:rejected")


OUT = "create table scored (id integer primary key, age, bmi double, smoker text, joined date, note text, "


@pytest.mark.parametrize(
    "statement, says",
    [
        (
            OUT.replace("note text, ", "notes text, ") + "prediction double, warning text)",
            "has no column 'note'; did you mean 'notes'?",
        ),
        (OUT + "extra text)", "has no column 'prediction', 'warning'"),
        (
            OUT.replace("joined date", "joined integer") + "prediction double, warning text)",
            "column 'joined' has the type INTEGER",
        ),
        (OUT + "prediction text, warning text)", "column 'prediction' has the type TEXT(), which cannot hold Double"),
        (OUT + "prediction double, warning text, more text not null)", "column 'more' is NOT NULL without a default"),
        (
            OUT + "prediction double generated always as (1) stored, warning text)",
            "column 'prediction' is computed by the database, and cannot be written",
        ),
        (OUT.replace(" primary key", "") + "prediction double, warning text)", "has no primary key or unique index over (id)"),
        (
            OUT.replace(" primary key", "") + "prediction double, warning text, primary key (id, note))",
            "Add a unique index over (id), or write to a new table",
        ),
    ],
)
def test_a_table_that_cannot_take_the_answers_is_told_before_the_first_row(desk, store, statement, says):
    store.fill(3)
    store(statement)
    with pytest.raises(TableError) as caught:
        desk.predict("sql:patients", "sql:scored")
    assert says in str(caught.value)
    assert store("select * from scored") == []


def test_a_unique_index_is_as_good_as_a_primary_key(desk, store):
    store.fill(3)
    store(OUT.replace(" primary key", "") + "prediction double, warning text)")
    store("create unique index one on scored (id)")
    for _ in range(2):
        desk.predict("sql:patients", "sql:scored")
    assert store("select count(*) from scored") == [(3,)]


def test_a_unique_index_of_some_rows_is_none(desk, store):
    store.fill(3)
    store(OUT.replace(" primary key", "") + "prediction double, warning text)")
    store("create unique index one on scored (id) where age > 30")
    with pytest.raises(TableError, match="has no primary key or unique index"):
        desk.predict("sql:patients", "sql:scored")


@pytest.mark.parametrize("location", ["sql:patients", "in.parquet"])
def test_a_table_whose_key_is_compared_more_loosely_than_the_input_is_refused(desk, store, location):
    parquet.write_table(pyarrow.table(TYPED), desk.folder / "in.parquet")
    store("drop table patients")
    store(PATIENTS.replace("id integer", "id text"))
    types = "age blob, bmi double, smoker text, joined date, note text, prediction double, warning text"
    if location == "in.parquet":
        types = types.replace("age blob", "age bigint")
        types += ', price text, seen datetime, plain datetime, at time, flag boolean, raw blob, "nothing" text, huge text'
    store(f"create table scored (id text collate nocase primary key, {types})")
    store("insert into patients values ('a', ?, ?, ?, ?, null), ('A', ?, ?, ?, ?, null)", *GOOD, *GOOD)
    settings(desk, "id: id\n")
    with pytest.raises(TableError, match="column 'id' has the collation nocase, by which two keys of the input could be one"):
        desk.predict(location, "sql:scored")
    store("drop table scored")
    store(f"create table scored (id text collate binary primary key, {types})")
    assert desk.predict(location, "sql:scored").scored == len(store("select id from scored"))


@pytest.mark.parametrize(
    "there, read, fits",
    [
        ("utf8mb4_general_ci", "", False),
        ("utf8mb4_general_ci", "utf8mb4_general_ci", True),
        ("utf8mb4_general_ci", "utf8mb4_bin", False),
        ("utf8mb4_bin", "", False),  # a is the same as a and a space
        ("utf8mb4_bin", "utf8mb4_general_ci", True),
        ("utf8mb4_bin", "utf8mb4_nopad_bin", False),
        ("utf8mb4_bin", "utf8mb4_0900_ai_ci", False),
        ("utf8mb4_nopad_bin", "", True),
        ("utf8mb4_0900_bin", "latin1_swedish_ci", True),
        ("", "utf8mb4_bin", True),
    ],
)
def test_collations_that_tell_the_keys_of_another_apart(there, read, fits):
    tables = [{"k": name} if name else {} for name in (there, read)]
    if fits:
        sql_collation.require_apart(*tables, ["k"], "t")
    else:
        with pytest.raises(TableError, match="two keys of the input could be one. Write to a new table"):
            sql_collation.require_apart(*tables, ["k"], "t")


@pytest.mark.parametrize(
    "there, read, fits",
    [
        (postgresql.VARCHAR(2), postgresql.VARCHAR(9), False),
        (postgresql.VARCHAR(2), postgresql.TEXT(), False),
        (postgresql.VARCHAR(9), postgresql.VARCHAR(9), True),
        (postgresql.TEXT(), postgresql.VARCHAR(9), True),
        (postgresql.VARCHAR(36), postgresql.UUID(), True),
        (postgresql.BIGINT(), postgresql.INTEGER(), True),
    ],
)
def test_a_key_that_could_be_cut_is_refused(there, read, fits):
    table = sqlalchemy.Table("t", sqlalchemy.MetaData(), sqlalchemy.Column("k", there))
    columns = [sqlalchemy.Column("k", read)]
    if fits:
        sql_collation.require_length(table.c, columns, "t")
    else:
        with pytest.raises(TableError, match="column 'k' holds 2 letters, and keys of the input can be longer"):
            sql_collation.require_length(table.c, columns, "t")


@pytest.mark.parametrize(
    "there, wanted, fits",
    [
        (postgresql.NUMERIC(10, 2), postgresql.NUMERIC(10, 2), True),
        (postgresql.NUMERIC(10, 2), postgresql.NUMERIC(10, 3), False),  # it would be rounded
        (postgresql.NUMERIC(10, 2), postgresql.NUMERIC(), False),
        (postgresql.NUMERIC(), postgresql.INTEGER(), True),
        (postgresql.REAL(), postgresql.DOUBLE_PRECISION(), False),
        (postgresql.DOUBLE_PRECISION(), postgresql.REAL(), True),
        (postgresql.TIMESTAMP(), postgresql.TIMESTAMP(timezone=True), False),
        (postgresql.TIMESTAMP(precision=3), postgresql.TIMESTAMP(), False),
        (postgresql.JSONB(), postgresql.ARRAY(postgresql.INTEGER()), False),
        (postgresql.CHAR(4), postgresql.VARCHAR(4), False),
        (mysql.DATETIME(), mysql.DATETIME(fsp=6), False),
        (mysql.DATETIME(fsp=6), mysql.DATETIME(), True),
        (mysql.TIME(), mysql.TIME(fsp=3), False),
        (mysql.TINYINT(1), sqlalchemy.Boolean(), True),
        (mysql.LONGTEXT(), mysql.VARCHAR(9), True),
    ],
)
def test_columns_that_keep_the_values_of_others(there, wanted, fits):
    table = sqlalchemy.Table("t", sqlalchemy.MetaData(), sqlalchemy.Column("a", there))
    columns = [sqlalchemy.Column("a", wanted)]
    if fits:
        sql_columns.require_fit(table, columns, "t")
    else:
        with pytest.raises(TableError, match="t: column 'a' has the type .*, which cannot hold .* unchanged"):
            sql_columns.require_fit(table, columns, "t")


def test_a_name_that_is_too_long_is_told():
    with pytest.raises(TableError, match="the database allows names of 63 bytes"):
        sql_columns.answer_columns(["prediction", "probability_" + "é" * 30, "warning"], True, postgresql.dialect())


def test_a_type_that_nobody_knows_is_told():
    columns = [sqlalchemy.Column("place", sqlalchemy.types.NullType())]
    with pytest.raises(TableError, match="t: column 'place' has a type that Slipway does not know"):
        sql_columns.creatable(columns, "t", "postgresql")


def test_another_unique_index_is_refused_where_rows_would_be_replaced_by_it(desk, store, monkeypatch):
    from slipway.batch import sql_target

    store.fill(3)
    store(OUT + "prediction double, warning text)")
    store("create unique index two on scored (note)")
    desk.predict("sql:patients", "sql:scored")  # SQLite replaces by the key alone
    monkeypatch.setattr(sql_target, "MYSQL", ("sqlite",))
    with pytest.raises(TableError, match=r"another unique index, over \(note\), by which rows could be replaced"):
        desk.predict("sql:patients", "sql:scored")


def test_a_fault_is_one_line_and_exit_code_4(desk, store, run):
    store.fill(3)
    store("create trigger no before insert on patients begin select 1; end")  # only to have another object in the file
    store("create view scored as select * from patients")
    code, _, err = run("predict", "sql:patients", "-o", "sql:scored")
    assert code == 4 and err.count("\n") == 1 and "clinic.db/scored" in err


def test_a_full_disk_ends_it_with_whole_blocks(desk, store, run, monkeypatch):
    store.fill(600, every=1000)
    monkeypatch.setattr(sql_rows, "ROWS", 100)
    (pages,) = store("pragma page_count")[0]

    @sqlalchemy.event.listens_for(sqlalchemy.Engine, "connect")
    def limit(connection, record):
        connection.execute(f"pragma max_page_count = {pages + 6}")

    try:
        code, _, err = run("predict", "sql:patients", "-o", "sql:scored")
    finally:
        sqlalchemy.event.remove(sqlalchemy.Engine, "connect", limit)
    assert code == 4 and "no space left" in err
    assert store("select count(*) % 100, count(*) > 0 from scored") == [(0, 1)]
    assert run("predict", "sql:patients", "-o", "sql:scored").code == 0
    assert store("select count(*) from scored") == [(600,)]


def test_strict_writes_nothing(desk, store, monkeypatch):
    monkeypatch.setattr(sql_rows, "ROWS", 3)
    store.fill(10)
    with pytest.raises(TableError, match="sql:patients/6, row 7: smoker: expected one of"):
        desk.predict("sql:patients", "sql:scored", strict=True)
    assert tables(store) == {"patients"} and desk.files() == {"clinic.db"}


def test_a_second_run_at_the_same_time_is_refused(desk, store, monkeypatch):
    store.fill(30)
    monkeypatch.setattr(sql_rows, "ROWS", 10)
    caught = []

    def again(mark, says):
        if mark.rows and not caught:
            with pytest.raises(TableError) as found:
                desk.predict("sql:patients", "sql:main.scored")
            caught.append(str(found.value))

    desk.predict("sql:patients", "sql:scored", tell=again)
    assert "another run is writing it" in caught[0]


def test_another_writer_is_waited_for_and_given_up_at_last(desk, store, monkeypatch):
    from slipway.batch import sql_place

    store.fill(3)
    desk.predict("sql:patients", "sql:scored")
    monkeypatch.setattr(sql_place, "SECONDS", 0)
    real, tries = sql_place.Growing._put, []

    def put(self, rows):
        tries.append(1)
        self.connection.exec_driver_sql("pragma busy_timeout = 1")
        self.connection.rollback()
        if len(tries) == release:
            store("rollback")
        real(self, rows)

    monkeypatch.setattr(sql_place.Growing, "_put", put)
    for release in (3, 0):
        tries.clear()
        store("begin immediate")
        if release:
            desk.predict("sql:patients", "sql:scored")
            assert len(tries) == 3
        else:
            with pytest.raises(TableError, match="the database gave up waiting"):
                desk.predict("sql:patients", "sql:scored")
            assert len(tries) == sql_place.TRIES
    store("rollback")


def test_without_a_variable_it_is_said(desk, store, monkeypatch):
    monkeypatch.delenv("DATABASE_URL")
    for out in ("sql:scored", "out.csv"):
        with pytest.raises(ProblemError, match="DATABASE_URL is not set"):
            desk.predict("sql:patients", out)


# queries


def test_the_query_of_the_settings(desk, store):
    store.fill(20)
    settings(desk, "sql: {query: \"select *, '5%:x' as odd from patients where id > 9 -- most\", key: [id]}\n")
    assert desk.predict("sql:", "sql:scored").scored == 9
    assert store("select distinct odd from scored") == [("5%:x",)]
    assert desk.predict("sql:", "out.csv").scored == 9


def test_a_query_that_writes_is_refused(desk, store):
    store.fill(2)
    settings(desk, "sql: {query: 'delete from patients returning *', key: [id]}\n")
    for out in ("sql:scored", "out.csv"):
        with pytest.raises(TableError):
            desk.predict("sql:", out)
    assert store("select count(*) from patients") == [(2,)]


# files


def test_a_table_to_a_file_starts_over_each_time(desk, store):
    store.fill(10)
    assert desk.predict("sql:patients", "out.parquet").scored == 9
    assert parquet.read_table(desk.folder / "out.parquet").column_names[-2:] == ["prediction", "warning"]
    assert desk.open("sql:patients", "out.parquet").source.identity is None


CLOCK = datetime(2026, 10, 25, 0, 30, 0, 123456)
TYPED = {
    "id": pyarrow.array(["a", "A", "é"]),
    "age": pyarrow.array([19, 20, 21], pyarrow.int16()),
    "bmi": pyarrow.array([27.9, 30.1, 0.1], pyarrow.float32()),
    "smoker": pyarrow.array(["yes", "no", "no"]).dictionary_encode(),
    "joined": pyarrow.array([date(2020, 1, 1)] * 3),
    "price": pyarrow.array([Decimal("12345678901234567.89"), None, Decimal("0.10")], pyarrow.decimal128(20, 2)),
    "seen": pyarrow.array([CLOCK, None, CLOCK], pyarrow.timestamp("us", "Europe/Berlin")),
    "plain": pyarrow.array([CLOCK] * 3, pyarrow.timestamp("ns")),
    "at": pyarrow.array([time(1, 2, 3, 4)] * 3),
    "flag": pyarrow.array([True, None, False]),
    "raw": pyarrow.array([b"\0\xff", None, b""]),
    "nothing": pyarrow.nulls(3),
    "huge": pyarrow.array([2**64 - 1, 0, None], pyarrow.uint64()),
}


def test_parquet_to_a_table(desk, store):
    parquet.write_table(pyarrow.table(TYPED), desk.folder / "in.parquet")
    settings(desk, "id: id\n")
    for _ in range(2):
        assert desk.predict("in.parquet", "sql:scored").scored == 3
    found = store('select id, price, seen, joined, at, flag, raw, "nothing" from scored order by rowid')
    assert found[0] == (
        "a",
        "12345678901234567.89",
        "2026-10-25 00:30:00.123456",
        "2020-01-01",
        "01:02:03.000004",
        1,
        b"\0\xff",
        None,
    )
    assert [row[0] for row in found] == ["a", "A", "é"]
    assert store("select huge from scored order by rowid") == [(str(2**64 - 1),), ("0",), (None,)]


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"id": ["a", "b", "a"]}, r"the key \(id\) is not unique: a in 2 rows"),
        ({"id": ["a", None, "b"]}, r"rows have a NULL in the key \(id\)"),
        ({"id": [0.0, -0.0, 1.0]}, "column 'id' of type DOUBLE cannot be a key"),
        ({"id": [time(1), time(2), time(3)]}, "column 'id' of type TIME cannot be a key"),
        (
            {"seen": pyarrow.array([2**48, 0, 0], pyarrow.timestamp("s"))},
            "column 'seen' has dates before the year 1 or after 9999",
        ),
        ({"tags": [[1], [2], [3]]}, "column 'tags': unsupported column type list<"),
    ],
)
def test_parquet_that_cannot_be_written(desk, store, changes, says):
    parquet.write_table(pyarrow.table(TYPED | changes), desk.folder / "in.parquet")
    settings(desk, "id: id\n")
    with pytest.raises(TableError, match=says):
        desk.predict("in.parquet", "sql:scored")
    assert "scored" not in tables(store) or store("select * from scored") == []


def test_files_whose_keys_are_of_different_types(desk, store):
    numbers = ([1, 2], pyarrow.int32()), ([3, 4], pyarrow.int64())
    words = [pyarrow.array(some).dictionary_encode() for some in (["a", "b"], ["c", "A"])]
    for place, (values, kind) in enumerate(numbers):
        some = pyarrow.table(TYPED).slice(0, 2)
        some = some.set_column(0, "id", pyarrow.array(values, kind)).append_column("word", words[place])
        parquet.write_table(some, desk.folder / f"in{place}.parquet")
    for key in ("id", "word"):
        settings(desk, f"sql: {{key: [{key}]}}\n" if key == "id" else "")
        (desk.folder / "slipway.yaml").write_text((desk.folder / "slipway.yaml").read_text().replace("[id]", f"[{key}]"))
        assert desk.predict("in*.parquet", f"sql:by_{key}").scored == 4
        assert len(store(f"select * from by_{key}")) == 4


def test_files_without_a_row(desk, store):
    parquet.write_table(pyarrow.table(TYPED).slice(0, 0), desk.folder / "in.parquet")
    settings(desk, "id: id\n")
    with pytest.raises(TableError, match="in.parquet: has columns but no rows"):
        desk.predict("in.parquet", "sql:scored")
    assert tables(store) == {"patients"}


@pytest.mark.parametrize("dialect, kept", [("postgresql", True), ("mysql", False), ("sqlite", False)])
def test_nan_is_null_where_a_database_has_none(dialect, kept):
    for kind in (pyarrow.float16(), pyarrow.float32(), pyarrow.float64()):
        cells = pyarrow.record_batch([pyarrow.array([1.5, float("nan"), None]).cast(kind)], ["a"])
        (first,), (odd,), (nothing,) = sql_cells.python_rows(cells, dialect, "t")
        assert (first, odd is None, nothing) == (1.5, not kept, None)


def test_infinity_is_told_where_a_database_has_none():
    cells = pyarrow.record_batch([pyarrow.array([float("inf")])], ["a"])
    assert sql_cells.python_rows(cells, "sqlite", "t") == [(float("inf"),)]
    with pytest.raises(TableError, match="t: column 'a' has an infinite number, which mariadb does not keep"):
        sql_cells.python_rows(cells, "mariadb", "t")


def test_keys_that_are_too_long_are_told(desk):
    parquet.write_table(pyarrow.table(TYPED), desk.folder / "in.parquet")
    sql_cells.require_key_of_cells("in.parquet", ["id"], {"id": 1})
    parquet.write_table(pyarrow.table(TYPED | {"id": ["a", "b", "é "]}), desk.folder / "in.parquet")
    with pytest.raises(TableError, match="in.parquet: column 'id' has keys of more than 1 letters"):
        sql_cells.require_key_of_cells("in.parquet", ["id"], {"id": 1})


def test_nanoseconds_are_told(desk, store):
    odd = pyarrow.array([1, 2, 3]).cast(pyarrow.timestamp("ns"))
    parquet.write_table(pyarrow.table(TYPED | {"plain": odd}), desk.folder / "in.parquet")
    settings(desk, "id: id\n")
    with pytest.raises(TableError, match="column 'plain' has times with nanoseconds"):
        desk.predict("in.parquet", "sql:scored")
