"""A problem with a champion, and batches of it."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import pytest

from bundles import make_bundle
from slipway.batch.open import open_batch
from slipway.batch.record import Mark
from slipway.batch.run import run
from slipway.problem import load_problem
from slipway.store.local import LocalStore

HEADER = "age,bmi,smoker,joined"
GOOD = "19,27.9,yes,2020-01-01"
BAD = "old,27.9,yes,2020-01-01"


@dataclass
class Desk:
    """A folder with a champion, where tables lie."""

    folder: Path

    def bundle(self, task: str = "regression", **changes):
        """Make another champion."""
        (self.folder / "slipway.yaml").write_text(f"name: {task}\nsource: table.csv\ntarget: charges\n")
        return make_bundle(LocalStore(self.folder / "artifacts"), task, **changes)

    @property
    def problem(self):
        return load_problem(self.folder / "slipway.yaml", environ={})

    def open(self, location="in.csv", out="out.csv", digits=None, strict=False, rejects=None, level=None):
        return open_batch(self.problem, str(location), str(out), digits, strict, rejects, level)

    def predict(self, *arguments, tell=lambda mark, says: None, **options) -> Mark:
        return run(self.open(*arguments, **options), tell)

    def write(self, content: str | bytes, name: str = "in.csv") -> Path:
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def read(self, name: str = "out.csv") -> bytes:
        return (self.folder / name).read_bytes()

    def rows(self, name: str = "out.csv") -> list[dict]:
        return list(csv.DictReader(io.StringIO(self.read(name).decode("utf-8-sig"), newline="")))

    def files(self) -> set[str]:
        """What is there besides the problem."""
        return {path.name for path in self.folder.iterdir()} - {"slipway.yaml", "artifacts"}


@pytest.fixture
def desk(tmp_path, monkeypatch) -> Desk:
    monkeypatch.chdir(tmp_path)
    made = Desk(tmp_path)
    made.bundle()
    return made
