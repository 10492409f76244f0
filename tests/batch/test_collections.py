"""From a MongoDB collection to another, or to a file."""

import json
from datetime import datetime

import pytest
from bson import Binary, Decimal128, Int64, MaxKey, MinKey, ObjectId, Timestamp

from slipway.batch import collection as documents
from slipway.batch import run
from slipway.errors import ProblemError, TableError


@pytest.fixture
def rows(mongo_rows, desk):
    """A collection of patients, which the problem knows by its database."""
    path = desk.folder / "slipway.yaml"
    fields = "{age: age, bmi: body.bmi, smoker: smoker, joined: joined}"
    path.write_text(path.read_text() + f"mongodb: {{database: {mongo_rows.database.name}, fields: {fields}}}\n")
    return mongo_rows


def patients(count: int) -> list[dict]:
    return [
        {
            "_id": number,
            "age": "old" if number % 7 == 6 else 18 + number % 46,
            "body": {"bmi": 20.5 + number % 30},
            "smoker": "no",
            "joined": "2021-03-05",
            "more": [number],
        }
        for number in range(count)
    ]


def test_documents_keep_their_fields_and_get_the_answer(desk, rows):
    rows.insert_many(
        [
            {"_id": "a", "age": 19, "body": {"bmi": 27.9}, "smoker": "yes", "joined": "2020-01-01", "more": {"x": [1]}},
            {"_id": "b", "age": 19, "smoker": "maybe", "joined": "2020-01-01"},
            {"_id": "c", "age": [19], "smoker": "yes", "joined": "2020-01-01"},
        ]
    )
    mark = desk.predict("mongodb:rows", "mongodb:scored")
    assert (mark.scored, mark.rejected) == (1, 2)
    assert list(rows.database["scored"].find()) == [rows.find_one("a") | {"prediction": 29589.0, "warning": ""}]
    rejects = desk.rows("scored.rejects.csv")
    assert [(row["source"], row["row"]) for row in rejects] == [("mongodb:rows/b", "2"), ("mongodb:rows/c", "3")]
    assert rejects[0]["reason"] == 'smoker: expected one of "no", "yes"'
    assert desk.files() == {"scored.rejects.csv"}


def test_documents_get_the_ends_of_an_interval(desk, rows):
    rows.insert_one({"_id": "a", "age": 19, "body": {"bmi": 27.9}, "smoker": "yes", "joined": "2020-01-01"})
    desk.predict("mongodb:rows", "mongodb:scored", level=0.9)
    (found,) = rows.database["scored"].find()
    assert list(found)[-4:] == ["prediction", "low", "high", "warning"] and found["low"] < 29589.0 < found["high"]


def test_an_array_where_an_object_should_be_is_no_missing_cell(desk, rows):
    good = {"age": 19, "smoker": "yes", "joined": "2020-01-01"}
    rows.insert_many([good | {"body": {"bmi": 30}}, good | {"body": [{"bmi": 30}]}])
    desk.predict("mongodb:rows", "mongodb:scored")
    (rejected,) = desk.rows("scored.rejects.csv")
    assert rejected["reason"] == "bmi: is a list; expected a number from 0 to 90.3, or null"


def test_a_second_run_doubles_nothing(desk, rows):
    rows.insert_many(patients(50))
    for _ in range(2):
        assert desk.predict("mongodb:rows", "mongodb:scored").scored == 43
        assert rows.database["scored"].count_documents({}) == 43


def broken_off(desk, rows, monkeypatch) -> list:
    """A run that ended at its seventh block; the rows of each, to which those of later runs are added."""
    rows.insert_many(patients(100))
    monkeypatch.setattr(documents, "DOCUMENTS", 10)
    monkeypatch.setattr(run, "cores", lambda: 1)
    answer, seen = run._answer, []

    def breaking(batch, block):
        done = answer(batch, block)
        seen.append(done.scored + done.rejected)
        if len(seen) == 7:
            raise TableError("the machine is gone")
        return done

    monkeypatch.setattr(run, "_answer", breaking)
    with pytest.raises(TableError, match="the machine is gone"):
        desk.predict("mongodb:rows", "mongodb:scored")
    seen[:] = [0] * 100
    return seen


def test_a_run_that_broke_off_is_resumed_behind_its_last_document_and_reads_none_before_it(desk, rows, monkeypatch):
    seen = broken_off(desk, rows, monkeypatch)
    rows.delete_one({"_id": 59})  # the last one that was answered
    read, parts = [], documents.Documents._rows

    def reading(part, found, *rest):
        read.extend(document["_id"] for document in found)
        return parts(part, found, *rest)

    monkeypatch.setattr(documents.Documents, "_rows", reading)
    mark = desk.predict("mongodb:rows", "mongodb:scored")
    assert (mark.scored, mark.rejected) == (86, 14)
    assert sorted(read) == list(range(60, 100)) and sum(seen) == 40
    assert [each["_id"] for each in rows.database["scored"].find(sort=[("_id", 1)])] == [n for n in range(100) if n % 7 != 6]
    assert [row["row"] for row in desk.rows("scored.rejects.csv")] == [str(n + 1) for n in range(6, 100, 7)]


