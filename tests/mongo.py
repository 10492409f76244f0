"""A real MongoDB server (SecantusDB) in a process of its own: python mongo.py FOLDER OPTIONS serves until it is killed."""

import json
import os
import secrets
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from unittest.mock import patch

import pytest
from pymongo import MongoClient
from pymongo.collection import Collection

# The URL of another server, to run the tests of the source against that one
OTHER = "SLIPWAY_TEST_MONGO_URL"
USER, PASSWORD = "somebody", "pass/w:rd@1"


@dataclass(frozen=True)
class Server:
    """A server process that a test may stop or end by a signal."""

    url: str
    process: subprocess.Popen


@contextmanager
def own_mongo(**options) -> Iterator[Server]:
    """A server of one's own; `options` are those of SecantusDBServer, such as ``replica_set_name=None``."""
    if sys.version_info >= (3, 14):
        pytest.skip("SecantusDB has no wheel for this Python: MongoDB is tested on the others")
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, __file__, folder, json.dumps(options)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            yield Server(process.stdout.readline().strip(), process)
        finally:
            process.kill()
            process.communicate()


@contextmanager
def serve_mongo() -> Iterator[str]:
    """The URL of a server, an empty one unless SLIPWAY_TEST_MONGO_URL has another."""
    if os.environ.get(OTHER):
        yield os.environ[OTHER]
        return
    with own_mongo() as server:
        yield server.url


@contextmanager
def patient() -> Iterator[None]:
    """Give a server of a machine with much else to do longer than production's to answer before it counts as gone."""
    from slipway.sources import mongodb_query, mongodb_server

    times = {"serverSelectionTimeoutMS": 20_000, "connectTimeoutMS": 60_000}
    with patch.dict(mongodb_server.TIMES, times), patch.object(mongodb_query, "PATIENCE", 60_000):
        yield


@contextmanager
def collection(url: str, documents: Sequence[dict] = ()) -> Iterator[Collection]:
    """A collection with these documents, in a database of its own that is dropped at the end."""
    name = f"test_{secrets.token_hex(6)}"
    with patient(), MongoClient(url, serverSelectionTimeoutMS=60_000) as client:
        made = client[name]["rows"]
        if documents:
            made.insert_many(documents)
        try:
            yield made
        finally:
            client.drop_database(name)


def _serve(folder: str, options: dict) -> None:
    from secantus import SecantusDBServer

    if options.get("require_auth"):  # a user can only be made while none is asked for
        first = SecantusDBServer(storage_path=folder)
        first.start()
        with MongoClient(first.uri) as client:
            client["admin"].command("createUser", USER, pwd=PASSWORD, roles=["root"])
        first.stop()
    server = SecantusDBServer(storage_path=folder, **options)
    server.start()
    print(server.uri, flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    _serve(sys.argv[1], json.loads(sys.argv[2]))
