"""A source is one file and one line: docs/architecture.md says how."""

from pathlib import Path

import pytest

from slipway.errors import TableError
from slipway.problem import Problem, load_problem
from slipway.sources.fetch import fetch
from slipway.sources.source import PLACES, TABLES, open_location, open_source, sources_of
from slipway.store.local import LocalStore
from slipway.training.inputs import fingerprint
from slipway.training.train import train
from tables import charges

TABLE = '''
import pyarrow
from slipway.sources.batches import Batches

class Catalog:
    """A table that the program makes itself."""
    where, variables = "the catalog", ("CATALOG_URL",)

    def __init__(self, problem):
        self.path = problem.folder / "catalog.arrow"

    def open(self, columns=None, without=()):
        table = pyarrow.ipc.open_file(self.path).read_all()
        names = tuple(name for name in table.column_names if columns is None or name in columns)
        return Batches(names, table.num_rows, lambda: iter(table.select(names).to_batches()))

    def fingerprint(self):
        return [self.path.read_bytes()]

    def ping(self):
        self.path.stat()
'''
PLACE = '''
from slipway.sources.local_files import LocalFiles
from pathlib import Path

class Shelf(LocalFiles):
    """Files of a folder that has a name."""

    def __init__(self, location):
        super().__init__(location.removeprefix("shelf://"), Path("shelf"))
'''


@pytest.fixture
def written(tmp_path, monkeypatch):
    """Write one module, and a problem whose source it is."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)

    def write(module: str, text: str, source: str) -> Problem:
        (tmp_path / f"{module}.py").write_text(text)
        (tmp_path / "slipway.yaml").write_text(
            f"name: trial\nsource: {source}\ntarget: charges\ncandidates: linear\nsearch: {{trials: 1}}\n"
        )
        return load_problem(tmp_path / "slipway.yaml", environ={})

    return write


def test_a_new_kind_of_table_is_trained_on(written, tmp_path, monkeypatch):
    import pyarrow

    frame = charges()
    table = pyarrow.table({name: frame[name].tolist() for name in frame})
    with pyarrow.ipc.new_file(tmp_path / "catalog.arrow", table.schema) as file:
        file.write(table)
    monkeypatch.setitem(TABLES, "catalog", "catalog_of_tests:Catalog")
    problem = written("catalog_of_tests", TABLE, "catalog")
    fetch(problem)
    before = fingerprint(problem)
    outcome = train(problem, LocalStore(tmp_path / "artifacts"), before, jobs=1)
    assert outcome.verdict.promoted and outcome.bundle.json("model.json")["rows"]["training"] > 150
    with (tmp_path / "catalog.arrow").open("ab") as file:
        file.write(b"more")
    assert fingerprint(problem) != before


def test_a_new_place_of_files_is_read_with_files_elsewhere(written, tmp_path, monkeypatch):
    (tmp_path / "shelf").mkdir()
    (tmp_path / "shelf" / "1.csv").write_text("a,charges\n1,2\n")
    (tmp_path / "2.csv").write_text("a,charges\n3,4\n")
    monkeypatch.setitem(PLACES, "shelf://", "shelf_of_tests:Shelf")
    problem = written("shelf_of_tests", PLACE, "[shelf://*.csv, 2.csv]")
    assert sum(batch.num_rows for batch in open_source(problem).read()) == 2
    assert open_location("shelf://1.csv", Path()).names == ("a", "charges")


def test_a_table_of_its_own_is_not_one_with_files(written, monkeypatch):
    monkeypatch.setitem(TABLES, "catalog", "catalog_of_tests:Catalog")
    problem = written("catalog_of_tests", TABLE, "[catalog, 2.csv]")
    assert [source.where for source in sources_of(problem)] == ["the catalog", "2.csv"]
    with pytest.raises(TableError, match="source: the catalog cannot be one table together with other entries"):
        open_source(problem)