IDS = [
    None,
    3,
    Int64(2**60),
    2.5,
    Decimal128("7.5"),
    "text",
    "$name",
    {"a": 1, "b": "x"},
    {"a": 2},
    Binary(b"x", 4),
    ObjectId(),
    False,
    True,
    datetime(2020, 1, 1),
    datetime(1969, 12, 31),
    Timestamp(1, 2),
    MinKey(),
    MaxKey(),
]


def test_reading_goes_on_behind_an_id_of_any_type(desk, rows, monkeypatch):
    monkeypatch.setattr(documents, "DOCUMENTS", 1)
    rows.insert_many({"_id": each, "age": 20, "body": {"bmi": 30}, "smoker": "no", "joined": "2021-03-05"} for each in IDS)
    source = desk.open("mongodb:rows", "mongodb:scored").source
    whole = [block() for block in source.read({})]
    assert len(whole) == len(IDS)
    for number, block in enumerate(whole, 1):
        position = json.loads(json.dumps(block.position))
        assert [each().originals for each in source.read(position)] == [each.originals for each in whole[number:]]


def test_a_run_from_a_collection_to_a_file_promises_nothing_and_starts_over(desk, rows, monkeypatch):
    rows.insert_many(each | {"age": 20} for each in patients(10))
    answer = run._answer
    told = []
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr("slipway.batch.typed.ROWS", 2)
        patch.setattr(run, "SECONDS", 0)
        patch.setattr(run, "cores", lambda: 1)
        patch.setattr(run, "_answer", lambda batch, block: answer(batch, block) if not told else 1 / 0)
        desk.predict("mongodb:rows", tell=lambda mark, says: told.append(says))
    assert not any(told)
    assert desk.predict("mongodb:rows", tell=lambda mark, says: told.append(says)).scored == 10
    assert not any(told)


def test_strict_puts_nothing_into_the_collection(desk, rows, monkeypatch):
    monkeypatch.setattr(documents, "DOCUMENTS", 2)
    rows.insert_many(patients(10))
    with pytest.raises(TableError, match="mongodb:rows/6, row 7: age: is text"):
        desk.predict("mongodb:rows", "mongodb:scored", strict=True)
    assert rows.database["scored"].count_documents({}) == 0
    assert desk.files() == set()


def test_a_collection_to_a_file(desk, rows):
    rows.insert_many(each | {"age": 20} for each in patients(5))
    assert desk.predict("mongodb:rows").scored == 5
    assert list(desk.rows()[0]) == ["_id", "age", "bmi", "smoker", "joined", "prediction", "warning"]
    assert [row["_id"] for row in desk.rows()] == list("01234")


@pytest.mark.parametrize(
    "location, out, says",
    [
        ("mongodb:rows", "mongodb:rows", "OUT would overwrite IN"),
        ("mongodb:", "mongodb:scored", "names no collection"),
        ("in.csv", "mongodb:scored", "only a collection is answered to a collection"),
        ("mongodb:none", "mongodb:scored", "none"),
        ("mongodb:rows", "mongodb:a$b", "must not contain '$'"),
    ],
)
def test_collections_that_cannot_be(desk, rows, location, out, says):
    rows.insert_many(patients(2))
    desk.write("age,bmi,smoker,joined\n1,2,3,4\n")
    with pytest.raises(TableError) as caught:
        desk.predict(location, out)
    assert says in str(caught.value)
    assert rows.database["scored"].count_documents({}) == 0


def test_a_field_that_some_document_has_already_is_kept_and_the_answer_gets_another_name(desk, rows):
    rows.insert_many(patients(5))
    rows.update_one({"_id": 3}, {"$set": {"prediction": "kept", "prediction_": 1}})
    for _ in range(2):
        desk.predict("mongodb:rows", "mongodb:scored")
    found = list(rows.database["scored"].find(sort=[("_id", 1)]))
    assert all("prediction__" in each for each in found)
    assert [each.get("prediction") for each in found] == [None, None, None, "kept", None]


def test_a_field_that_a_document_gets_meanwhile_is_not_overwritten(desk, rows):
    rows.insert_many(patients(2))
    batch = desk.open("mongodb:rows", "mongodb:scored")
    rows.update_one({"_id": 1}, {"$set": {"prediction": "new"}})
    with pytest.raises(TableError, match="a document got a field 'prediction' while it was read. Run it again"):
        run.run(batch, lambda mark, says: None)
    desk.predict("mongodb:rows", "mongodb:scored")
    assert rows.database["scored"].find_one({"_id": 1})["prediction"] == "new"


def test_without_a_server_it_is_said(desk, rows, monkeypatch):
    monkeypatch.delenv("MONGO_DB_URL")
    with pytest.raises(ProblemError, match="MONGO_DB_URL is not set"):
        desk.predict("mongodb:rows", "mongodb:scored")
