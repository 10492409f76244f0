"""One table in five places: it is divided in the same way, and gives the same model."""

import json
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow
import pytest
import sqlalchemy
from pyarrow import parquet

import databases
from databases import fresh
from mongo import collection
from slipway.problem import Problem, load_problem
from slipway.store.local import LocalStore
from slipway.training.data.dataset import read
from slipway.training.train import train
from tables import charges

HEAD = "name: visits\ntarget: charges\nid: visit\nsearch: {trials: 1}\ncandidates: [linear]\n"


def visits() -> pd.DataFrame:
    """Whole numbers, numbers, texts, dates, truth and missing cells, with an id."""
    frame = charges(300).astype({"age": int, "charges": float})
    frame["bmi"] = pd.to_numeric(frame["bmi"], errors="coerce")
    frame["member"] = [row % 3 == 0 for row in range(len(frame))]
    frame["joined"] = pd.date_range("2020-01-01", periods=len(frame), freq="31h")
    frame["visit"] = range(9_007_199_254_000_000, 9_007_199_254_000_000 + len(frame))
    return frame


@dataclass
class Result:
    """What does not depend on where a table is, and the digest of the bundle, which has the fingerprint of the cells."""

    held: list[bool]
    files: dict[str, bytes]
    digest: str


def problem_in(folder: Path, origin: str, drop: str = "") -> Problem:
    folder.mkdir(exist_ok=True)
    (folder / "slipway.yaml").write_text(f"{HEAD}{origin}\n" + (f"drop: {drop}\n" if drop else ""))
    return load_problem(folder / "slipway.yaml", environ={})


def result(problem: Problem) -> Result:
    bundle = train(problem, LocalStore(problem.folder / "artifacts"), jobs=1).bundle
    named = json.loads(bundle.read("model.json"))["data"].encode()
    files = {name: bundle.read(name).replace(named, b"").replace(named[:12], b"") for name in bundle.parts["serving"]}
    return Result(read(problem).held.tolist(), files, bundle.digest)


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return visits()


@pytest.fixture(scope="module")
def as_csv(frame, tmp_path_factory) -> Result:
    folder = tmp_path_factory.mktemp("csv")
    frame.to_csv(folder / "visits.csv", index=False)
    return result(problem_in(folder, "source: visits.csv"))


def as_parquet(frame: pd.DataFrame, folder: Path, drop: str = "") -> Result:
    folder.mkdir(exist_ok=True)
    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    texts = [field.with_type(pyarrow.string()) if field.type == pyarrow.large_string() else field for field in table.schema]
    parquet.write_table(table.cast(pyarrow.schema(texts)), folder / "visits.parquet")
    return result(problem_in(folder, "source: visits.parquet", drop))


def fill(url: str, frame: pd.DataFrame, monkeypatch: pytest.MonkeyPatch, **types: sqlalchemy.types.TypeEngine) -> str:
    """Write the table to a database that DATABASE_URL names; what slipway.yaml says of it."""
    engine = databases.engine(url)
    frame.to_sql("visits", engine, index=False, dtype=types)
    engine.dispose()
    monkeypatch.setenv("DATABASE_URL", url)
    return "source: sql\nsql: {table: visits}"


def spelled(function: str) -> str:
    """What slipway.yaml says where a database has no booleans but 1 and 0, so that true is to be spelled."""
    columns = f"age, bmi, smoker, region, charges, {function}(member, 'true', 'false') AS member, joined, visit"
    return f'source: sql\nsql: {{query: "SELECT {columns} FROM visits"}}'


def require_same(one: Result, other: Result) -> None:
    assert one.held == other.held
    assert [name for name in one.files if one.files[name] != other.files.get(name)] == []
    assert one.files.keys() == other.files.keys()


def test_csv_and_parquet(frame, as_csv, tmp_path):
    require_same(as_csv, as_parquet(frame, tmp_path))


def test_csv_and_mongodb(frame, as_csv, tmp_path, mongo_url, monkeypatch):
    monkeypatch.setenv("MONGO_DB_URL", mongo_url)
    with collection(mongo_url) as rows:
        documents = frame.astype(object).where(frame.notna(), None).to_dict("records")
        rows.insert_many(documents)
        settings = f"{{database: {rows.database.name}, collection: {rows.name}}}"
        require_same(as_csv, result(problem_in(tmp_path, f"source: mongodb\nmongodb: {settings}")))


def test_csv_and_sqlite(frame, as_csv, tmp_path, monkeypatch):
    fill(f"sqlite:///{tmp_path}/shop.db", frame, monkeypatch)
    require_same(as_csv, result(problem_in(tmp_path, spelled("iif"))))


@pytest.mark.database
@pytest.mark.parametrize("kind", ["postgres", "mariadb"])
@pytest.mark.parametrize("decimal", [False, True])
def test_csv_and_a_server(frame, as_csv, tmp_path, monkeypatch, request, kind, decimal):
    types = {"charges": sqlalchemy.Numeric(12, 2), "bmi": sqlalchemy.Numeric(6, 2)} if decimal else {}
    with fresh(request.getfixturevalue(kind)) as database:
        origin = fill(database.url, frame, monkeypatch, **types)
        if kind == "mariadb":
            origin = spelled("if")
        require_same(as_csv, result(problem_in(tmp_path, origin)))


@pytest.mark.database
def test_typed_tables_without_moments_have_one_digest(frame, tmp_path, monkeypatch, postgres):
    parquet = as_parquet(frame, tmp_path / "parquet", drop="[joined]")
    with fresh(postgres) as database:
        origin = fill(database.url, frame, monkeypatch)
        assert result(problem_in(tmp_path / "sql", origin, drop="[joined]")).digest == parquet.digest
