"""The models that are compared: trained once by Slipway, and once as a pickled pipeline of the same estimator and size."""

import csv
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from environments import PLACE, ROOT, python_of

HERE = Path(__file__).resolve().parent
ROWS = 100  # the most that one request asks for


@dataclass(frozen=True)
class Model:
    """A table of `slipway sample`, its target and how it is learned.

    Parameters
    ----------
    candidate : str
        The one candidate of Slipway's search.
    microseconds : int
        What a row may cost (`serving.max_row_microseconds`): too little for a blend, which no peer has.
    """

    name: str
    sample: str
    target: str
    candidate: str
    microseconds: int


MODELS = {
    model.name: model
    for model in (
        Model("insurance", "insurance", "charges", "boosting", 28),
        Model("sensor", "truck", "class", "boosting", 60),
        Model("sensor-forest", "truck", "class", "forest", 100),
    )
}


def prepare(model: Model) -> Path:
    """The folder of a model, made at first use: ``slipway.yaml``, ``bundle`` (a link to Slipway's) and ``rows.json``."""
    folder = PLACE / "models" / model.name
    if not (folder / "rows.json").exists():
        folder.mkdir(parents=True, exist_ok=True)
        _train(model, folder)
        (folder / "rows.json").write_text(json.dumps(_rows(model, folder)))
    return folder


def _train(model: Model, folder: Path) -> None:
    (folder / "slipway.yaml").write_text(
        f"name: {model.name}\nsource: table.csv\ntarget: {model.target}\ncandidates: [{model.candidate}]\n"
        f"search: {{trials: 1}}\nserving: {{max_row_microseconds: {model.microseconds}}}\nlog: {{to: files}}\n"
    )
    slipway = [sys.executable, "-m", "slipway"]
    _run([*slipway, "sample", model.sample, "table.csv", "--force"], folder)
    _run([*slipway, "train"], folder)
    champion = json.loads((folder / "artifacts" / "champion.json").read_text())["digest"]
    (folder / "bundle").unlink(missing_ok=True)
    (folder / "bundle").symlink_to(folder / "artifacts" / "bundles" / champion)


def pickle(model: Model, folder: Path) -> None:
    """Train ``pipeline.joblib`` at first use. All locks have the same scikit-learn, so one environment trains for all."""
    if not (folder / "pipeline.joblib").exists():
        _run([python_of("tutorial"), str(HERE / "peers" / "pipeline.py"), model.target, model.candidate], folder)


def _run(command: list[str], folder: Path) -> None:
    environ = pinned() | {"PYTHONPATH": str(ROOT / "src")}
    ended = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(f"{' '.join(command[1:])} failed:\n{ended.stderr}")


def pinned() -> dict[str, str]:
    """The environment of a process whose numerical libraries use one thread."""
    threads = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
    return dict.fromkeys(threads, "1") | {"PATH": "/usr/bin:/bin:/usr/sbin", "HOME": str(PLACE), "PYTHONUNBUFFERED": "1"}


def _rows(model: Model, folder: Path) -> list[dict]:
    """The first rows of the table; a missing number is the schema's example, because not every service reads null."""
    fields = json.loads((folder / "bundle" / "schema.json").read_text())["fields"]
    read = {"integer": int, "number": float, "category": str}
    with (folder / "table.csv").open(newline="") as file:
        cells = [row for row, _ in zip(csv.DictReader(file), range(ROWS))]
    return [
        {
            field["name"]: field["example"] if row[field["name"]] in ("", "na") else read[field["type"]](row[field["name"]])
            for field in fields
        }
        for row in cells
    ]
