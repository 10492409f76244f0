"""slipway load, as a person calls it."""

import os
import signal
import subprocess
import sys
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from unittest.mock import patch

import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

import slipway
from mongo import PASSWORD, USER, own_mongo
from slipway.sections import Collection
from slipway.sources import mongodb_server
from slipway.sources.batches import frame_of
from slipway.sources.mongodb import open_collection
from slipway.sources.source import open_location

TABLE = "zip,age,bmi,joined,smoker\n007,19,27.9,2020-01-02,yes\n08,62,26,,no\n08,62,26,,no\n1,NA,33.5,2021-05-06,no\n"


@pytest.fixture
def rows(mongo_rows, tmp_path, monkeypatch):
    """An empty collection, and a folder with a table whose problem knows the database."""
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text(TABLE)
    name = mongo_rows.database.name
    Path("slipway.yaml").write_text(f"name: t\nsource: table.csv\ntarget: bmi\nmongodb: {{database: {name}}}\n")
    return mongo_rows


def told(rows, new=0, changed=0, same=0) -> str:
    place = f"{rows.database.name}.{rows.name}"
    number = new + changed + same
    all_rows = f"{number:,} row{'s' if number != 1 else ''}"
    return f"{all_rows} loaded into {place}: {new:,} new, {changed:,} changed, {same:,} as they were.\n"


def documents(rows) -> list[dict]:
    return sorted(({**each, "_id": None} for each in rows.find()), key=str)


def test_a_table_becomes_typed_documents_and_a_second_run_changes_nothing(rows, run, mongo_url):
    url = f"{mongo_url.rstrip('/')}/{rows.database.name}/rows"
    assert run("load", "table.csv", url) == (0, told(rows, new=4), "Loading: 100%, 4 of 4 rows\n")
    first = list(rows.find())
    assert documents(rows) == [
        {"_id": None, "zip": "007", "age": 19, "bmi": 27.9, "joined": datetime(2020, 1, 2), "smoker": "yes"},
        {"_id": None, "zip": "08", "age": 62, "bmi": 26.0, "joined": None, "smoker": "no"},
        {"_id": None, "zip": "08", "age": 62, "bmi": 26.0, "joined": None, "smoker": "no"},
        {"_id": None, "zip": "1", "age": None, "bmi": 33.5, "joined": datetime(2021, 5, 6), "smoker": "no"},
    ]
    assert run("load", "table.csv", url)[1] == told(rows, same=4)
    assert run("load", "table.csv", "mongodb:rows")[1] == told(rows, same=4)
    assert list(rows.find()) == first


def test_what_is_csv_is_told_by_the_files_and_not_by_the_glob(rows, run):
    Path("parts").mkdir()
    Path("table.csv").rename("parts/table.csv")
    assert run("load", "parts/*", "mongodb:rows")[1] == told(rows, new=4)
    assert {type(each["bmi"]) for each in rows.find()} == {float}


def test_the_id_of_a_row_is_the_same_everywhere_and_forever(rows, run):
    run("load", "table.csv", "mongodb:rows")
    found = {str(each["_id"]): each["zip"] for each in rows.find()}
    assert found == {
        "3692687c3ffd06a090ed8016": "007",
        "10dcd8b7106b6f31addc4d7e": "08",
        "d4ba52c8cc6fb8d923726e13": "08",
        "e87e920beccd8707da1565d6": "1",
    }


def test_rows_that_are_added_later_are_added_and_the_others_get_the_new_types(rows, run):
    run("load", "table.csv", "mongodb:rows")
    Path("table.csv").write_text(TABLE + "9,unknown age,1,,no\n")
    assert run("load", "table.csv", "mongodb:rows")[1] == told(rows, new=1, changed=4)
    assert sorted(each["age"] for each in rows.find()) == ["19", "62", "62", "NA", "unknown age"]


