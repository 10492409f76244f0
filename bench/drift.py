"""The drift check of Slipway beside the default reports of Evidently and NannyML: CPU seconds, memory, size of the page.

All see the same rows: a reference, and as many of one day, of which every tenth column has moved. Slipway has the reference
as counts in a bundle, and the day as a service logged it and `slipway collect` made tables of it; the others have both as
Parquet files. Each tool runs as a process of its own in an environment of its own, in turns. "all of it" is the whole of
`slipway watch` after it has collected: also labels, the loss, the decision and the journal.

    python bench/drift.py
    python bench/drift.py --rows 10000 --turns 1
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import parquet

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from bundles import files, said, twin  # noqa: E402
from slipway.model.encoding import Encoding, Output  # noqa: E402
from slipway.model.event import CLOSED, RAW, SHORT, Event, to_line  # noqa: E402
from slipway.model.reference import Loss, Reference  # noqa: E402
from slipway.model.typed_document import written  # noqa: E402
from slipway.monitoring.collector import collect  # noqa: E402
from slipway.monitoring.partitions import Log  # noqa: E402
from slipway.store.local import LocalStore  # noqa: E402
from slipway.store.pointer import Pointer  # noqa: E402
from slipway.table.schema import Field, Schema  # noqa: E402
from slipway.training.data.labelled import Rows  # noqa: E402
from slipway.training.evaluation.evidence import binned, drift_profile  # noqa: E402

TOOLS = {
    "Slipway": "slipway_drift",
    "all of it": "slipway_watch",
    "Evidently": "evidently_report",
    "NannyML": "nannyml_drift",
}
PLACE, SCRIPTS = ROOT / "build" / "drift", ROOT / "bench" / "watchers"
QUIET = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1"}
DAY, NOW = "2026-11-21", datetime(2026, 11, 22, 6)
HOURS = 24  # each with a file, as one worker writes them
LEVELS = ("a", "b", "c", "d", "e")
MOVED = 10  # each such column has moved
SHIFT = 0.5  # standard deviations


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=100_000, help="of the reference, and of the day")
    parser.add_argument("--fields", type=int, nargs="+", default=[20, 170])
    parser.add_argument("--turns", type=int, default=3)
    arguments = parser.parse_args()
    pythons = {tool: python for tool in TOOLS if (python := python_of(tool))}
    for fields in arguments.fields:
        with tempfile.TemporaryDirectory() as folder:
            run = prepare(Path(folder), arguments.rows, fields)
            turns = [{tool: spent(tool, pythons[tool], run) for tool in pythons} for _ in range(arguments.turns)]
        found = {tool: median([turn[tool] for turn in turns]) for tool in pythons}
        print(printed(found, arguments.rows, fields), flush=True)


def python_of(tool: str) -> str:
    """The interpreter of a tool's environment; none if nobody has made it."""
    name = tool.lower()
    python = PLACE / name / "bin" / "python"
    if TOOLS[tool].startswith("slipway"):
        return sys.executable
    if python.exists():
        return str(python)
    made = f"python3 -m venv build/drift/{name} && build/drift/{name}/bin/pip install -r bench/watchers/{name}.txt"
    print(f"Left out: {tool}. To have it: {made}")
    return ""


def prepare(folder: Path, rows: int, fields: int) -> dict[str, str]:
    """The files that the tools read."""
    schema = Schema(tuple(field(place) for place in range(fields)))
    reference, current = columns(schema, rows, 0, 0.0), columns(schema, rows, 1, SHIFT)
    for name, data in (("reference", reference), ("current", current)):
        cells = {each.name: pyarrow.array(LEVELS).take(data[each.name]) if each.levels else data[each.name] for each in schema}
        parquet.write_table(pyarrow.table(cells), folder / f"{name}.parquet")
    began = time.process_time()
    digest = bundle(folder, schema, reference)
    learned = time.process_time()
    write_log(folder / "log", digest, schema, current)
    began_collecting = time.process_time()
    done = collect(Log(folder / "log"), ("id",), 90, NOW, print)
    collected = time.process_time() - began_collecting
    print(
        f"{fields} fields: bundle made in {learned - began:.2f} CPU s, {done.rows:,} rows collected in {collected:.1f} CPU s"
    )
    paths = {name: str(folder / f"{name}.parquet") for name in ("reference", "current")}
    return paths | {"page": str(folder / "page.html"), "folder": str(folder), "now": NOW.isoformat()}


