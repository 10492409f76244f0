"""One bundle of each task as training wrote it, for every format there ever was.

``python tests/recordings.py`` records those of a new format. Never record an old one again: it stands for the bundles that
users have.
"""

import shutil
import tempfile
from pathlib import Path

import pandas as pd

from slipway.model.bundle import FORMAT
from slipway.store.local import LocalStore
from slipway.training.train import train
from tables import charges, grades, problem

FOLDER = Path(__file__).resolve().parent / "model" / "recorded"
ROWS = 60
DAYS = pd.date_range("2024-01-30", periods=ROWS, freq="3D").strftime("%Y-%m-%d")
TABLES = {
    "regression": (charges(ROWS).assign(joined=DAYS), "charges", "boosting"),
    "binary": (grades(ROWS), "grade", "linear"),
    "multiclass": (grades(ROWS, classes=3), "grade", "linear"),
}


def recorded(number: int, task: str) -> Path:
    """The folder of the bundle of one format and task, named by its digest."""
    return next((FOLDER / f"format-{number}" / task).iterdir())


def record(task: str) -> None:
    """Train on a tiny table and keep the bundle."""
    frame, target, candidate = TABLES[task]
    with tempfile.TemporaryDirectory() as folder:
        asked = problem(Path(folder), frame, target, name=task, candidates=[candidate])
        bundle = train(asked, LocalStore(Path(folder)), inputs=None, jobs=1).bundle
        shutil.copytree(bundle.folder, FOLDER / f"format-{FORMAT}" / task / bundle.digest)


if __name__ == "__main__":
    for name in TABLES:
        record(name)