def test_columns_that_name_a_row(rows, run):
    Path("table.csv").write_text("key,part,x\na,1,5\na,2,6\nb,1,7\n")
    assert run("load", "table.csv", "mongodb:rows", "--id", "key", "--id", "part")[1] == told(rows, new=3)
    assert rows.find_one({"x": 6}) == {"_id": {"key": "a", "part": 2}, "key": "a", "part": 2, "x": 6}
    Path("table.csv").write_text("key,part,x\na,1,5\na,2,60\nb,1,7\nb,2,8\n")
    assert run("load", "table.csv", "mongodb:rows", "--id", "key", "--id", "part")[1] == told(rows, new=1, changed=1, same=2)
    assert sorted(each["x"] for each in rows.find()) == [5, 7, 8, 60]


KEYED = ["--id", "key", "--id", "part"]


@pytest.mark.parametrize(
    "first, then",
    [
        (["--id", "key"], []),
        ([], ["--id", "key"]),
        (["--id", "key"], ["--id", "x"]),
        (["--id", "key"], KEYED),
        ([], KEYED),
        (KEYED, ["--id", "part", "--id", "key"]),
    ],
    ids=["with, without", "without, with", "another", "one more", "without, several", "another order"],
)
def test_a_second_run_with_other_ids_doubles_nothing(rows, run, first, then):
    Path("table.csv").write_text("key,part,x\na,1,5\nb,2,6\n")
    assert run("load", "table.csv", "mongodb:rows", *first)[1] == told(rows, new=2)
    before = list(rows.find())
    code, out, err = run("load", "table.csv", "mongodb:rows", *then)
    assert (code, out) == (4, "") and list(rows.find()) == before
    assert any(f"{rows.full_name}: has a document with _id {each['_id']!r}, which" in err for each in before)
    assert err.count("\n") == 1
    assert "Use the --id columns of the first load, in their order" in err
    assert run("load", "table.csv", "mongodb:rows", *first)[1] == told(rows, same=2)


def test_what_a_training_reads_is_the_same_as_from_the_file(rows, run):
    run("load", "table.csv", "mongodb:rows", "--id", "zip")[1]
    Path("table.csv").write_text(TABLE.replace("08,62,26,,no\n", "", 1))
    run("load", "table.csv", "mongodb:rows", "--id", "zip")
    got = frame_of(open_collection(Collection(database=rows.database.name, collection="rows")), "rows")
    from slipway.table.identity import row_keys

    read = frame_of(open_location("table.csv", Path()), "table")
    assert row_keys(got, got.columns, {}) == row_keys(read, got.columns, {})


def test_parquet_keeps_its_types(rows, run):
    frame = pd.DataFrame(
        {
            "whole": [1, 2],
            "text": ["1", "2"],
            "yes": [True, None],
            "at": pd.to_datetime(["2020-01-02T03:04:05.678901", None]),
            "level": pd.Categorical(["a", "b"]),
        }
    )
    frame.to_parquet("table.parquet")
    assert run("load", "table.parquet", "mongodb:rows")[0] == 0
    assert rows.find_one({"whole": 1}, {"_id": 0}) == {
        "whole": 1,
        "text": "1",
        "yes": True,
        "at": datetime(2020, 1, 2, 3, 4, 5, 678_000),
        "level": "a",
    }
    frame.assign(parts=[[1], [2]]).to_parquet("table.parquet")
    code, _, err = run("load", "table.parquet", "mongodb:rows")
    assert code == 4 and "column 'parts': is list<" in err and rows.count_documents({}) == 2


def test_numbers_of_32_bits_are_the_decimals_that_they_stand_for(rows, run):
    parquet.write_table(pa.table({"x": pa.array([0.1, None, 2.5], pa.float32())}), "table.parquet")
    assert run("load", "table.parquet", "mongodb:rows")[0] == 0
    assert [each["x"] for each in rows.find(sort=[("x", 1)])] == [None, 0.1, 2.5]


