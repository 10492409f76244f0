"""A MongoDB collection as a table: over TCP, from a server in a process of its own."""

import gc
from datetime import datetime

import pytest
from bson import Decimal128, Int64, ObjectId
from pymongo import MongoClient

from mongo import collection, own_mongo
from slipway.errors import TableError
from slipway.sections import Collection
from slipway.sources import mongodb_query
from slipway.sources.batches import one_table
from slipway.sources.mongodb import open_collection

PATIENTS = [
    {"_id": 3, "age": 19, "body": {"bmi": 27.9, "height": 1.7}, "smoker": "yes", "joined": datetime(2020, 1, 2)},
    {"_id": 1, "age": Int64(62), "body": {"bmi": Decimal128("26.29")}, "smoker": "no"},
    {"_id": 2, "age": None, "smoker": "no", "joined": datetime(2021, 5, 6, 7, 8)},
]


@pytest.fixture
def rows(mongo_rows):
    return mongo_rows


def settings(rows, fields: dict | None = None, where: dict | None = None) -> Collection:
    return Collection(database=rows.database.name, collection=rows.name, filter=where or {}, fields=fields or {})


def read(rows, fields=None, where=None, columns=None) -> dict[str, list]:
    batches = open_collection(settings(rows, fields, where), columns)
    return one_table(list(batches.read()), batches.names, "rows").to_pydict()


def refused(rows, **more) -> str:
    with pytest.raises(TableError) as caught:
        read(rows, **more)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_columns_are_named_with_dotted_paths(rows):
    rows.insert_many(PATIENTS)
    fields = {"years": "age", "bmi": "body.bmi", "smoker": "smoker", "joined": "joined", "key": "_id"}
    found = read(rows, fields)
    assert [None if each is None else each.isoformat() for each in found.pop("joined")] == [
        "2020-01-02T00:00:00+00:00",
        None,
        "2021-05-06T07:08:00+00:00",
    ]
    assert found == {"years": [19, 62, None], "bmi": [27.9, 26.29, None], "smoker": ["yes", "no", "no"], "key": [3, 1, 2]}


def test_without_fields_the_columns_are_the_fields_of_the_top_but_the_id(rows):
    rows.insert_many([{"b": 1, "a": ObjectId("6b015a03a8fc8d87b3f676e4")}, {"c": True, "b": 2.5}])
    assert read(rows) == {"b": [1.0, 2.5], "a": ["6b015a03a8fc8d87b3f676e4", None], "c": [None, True]}


def test_only_the_columns_asked_for_leave_the_server(rows):
    rows.insert_many(PATIENTS)
    assert read(rows, columns=["smoker", "age", "nowhere"]) == {"age": [19, 62, None], "smoker": ["yes", "no", "no"]}
    assert read(rows, columns=["body.bmi", "_id"]) == {"_id": [3, 1, 2], "body.bmi": [27.9, 26.29, None]}
    assert read(rows, {"years": "age", "s": "smoker"}, columns=["s"]) == {"s": ["yes", "no", "no"]}
    query = mongodb_query.Query(settings(rows), {"x": "body.bmi", "y": "age", "z": "body"})
    assert query.projection == {"_id": 0, "age": 1, "body": 1}


def test_the_filter_is_the_servers(rows):
    rows.insert_many(PATIENTS)
    assert read(rows, {"age": "age"}, {"joined": {"$lt": datetime(2021, 1, 1)}}) == {"age": [19]}
    assert open_collection(settings(rows, {"age": "age"}, {"age": {"$gt": 1}})).rows == 2


def test_rows_come_as_they_lie_there_and_by_id_when_an_index_of_the_filter_could_change_that(rows):
    rows.insert_many([{"_id": number, "x": number / 7} for number in (5, 3, 9, 1)])
    for _ in range(2):
        assert read(rows) == {"x": [number / 7 for number in (5, 3, 9, 1)]}
    for _ in range(2):
        assert read(rows, where={"x": {"$gt": 0.2}}) == {"x": [number / 7 for number in (3, 5, 9)]}
        rows.create_index({"x": -1})


def test_many_batches_are_one_table_and_can_be_read_again(rows, monkeypatch):
    monkeypatch.setattr(mongodb_query, "FETCHED", 70)
    monkeypatch.setattr(mongodb_query, "DECODED", 30)
    monkeypatch.setattr("slipway.sources.batches.ROWS", 100)
    rows.insert_many([{"x": None if number < 130 else number, "y": number} for number in range(400)])
    batches = open_collection(settings(rows))
    assert (batches.names, batches.rows) == (("x", "y"), 400)
    for _ in range(2):
        parts = list(batches.read())
        assert [part.num_rows for part in parts] == [100, 100, 110, 90]
        assert [number for part in parts for number in part.column("y").to_pylist()] == list(range(400))
        assert [str(part.schema.field("x").type) for part in parts] == ["null", "int64", "int64", "int64"]


