"""What goes wrong between here and a MongoDB server: one clear line, soon, and never the password."""

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from pymongo import MongoClient

from mongo import PASSWORD, USER, collection, own_mongo
from slipway.errors import ProblemError, SlipwayError, TableError
from slipway.sections import Collection
from slipway.sources import mongodb_query
from slipway.sources.mongodb import connect, open_collection


@pytest.fixture(scope="module")
def server():
    with own_mongo() as made:
        yield made


@pytest.fixture
def rows(server, monkeypatch):
    """300 documents, of which 10 come with an answer."""
    monkeypatch.setattr(mongodb_query, "FETCHED", 10)
    monkeypatch.setenv("MONGO_DB_URL", server.url)
    with collection(server.url, [{"x": number} for number in range(300)]) as made:
        yield made


def settings(rows) -> Collection:
    return Collection(database=rows.database.name, collection=rows.name, fields={"x": "x"})


def refused(url: str) -> SlipwayError:
    with pytest.raises(SlipwayError) as caught, connect(url, "MONGO_DB_URL"):
        pass
    assert "\n" not in str(caught.value)
    return caught.value


@contextmanager
def failing(client: MongoClient, **fault) -> Iterator[None]:
    """The server's own fault of the next commands of a kind."""
    client.admin.command({"configureFailPoint": "failCommand", "mode": "alwaysOn", "data": fault})
    try:
        yield
    finally:
        client.admin.command({"configureFailPoint": "failCommand", "mode": "off"})


def test_nobody_listens():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
        error = refused(f"mongodb://{USER}:secret@{address}/")
    assert isinstance(error, TableError)
    assert str(error).startswith(f"MONGO_DB_URL: no MongoDB server answers ({address}: ") and "secret" not in str(error)
    assert str(error).endswith("Is the server running, and may this machine reach it?")


def test_who_listens_is_no_mongodb_server():
    """It takes the connection and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = refused(f"mongodb://127.0.0.1:{silent.getsockname()[1]}/")
    assert "no MongoDB server answers" in str(error)


def test_a_name_that_is_none():
    assert "no MongoDB server answers" in str(refused("mongodb://nowhere.invalid/"))


@pytest.mark.parametrize(
    "url",
    [
        "localhost:27017",
        "http://localhost/",
        "mongodb://",
        "mongodb:///db",
        "mongodb://u:hunter2@host:port/",
        "mongodb://u:hunter2/x@host/",
        "mongodb://hunter2:1/x@host/",
        "mongodb://u:hun:ter2@host/",
        "mongodb://u:hunter2?x@host/",
        "mongodb://u:hunter2%@host/",
        "mongodb://u:hunter2@[::1/",
        "mongodb+srv://u:hunter2@a,b/",
    ],
)
def test_what_is_no_url_is_not_repeated(url):
    error = refused(url)
    assert isinstance(error, ProblemError)
    assert str(error).startswith("MONGO_DB_URL: is no URL of a MongoDB server. Expected mongodb://user:password@host:port/")
    assert "hunter2" not in str(error) and error.__cause__ is None


def test_the_variable_is_not_set(monkeypatch):
    monkeypatch.delenv("MONGO_DB_URL", raising=False)
    with pytest.raises(ProblemError, match="the environment variable MONGO_DB_URL is not set. Set it to the URL"):
        open_collection(Collection(database="a", collection="b"))


def test_a_wrong_password(monkeypatch):
    with own_mongo(require_auth=True) as server:
        address = server.url.removeprefix("mongodb://").rstrip("/")
        right = f"mongodb://{USER}:{PASSWORD.replace('/', '%2F').replace(':', '%3A').replace('@', '%40')}@{address}/"
        with collection(right, [{"x": 1}]) as rows:
            monkeypatch.setenv("MONGO_DB_URL", right)
            assert open_collection(settings(rows)).names == ("x",)
            for wrong in (f"mongodb://{USER}:hunter2@{address}/", f"mongodb://nobody:hunter2@{address}/"):
                error = refused(wrong)
                assert str(error).startswith("MONGO_DB_URL: the server refuses the user or the password. If they are right, ")
                assert "hunter2" not in str(error)
            monkeypatch.setenv("MONGO_DB_URL", server.url)
            with pytest.raises(TableError, match="MONGO_DB_URL: the user has no right to test_.*rows"):
                open_collection(settings(rows))


@pytest.mark.parametrize(
    "fault, says",
    [
        ({"closeConnection": True}, r"MONGO_DB_URL: the connection was lost while test_\w+.rows was read"),
        ({"errorCode": 43}, "the server closed the cursor before the end"),
        ({"errorCode": 239}, "reading took longer than the server keeps a snapshot"),
        ({"errorCode": 13}, "the user has no right to test_"),
        ({"errorCode": 96}, "the server refuses for test_"),
    ],
)
def test_what_breaks_off_in_the_middle_is_no_shorter_table(rows, fault, says):
    reading = open_collection(settings(rows)).read()
    with (
        failing(rows.database.client, failCommands=["getMore"], **fault),
        pytest.raises(TableError, match=says) as caught,
    ):
        list(reading)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fault", [{"closeConnection": True}, {"errorCode": 2}])
def test_what_breaks_off_at_the_start(rows, fault):
    with failing(rows.database.client, failCommands=["find"], **fault), pytest.raises(TableError):
        open_collection(settings(rows))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_server_that_dies_or_falls_silent_in_the_middle(monkeypatch, number):
    """An answer may take any time, but a server that says nothing at all is noticed."""
    monkeypatch.setattr(mongodb_query, "FETCHED", 10)
    monkeypatch.setattr("slipway.sources.batches.ROWS", 10)
    with own_mongo() as server:
        with MongoClient(server.url) as client:
            client["a"]["rows"].insert_many([{"x": number} for number in range(300)])
        monkeypatch.setenv("MONGO_DB_URL", server.url)
        reading = open_collection(Collection(database="a", collection="rows", fields={"x": "x"})).read()
        assert next(reading).num_rows == 10
        os.kill(server.process.pid, number)
        with pytest.raises(TableError, match="MONGO_DB_URL: the connection was lost while a.rows was read"):
            list(reading)