# The command itself, which dies when the server has got half of the second thousand of documents.
DIES = """
import os, signal, sys
from pymongo.collection import Collection
from slipway.cli import main
whole, left = Collection.insert_many, [2]
def insert(self, documents, **how):
    left[0] -= 1
    if not left[0]:
        whole(self, documents[:500], **how)
        os.kill(os.getpid(), signal.SIGKILL)
    return whole(self, documents, **how)
Collection.insert_many = insert
sys.argv[0] = "slipway"
main()
"""


def test_a_run_that_is_killed_is_finished_by_the_next(rows, run):
    Path("table.csv").write_text("x,y\n" + "".join(f"{number % 9000},a\n" for number in range(10_000)))
    environ = os.environ | {"PYTHONPATH": str(Path(slipway.__file__).parent.parent)}
    command = [sys.executable, "-c", DIES, "load", "table.csv", "mongodb:rows"]
    killed = subprocess.run(command, env=environ, capture_output=True, text=True)
    assert (killed.returncode, killed.stderr) == (-signal.SIGKILL, "Loading: 10%, 1,000 of 10,000 rows\n")
    assert rows.count_documents({}) == 1_500
    assert run("load", "table.csv", "mongodb:rows")[:2] == (0, told(rows, new=8_500, same=1_500))
    assert sorted(each["x"] for each in rows.find()) == sorted(number % 9000 for number in range(10_000))


@pytest.mark.parametrize(
    "table, arguments, says",
    [
        ("a.b,c\n1,2\n", [], "column 'a.b': is no name of a field"),
        ("$a,c\n1,2\n", [], "column '$a': is no name of a field"),
        ("_id,c\n1,2\n", [], "the table has a column _id, which is what names a document in MongoDB. Load it with --id _id"),
        ("a,c\n1,2\n", ["--id", "b"], "--id: the table has no column 'b'. It has a, c"),
        ("a,c\n1,2\n,3\n", ["--id", "a"], "row 2: has no id (a)"),
        ("a,c\n1,2\n2,3\n1,4\n", ["--id", "a"], "rows 1 and 3 have the same id (a: 1)"),
        ("a,c\n1,2\n 1,3\n", ["--id", "a"], "rows 1 and 2 have the same id (a: 1)"),
        ("a,c\n1,2\n1.0,3\n2.5,4\n", ["--id", "a"], "rows 1 and 2 have the same id (a: 1.0)"),
        ("a,c\n2020-01-01,2\n2020-01-01T01:00+01:00,3\n", ["--id", "a"], "rows 1 and 2 have the same id (a: 2020-01-01 "),
        ("a,c\n", [], "rows"),
    ],
)
def test_a_table_that_cannot_be_documents_writes_nothing(rows, run, table, arguments, says):
    Path("table.csv").write_text(table)
    code, out, err = run("load", "table.csv", "mongodb:rows", *arguments)
    assert (code, out) == (4, "") and says in err and err.count("\n") == 1
    assert rows.count_documents({}) == 0


def test_texts_that_look_like_one_number_are_ids_of_their_own(rows, run):
    Path("table.csv").write_text("a,c\n1,2\n1.0,3\nx,4\n")
    assert run("load", "table.csv", "mongodb:rows", "--id", "a")[1] == told(rows, new=3)
    assert sorted(each["_id"] for each in rows.find()) == ["1", "1.0", "x"]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([1, 2**63], pa.uint64()),
        pa.array([0, 5_000_000], pa.date32()),
        pa.array([0, 1 << 50], pa.timestamp("ms")),
        pa.array([1, Decimal("1" * 36)], pa.decimal128(38, 0)),
    ],
    ids=["whole", "day", "moment", "decimal"],
)
def test_cells_that_mongodb_cannot_have(rows, run, column):
    parquet.write_table(pa.table({"a": column}), "table.parquet", row_group_size=1)
    code, out, err = run("load", "table.parquet", "mongodb:rows")
    assert (code, out) == (4, "") and "column 'a': has a cell of" in err and "that MongoDB cannot have" in err
    assert err.count("\n") == 1 and rows.count_documents({}) == 0