def test_a_batch_is_bounded_in_bytes_too(rows, monkeypatch):
    monkeypatch.setattr(mongodb_query, "DECODED", 10)
    monkeypatch.setattr("slipway.sources.batches.SIZE", 20_000)
    rows.insert_many([{"x": "t" * 1000} for _ in range(100)])
    assert [part.num_rows for part in open_collection(settings(rows)).read()] == [20] * 5


def test_a_reader_that_stops_leaves_no_connection(rows, mongo_url, monkeypatch):
    monkeypatch.setattr(mongodb_query, "FETCHED", 10)
    rows.insert_many([{"x": number} for number in range(100)])
    closed = []
    monkeypatch.setattr(MongoClient, "close", lambda self, close=MongoClient.close: (closed.append(self), close(self)))
    reading = open_collection(settings(rows)).read()
    next(reading)
    reading.close()
    assert len(closed) == 1
    batches = open_collection(settings(rows))  # only its names were asked for
    assert batches.names == ("x",)
    del batches
    gc.collect()
    assert len(closed) == 2


def test_a_replica_set_gives_a_snapshot(rows):
    rows.insert_one({"x": 1})
    batches = open_collection(settings(rows))
    assert batches.consistent == ""


def test_without_a_snapshot_the_table_says_so(monkeypatch):
    with own_mongo(replica_set_name=None) as server, collection(server.url, [{"x": 1}]) as rows:
        monkeypatch.setenv("MONGO_DB_URL", server.url)
        batches = open_collection(settings(rows))
        place = f"{rows.database.name}.rows"
        assert batches.consistent.startswith(f"The server gives no snapshot of {place}, as only a replica set does")
        assert read(rows) == {"x": [1]}


def test_mixed_types_name_the_field_both_types_and_the_first_document(rows):
    rows.insert_many([{"_id": number, "age": number, "in": {"x": 1}} for number in range(2_500)])
    rows.insert_many([{"_id": 7_000, "age": 5}, {"_id": 7_001, "age": "old"}, {"_id": 7_002, "age": "young"}])
    says = f"{rows.database.name}.rows: field age: in the document with _id 7001 the type is string, and int in documents "
    assert refused(rows, fields={"years": "age"}).startswith(says)
    assert refused(rows, columns=["age"]).startswith(says)
    says = "field in: in the document with _id 0 the type is object. Name the columns to read in mongodb.fields"
    assert says in refused(rows)


def test_a_field_that_first_appears_late_is_not_left_out_silently(rows, monkeypatch):
    monkeypatch.setattr(mongodb_query, "DECODED", 10)
    rows.insert_many([{"_id": number, "x": 1} for number in range(25)] + [{"_id": 25, "y": 1}])
    assert "field y: in the document with _id 25 it first appears, too late to become a column" in refused(rows)
    assert read(rows, columns=["x", "y"]) == {"x": [1] * 25 + [None], "y": [None] * 25 + [1]}


def test_a_field_that_no_document_has(rows):
    rows.insert_many(PATIENTS)
    says = f"MONGO_DB_URL: no document of {rows.database.name}.rows has the field body.bmj of column 'x'."
    assert refused(rows, fields={"x": "body.bmj"}) == f"{says} Did you mean body.bmi?"
    assert "has none of the fields that are asked for" in refused(rows, columns=["nowhere"])


def test_a_field_that_the_first_documents_lack_is_found(rows, monkeypatch):
    monkeypatch.setattr(mongodb_query, "DECODED", 10)
    rows.insert_many([{"_id": number, "x": 1} for number in range(25)] + [{"_id": 25, "z": {"y": 1}}])
    assert read(rows, {"y": "z.y"})["y"][-1] == 1


def test_nothing_there_is_told_apart(rows, mongo_url):
    name = rows.database.name
    rows.insert_one({"x": 1})
    rows.database.create_collection("empty")
    assert refused(rows, where={"x": 2}) == f"MONGO_DB_URL: {name}.rows has no document that mongodb.filter takes"
    assert "has no documents. Fill it with: slipway load TABLE.csv mongodb:empty" in refused(rows.database["empty"])
    assert refused(rows.database["row"]) == f"MONGO_DB_URL: the database {name} has no collection row. Did you mean rows?"
    with MongoClient(mongo_url) as client:
        assert f"the server has no database {name}x. Did you mean {name}?" in refused(client[f"{name}x"]["rows"])


@pytest.mark.parametrize(
    "where, says",
    [
        ({"$nothing": 1}, "the server refuses for"),
        ({"x": {1, 2}}, "mongodb.filter: MongoDB has no such value"),
    ],
)
def test_a_filter_that_is_none(rows, where, says):
    rows.insert_one({"x": 1})
    assert says in refused(rows, where=where)
