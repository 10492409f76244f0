"""From a MongoDB collection to another, or to a file."""

import pytest

from mongo import collection, serve_mongo
from slipway.batch import collection as documents
from slipway.batch import run
from slipway.errors import ProblemError, TableError


@pytest.fixture(scope="module")
def server():
    with serve_mongo() as url:
        yield url


@pytest.fixture
def rows(server, desk, monkeypatch):
    """A collection of patients, which the problem knows by its database."""
    with collection(server) as made:
        monkeypatch.setenv("MONGO_DB_URL", server)
        path = desk.folder / "slipway.yaml"
        fields = "{age: age, bmi: body.bmi, smoker: smoker, joined: joined}"
        path.write_text(path.read_text() + f"mongodb: {{database: {made.database.name}, fields: {fields}}}\n")
        yield made


def patients(count: int) -> list[dict]:
    return [
        {
            "_id": number, "age": "old" if number % 7 == 6 else 18 + number % 46, "body": {"bmi": 20.5 + number % 30},
            "smoker": "no", "joined": "2021-03-05", "more": [number],
        }
        for number in range(count)
    ]


def test_documents_keep_their_fields_and_get_the_answer(desk, rows):
    rows.insert_many([
        {"_id": "a", "age": 19, "body": {"bmi": 27.9}, "smoker": "yes", "joined": "2020-01-01", "more": {"x": [1]}},
        {"_id": "b", "age": 19, "smoker": "maybe", "joined": "2020-01-01"},
        {"_id": "c", "age": [19], "smoker": "yes", "joined": "2020-01-01"},
    ])
    mark = desk.predict("mongodb:rows", "mongodb:scored")
    assert (mark.scored, mark.rejected) == (1, 2)
    assert list(rows.database["scored"].find()) == [rows.find_one("a") | {"prediction": 29589.0, "warning": ""}]
    rejects = desk.rows("scored.rejects.csv")
    assert [(row["source"], row["row"]) for row in rejects] == [("mongodb:rows/b", "2"), ("mongodb:rows/c", "3")]
    assert rejects[0]["reason"] == 'smoker: expected one of "no", "yes"'
    assert desk.files() == {"scored.rejects.csv"}


def test_an_array_where_an_object_should_be_is_no_missing_cell(desk, rows):
    good = {"age": 19, "smoker": "yes", "joined": "2020-01-01"}
    rows.insert_many([good | {"body": {"bmi": 30}}, good | {"body": [{"bmi": 30}]}])
    desk.predict("mongodb:rows", "mongodb:scored")
    (rejected,) = desk.rows("scored.rejects.csv")
    assert rejected["reason"] == "bmi: is a text; expected a number from 15.96 to 53.13"


def test_a_second_run_doubles_nothing(desk, rows):
    rows.insert_many(patients(50))
    for _ in range(2):
        assert desk.predict("mongodb:rows", "mongodb:scored").scored == 43
        assert rows.database["scored"].count_documents({}) == 43


def broken_off(desk, rows, monkeypatch) -> list:
    """A run that ended at its seventh block; the rows of each, to which those of later runs are added."""
    rows.insert_many(patients(100))
    monkeypatch.setattr(documents, "DOCUMENTS", 10)
    monkeypatch.setattr(run, "BLOCKS", 2)
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


def test_a_run_that_broke_off_begins_anew_when_its_last_document_is_gone(desk, rows, monkeypatch):
    broken_off(desk, rows, monkeypatch)
    rows.delete_many({"_id": {"$gt": 20, "$lt": 90}})
    told = []
    mark = desk.predict("mongodb:rows", "mongodb:scored", tell=lambda mark, says: told.append(says) if says else None)
    assert "the document with which it ended is gone: this one begins anew." in told[-1]
    assert (mark.scored, mark.rejected) == (26, 5)
    assert [row["row"] for row in desk.rows("scored.rejects.csv")] == ["7", "14", "21", "22", "29"]


def test_a_run_that_broke_off_is_gone_on_with_behind_its_last_document(desk, rows, monkeypatch):
    seen = broken_off(desk, rows, monkeypatch)
    mark = desk.predict("mongodb:rows", "mongodb:scored")
    assert (mark.scored, mark.rejected) == (86, 14)
    assert 0 < sum(seen) < 80
    assert [each["_id"] for each in rows.database["scored"].find(sort=[("_id", 1)])] == [n for n in range(100) if n % 7 != 6]
    assert [row["row"] for row in desk.rows("scored.rejects.csv")] == [str(n + 1) for n in range(6, 100, 7)]


def test_strict_puts_nothing_into_the_collection(desk, rows, monkeypatch):
    monkeypatch.setattr(documents, "DOCUMENTS", 2)
    rows.insert_many(patients(10))
    with pytest.raises(TableError, match="mongodb:rows/6, row 7: age: is a text"):
        desk.predict("mongodb:rows", "mongodb:scored", strict=True)
    assert rows.database["scored"].count_documents({}) == 0
    assert desk.files() == set()


def test_a_collection_to_a_file(desk, rows):
    rows.insert_many(each | {"age": 20} for each in patients(5))
    assert desk.predict("mongodb:rows").scored == 5
    assert list(desk.rows()[0]) == ["_id", "age", "bmi", "smoker", "joined", "prediction", "warning"]
    assert [row["_id"] for row in desk.rows()] == list("01234")


@pytest.mark.parametrize("location, out, says", [
    ("mongodb:rows", "mongodb:rows", "OUT is also what IN names"), ("mongodb:", "mongodb:scored", "names no collection"),
    ("in.csv", "mongodb:scored", "only a collection is answered to a collection"),
    ("mongodb:none", "mongodb:scored", "none"), ("mongodb:rows", "mongodb:a$b", "must not contain '$'"),
])
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