def test_a_table_with_an_id_of_its_own(rows, run):
    Path("table.csv").write_text("_id,c\nb,2\na,1\n")
    assert run("load", "table.csv", "mongodb:rows", "--id", "_id")[1] == told(rows, new=2)
    assert sorted(rows.find(), key=str) == [{"_id": "a", "c": 1}, {"_id": "b", "c": 2}]


@pytest.mark.parametrize(
    "target, code, says",
    [
        ("postgres://u:hunter2@h/db/c", 3, "not a MongoDB collection. Use mongodb://HOST/DATABASE/COLLECTION"),
        ("mongodb://u:hunter2@h/db", 3, "the target: not a valid URL of a MongoDB collection"),
        ("mongodb://u:hun/ter2@h/db/c", 3, "the target: not a valid URL of a MongoDB collection"),
        ("mongodb://u:hunter2/x@h/c", 3, "the target: not a valid URL of a MongoDB collection"),
        ("mongodb://u:hunter2/db/c", 3, "the target: not a valid URL of a MongoDB collection"),
        ("u:hunter2@h/db/c", 3, "the target: not a MongoDB collection"),
        ("mongodb:u:hunter2@h/db/c", 3, "the target: not a MongoDB collection"),
        ("mongodb", 3, "the target: not a MongoDB collection. Use mongodb://HOST/DATABASE/COLLECTION, or mongodb:"),
        ("mongodb:", 3, "the target: not a MongoDB collection"),
        ("mongodbrows", 3, "the target: not a MongoDB collection"),
        ("mongodb:///db/c", 3, "the target: not a valid URL of a MongoDB collection"),
        ("mongodb://u:hunter2@127.0.0.1:1/db/c", 4, "127.0.0.1:1: no MongoDB server answers"),
        ("mongodb://[::1]:1,127.0.0.1:1/db/c?replicaSet=r", 4, "[::1]:1,127.0.0.1:1: no MongoDB server answers"),
    ],
)
def test_a_target_that_is_none(rows, run, target, code, says):
    with patch.dict(mongodb_server.TIMES, serverSelectionTimeoutMS=100):
        got, out, err = run("load", "table.csv", target)
    assert (got, out) == (code, "") and says in err.splitlines()[-1]
    assert "hunter2" not in err and rows.database.list_collection_names() == []


def test_a_password_in_the_command_is_warned_of(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("table.csv").write_text(TABLE)
    with own_mongo(require_auth=True) as server:
        address = server.url.removeprefix("mongodb://").rstrip("/")
        password = PASSWORD.replace("/", "%2F").replace(":", "%3A").replace("@", "%40")
        code, out, err = run("load", "table.csv", f"mongodb://{USER}:{password}@{address}/a/rows?authSource=admin")
        assert code == 0 and out.startswith("4 rows loaded into a.rows: 4 new")
        assert err.startswith("Note: ps and the shell history show the password in this command.")
        code, _, err = run("load", "table.csv", f"mongodb://{USER}:hunter2@{address}/a/rows?authSource=admin")
        assert code == 4 and f"{address}: the server refuses the user or the password" in err and "hunter2" not in err


def test_the_connection_is_lost_in_the_middle(rows, run):
    admin = rows.database.client.admin
    data = {"failCommands": ["insert"], "closeConnection": True}
    admin.command({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": data})
    try:
        code, out, err = run("load", "table.csv", "mongodb:rows")
    finally:
        admin.command({"configureFailPoint": "failCommand", "mode": "off"})
    assert (code, out) == (4, "") and "MONGO_DB_URL: the connection was lost while" in err and "was written" in err
