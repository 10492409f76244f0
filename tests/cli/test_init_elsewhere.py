"""slipway init, from MongoDB and S3."""

from datetime import datetime
from pathlib import Path

import pytest

from mongo import PASSWORD, USER, own_mongo
from slipway.problem import load_problem
from slipway.sources.source import open_source
from tables import charges

PATIENTS = charges(120).astype({"age": int, "charges": float})


@pytest.fixture
def rows(mongo_rows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    mongo_rows.insert_many(PATIENTS.to_dict("records"))
    return mongo_rows


def test_a_collection_on_the_server_of_the_environment(rows, run, monkeypatch):
    monkeypatch.setenv("SLIPWAY_MONGODB_DATABASE", rows.database.name)
    code, out, err = run("init", "mongodb:rows", "--target", "charges")
    assert (code, err) == (0, "") and out.startswith("Read 120 rows: 4 columns to learn charges from (regression).")
    problem = load_problem("slipway.yaml", environ={})
    assert (problem.name, problem.source) == ("rows", ("mongodb",))
    assert (problem.mongodb.url, problem.mongodb.database) == ("MONGO_DB_URL", rows.database.name)
    assert problem.mongodb.fields == {}
    assert set(open_source(problem).names) == set(PATIENTS.columns)


def test_the_server_and_database_of_the_problem_that_is_there(rows, run, mongo_url, monkeypatch):
    monkeypatch.setenv("SHOP_DB", mongo_url)
    monkeypatch.delenv("MONGO_DB_URL")
    section = f"mongodb: {{url: SHOP_DB, database: {rows.database.name}}}\n"
    Path("slipway.yaml").write_text(f"name: t\nsource: t.csv\ntarget: x\n{section}")
    code, out, _ = run("init", "mongodb:rows", "--target", "charges", "--force")
    problem = load_problem("slipway.yaml", environ={})
    assert code == 0 and "MONGO_DB_URL" not in out
    assert (problem.mongodb.url, problem.mongodb.collection) == ("SHOP_DB", "rows")


def test_a_url_with_a_password_reaches_neither_file_nor_message(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MONGO_DB_URL", raising=False)
    password = PASSWORD.replace("/", "%2F").replace(":", "%3A").replace("@", "%40")
    with own_mongo(require_auth=True) as server:
        address = server.url.removeprefix("mongodb://").rstrip("/")
        url = f"mongodb://{USER}:{password}@{address}/shop/patients?authSource=admin"
        Path("table.csv").write_text(PATIENTS.to_csv(index=False))
        assert run("load", "table.csv", url)[0] == 0
        code, out, err = run("init", url, "--target", "charges")
        absent = run("init", url.replace("patients", "patient"), "--target", "charges", "--force")
    assert code == 0 and "Before that, set MONGO_DB_URL to the URL of the server." in out
    text = Path("slipway.yaml").read_text()
    assert "source: mongodb" in text and "database: shop" in text
    assert f"{address}: the database shop has no collection patient. Did you mean patients?" in absent.err
    assert not [said for said in (text, out, err, absent.err) if password in said or PASSWORD in said or USER in said]


def test_fields_that_cannot_be_columns_are_left_out_by_naming_the_others(rows, run):
    rows.update_many({}, {"$set": {"address": {"city": "Berlin"}, "tags": ["a"]}})
    rows.insert_many([{**row, "joined": datetime(2020, 1, 1)} for row in PATIENTS.to_dict("records") * 5])
    rows.insert_one({"late": 1, "charges": 5.0})
    url = f"{rows.database.client.address[0]}:{rows.database.client.address[1]}/{rows.database.name}/rows"
    code, out, err = run("init", f"mongodb://{url}", "--target", "charges")
    assert code == 0, err
    problem = load_problem("slipway.yaml", environ={})
    assert set(problem.mongodb.fields) == {*PATIENTS.columns, "joined"}
    assert "  address: left out: the type is object\n" in out and "  tags: left out: the type is array\n" in out
    text = Path("slipway.yaml").read_text()
    assert "#   tags: the type is array\n" in text and "#   late: it first appears, too late to become a column\n" in text
    assert sum(batch.num_rows for batch in open_source(problem).read()) == 721
    code, _, err = run("init", f"mongodb://{url}", "--target", "tags", "--force")
    assert code == 4 and "field tags: in the document with _id" in err and "the type is array" in err


@pytest.mark.parametrize(
    "table, code, says",
    [
        ("mongodb", 3, "the table: not a MongoDB collection. Use mongodb:"),
        ("mongodb:", 3, "the table: not a MongoDB collection. Use mongodb:"),
        ("mongodb:rows", 3, "mongodb.database is missing. Set it in slipway.yaml or as SLIPWAY_MONGODB_DATABASE, or use "),
        ("mongodb://u:hunter2@h/db", 3, "the table: not a valid URL of a MongoDB collection"),
        ("mongodb://127.0.0.1:1/db/c", 4, "127.0.0.1:1: no MongoDB server answers"),
    ],
)
def test_a_collection_that_is_none(run, tmp_path, monkeypatch, table, code, says):
    monkeypatch.chdir(tmp_path)
    got, out, err = run("init", table, "--target", "y")
    assert (got, out) == (code, "") and err.startswith(f"slipway: {says}") and "hunter2" not in err
    assert list(tmp_path.iterdir()) == []


def test_objects_in_s3(run, bucket, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bucket.put("a.csv", PATIENTS.to_csv(index=False).encode())
    bucket.put("b.csv", PATIENTS.to_csv(index=False).encode())
    code, out, err = run("init", f"{bucket.url}/*.csv", "--target", "charges")
    assert code == 0 and out.startswith("Read 240 rows: 4 columns"), err
    problem = load_problem("slipway.yaml", environ={})
    assert problem.source == (f"{bucket.url}/*.csv",)
    assert sum(batch.num_rows for batch in open_source(problem).read()) == 240
    code, _, err = run("init", f"{bucket.url}/absent.csv", "--target", "charges", "--force")
    assert code == 4 and err.startswith(f"slipway: {bucket.url}/absent.csv: there is no such object")
    code, _, err = run("init", f"{bucket.url}/*.csv", "--target", "charge", "--force")
    assert code == 4 and "Did you mean 'charges'?" in err