def field(place: int) -> Field:
    if place % 4 == 3:
        return Field(f"category{place:03}", "category", levels=LEVELS, example="b")
    return Field(f"number{place:03}", "number", minimum=-100, maximum=100, example=1.5)


def columns(schema: Schema, rows: int, seed: int, shift: float) -> dict[str, np.ndarray]:
    """Numbers, and codes of levels; of one column in ten they are moved by so many standard deviations."""
    random, found = np.random.default_rng(seed), {}
    for place, each in enumerate(schema):
        values = random.normal(shift if place % MOVED == 0 else 0.0, 1.0, rows)
        found[each.name] = np.clip(np.floor(values + 2.5), 0, 4).astype(np.int64) if each.levels else np.round(values, 3)
    return found


def bundle(folder: Path, schema: Schema, reference: dict[str, np.ndarray]) -> str:
    """A champion that learned from these rows: its digest."""
    outputs = [Output("level", each.name, levels=("b",)) if each.levels else Output("value", each.name) for each in schema]
    row = {each.name: each.example for each in schema}
    made = files("regression", schema, Encoding(schema, tuple(outputs)), [row], np.full((len(outputs), 1), 0.5))
    answers = scores(reference, schema)
    edges, counts = binned(answers)
    made["drift.json"] = written(drift_profile(Rows(schema, reference, answers, "regression", ())))
    made["live.json"] = written(
        Reference(
            rows=len(answers),
            edges=tuple(edges),
            counts=tuple(counts),
            errors=(1.0,) * len(counts),
            losses={"absolute_error": Loss(1.0, 1.0), "squared_error": Loss(2.0, 2.0)},
        )
    )
    store = LocalStore(folder / "artifacts")
    digest = store.add("drift", made, twin(made)).digest
    store.point(Pointer(digest, "drift"))
    said(store, "drift", digest)
    (folder / "slipway.yaml").write_text("name: drift\nsource: table.csv\ntarget: charges\nid: id\nlog: {to: files}\n")
    return digest


def scores(data: dict[str, np.ndarray], schema: Schema) -> np.ndarray:
    """What stands for answers: the sum of the numbers."""
    return np.sum([data[each.name] for each in schema if not each.levels], axis=0)


def write_log(folder: Path, digest: str, schema: Schema, current: dict[str, np.ndarray]) -> None:
    """A line for each row, as a worker writes them when each is a request of its own."""
    place = folder / RAW / f"date={DAY}" / f"bundle={digest[:SHORT]}"
    place.mkdir(parents=True)
    for hour, chosen in enumerate(np.array_split(np.arange(len(scores(current, schema))), HOURS)):
        part = {name: values[chosen] for name, values in current.items()}
        cells = [[LEVELS[code] for code in part[each.name]] if each.levels else part[each.name].tolist() for each in schema]
        with (place / f"local-0-{hour}{CLOSED}").open("wb") as file:
            for number, answer, row in zip(chosen.tolist(), scores(part, schema).tolist(), zip(*cells)):
                at = f"{DAY}T{hour:02}:00:00.000Z"
                told = dict(zip(schema.names, row)) | {"id": f"row-{number}"}
                file.write(to_line(Event(at=at, id=f"r-{number}", bundle=digest, rows=[told], answers=[answer])))


def spent(tool: str, python: str, run: dict[str, str]) -> dict[str, float]:
    """One turn of one tool."""
    environ = os.environ | QUIET | ({"PYTHONPATH": str(ROOT / "src")} if python == sys.executable else {})
    script = str(SCRIPTS / f"{TOOLS[tool]}.py")
    ended = subprocess.run([python, script, json.dumps(run)], env=environ, capture_output=True, text=True)
    if ended.returncode:
        raise SystemExit(f"{tool} failed:\n{ended.stderr}")
    return json.loads(ended.stdout.splitlines()[-1])


def median(turns: list[dict[str, float]]) -> dict[str, float]:
    return {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}


def printed(found: dict[str, dict[str, float]], rows: int, fields: int) -> str:
    lines = [
        f"{rows:,} rows × {fields}",
        f"{'':>10} {'import s':>9} {'reference s':>12} {'check s':>9} {'× Slipway':>10} {'memory MB':>10} {'page kB':>9}",
    ]
    for tool, one in found.items():
        times = (one["reference"] + one["check"]) / found["Slipway"]["check"]
        lines.append(
            f"{tool:>10} {one['import']:>9.1f} {one['reference']:>12.2f} {one['check']:>9.2f} {times:>10.1f}"
            f" {one['memory']:>10.0f} {one['page']:>9.0f}"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
