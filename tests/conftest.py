"""An app with a small bundle behind it, and a client of it."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from unittest.mock import patch

import hypothesis
import pytest
from flask import Flask
from flask.testing import FlaskClient

import wheels
from bundles import make_bundle
from slipway.problem import load_problem
from slipway.serving.factory import build
from slipway.store.local import LocalStore

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from clusters import Cluster
    from databases import Database

# No test is timed, and none meets other examples on another day; apps and folders may be shared by the examples of a test.
UNTIMED = [hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.function_scoped_fixture]
hypothesis.settings.register_profile(
    "repeatable", hypothesis.settings(deadline=None, derandomize=True, suppress_health_check=UNTIMED)
)
hypothesis.settings.load_profile("repeatable")

ASKED = ("SLIPWAY_BROWSER", "SLIPWAY_E2E", "SLIPWAY_ENGINES")  # what .ci/run asks of the tests themselves


@pytest.fixture(autouse=True)
def own_environment() -> Iterator[None]:
    """No setting of the shell reaches a test, and what a test sets in the environment ends with it."""
    with patch.dict(os.environ):
        for name in [name for name in os.environ if name.startswith(("SLIPWAY_", "MLFLOW_")) and name not in ASKED]:
            del os.environ[name]
        yield


class Client(FlaskClient):
    """A client that reads an answer to its end and closes it, as a real one does."""

    def open(self, *args, buffered: bool = True, **kwargs):
        return super().open(*args, buffered=buffered, **kwargs)


def make_app(
    folder: Path, task: str = "regression", serving: str = "", environ: dict[str, str] | None = None, **changes
) -> Flask:
    """The app of a test bundle; `serving` is that section of slipway.yaml, `changes` are the bundle's."""
    make_bundle(LocalStore(folder / "artifacts"), task, **changes)
    path = folder / "slipway.yaml"
    path.write_text(f"name: {task}\nsource: table.csv\ntarget: charges\nserving: {{{serving}}}\n")
    app = build(load_problem(path, environ={}), environ or {})
    app.test_client_class = Client
    return app


@pytest.fixture
def serve(tmp_path: Path) -> Callable[..., Flask]:
    """Make an app of one's own wishes."""
    return partial(make_app, tmp_path)


@pytest.fixture
def app(serve) -> Flask:
    return serve()


@pytest.fixture
def client(app) -> FlaskClient:
    return app.test_client()


class Result(NamedTuple):
    """What a call of ``slipway`` ended with."""

    code: int
    out: str
    err: str


@pytest.fixture
def run(monkeypatch, capsys) -> Callable[..., Result]:
    """Call ``slipway`` as its entry point does."""
    from slipway.cli import main

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["slipway", *map(str, arguments)])
        capsys.readouterr()
        try:
            code = main()
        except SystemExit as end:
            code = end.code
        return Result(code or 0, *capsys.readouterr())

    return call


@pytest.fixture(scope="session")
def s3_server() -> Iterator[str]:
    """An S3 server that tests share, each with a bucket of its own."""
    from s3 import serve_s3

    with serve_s3() as url:
        yield url


@pytest.fixture
def bucket(s3_server, monkeypatch):
    """A bucket of one's own; what fails is tried again at once."""
    from s3 import bucket

    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    with bucket(s3_server) as made:
        yield made


@pytest.fixture(scope="session")
def mongo_url() -> Iterator[str]:
    """A MongoDB server that tests share, each with a database of its own."""
    from mongo import serve_mongo

    with serve_mongo() as url:
        yield url


@pytest.fixture
def mongo_rows(mongo_url, monkeypatch):
    """An empty collection named rows, on the server that MONGO_DB_URL names."""
    from mongo import collection

    monkeypatch.setenv("MONGO_DB_URL", mongo_url)
    with collection(mongo_url) as made:
        yield made


def absent(what: str, asked: str = "SLIPWAY_ENGINES") -> None:
    """End a test that needs what this machine has not: it is skipped, unless the variable `asked` is ``required``."""
    if os.environ.get(asked) == "required":
        pytest.fail(f"needs {what}")
    pytest.skip(f"needs {what}")


@pytest.fixture(scope="session")
def postgres() -> Iterator["Database"]:
    """A PostgreSQL server that tests share; `databases.fresh` makes a database of one's own in it."""
    import databases

    if not databases.postgres_programs():
        absent("PostgreSQL")
    with databases.serve_postgres() as made:
        yield made


@pytest.fixture(scope="session")
def mariadb() -> Iterator["Database"]:
    """A MariaDB server that tests share; `databases.fresh` makes a database of one's own in it."""
    import databases

    if not databases.mariadb_programs():
        absent("MariaDB")
    with databases.serve_mariadb() as made:
        yield made


@pytest.fixture(scope="session")
def cluster(tmp_path_factory) -> Iterator["Cluster"]:
    """A Spark cluster of a master and two workers that tests share."""
    if not (find_spec("pyspark") and shutil.which("java")):
        absent("pyspark and Java")
    from clusters import serve_cluster

    with serve_cluster(tmp_path_factory.mktemp("spark")) as made:
        yield made


@pytest.fixture(scope="session")
def spark(cluster) -> Iterator["SparkSession"]:
    """The session on that cluster."""
    from slipway.sources.spark_session import session

    made = session(cluster.url, spark__ui__liveUpdate__period="0")  # the status tracker knows each task from its start
    yield made
    made.stop()


@pytest.fixture(scope="session")
def built(tmp_path_factory) -> Path:
    """The wheel of this checkout."""
    return wheels.build(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def site(tmp_path_factory, built) -> Path:
    """A folder that the wheel is installed in."""
    target = tmp_path_factory.mktemp("site")
    wheels.install(target, str(built), "--no-index")
    return target
