"""`slipway train` on a table that does not fit: how long it takes, and how much memory.

A table of random numbers, texts and a target that depends on some of them is written to a folder of its own, which is
removed at the end. Printed are the memory of the largest process and of all together, and how long the training took.

    python bench/large.py --rows 10000000 --format csv
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import csv, parquet

import slipway

ROWS = 250_000
NUMBERS = 16
SETTINGS = """name: large
source: table.{format}
target: y
search: {{trials: {trials}}}
"""


def chunk(start: int, rows: int) -> pyarrow.Table:
    """Sixteen numbers, three texts and the target."""
    random = np.random.default_rng(start)
    numbers = np.round(random.normal(50, 20, (rows, NUMBERS)), 4)
    texts = {
        name: random.choice(levels, rows)
        for name, levels in {
            "region": ["north", "south", "east", "west"],
            "kind": ["basic", "plus", "premium"],
            "code": [f"code-{number}" for number in range(40)],
        }.items()
    }
    y = numbers[:, 0] + 0.02 * numbers[:, 1] * numbers[:, 2] + 30 * (texts["region"] == "north") + random.normal(0, 20, rows)
    columns = {f"x{number}": numbers[:, number] for number in range(NUMBERS)}
    return pyarrow.table(columns | texts | {"y": np.round(y, 3)})


def write(path: Path, rows: int) -> None:
    first = chunk(0, 1)
    writer = csv.CSVWriter(path, first.schema) if path.suffix == ".csv" else parquet.ParquetWriter(path, first.schema)
    with writer:
        for start in range(0, rows, ROWS):
            writer.write_table(chunk(start, min(ROWS, rows - start)))


def memory(parent: int) -> tuple[int, int]:
    """Resident bytes of the largest of a process and all that it started, and of all together, shared ones once."""
    largest, together, todo = 0, 0, [parent]
    while todo:
        process = Path(f"/proc/{todo.pop()}")
        try:
            sizes = dict(line.split()[:2] for line in (process / "smaps_rollup").read_text().splitlines()[1:])
            largest, together = max(largest, int(sizes["Rss:"]) << 10), together + (int(sizes["Pss:"]) << 10)
            todo += [each for task in (process / "task").iterdir() for each in (task / "children").read_text().split()]
        except (OSError, KeyError):  # it has ended
            continue
    return largest, together


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--format", choices=["csv", "parquet"], default="csv")
    parser.add_argument("--trials", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        (folder / "slipway.yaml").write_text(SETTINGS.format(format=arguments.format, trials=arguments.trials))
        write(folder / f"table.{arguments.format}", arguments.rows)
        size = (folder / f"table.{arguments.format}").stat().st_size
        print(f"{arguments.rows:,} rows × {NUMBERS + 4}, {size / 1e9:.2f} GB of {arguments.format}", flush=True)
        environ = os.environ | {"PYTHONPATH": str(Path(slipway.__file__).parent.parent)}
        start, largest, together = time.perf_counter(), 0, 0
        process = subprocess.Popen([sys.executable, "-m", "slipway", "train"], cwd=folder, env=environ)
        while process.poll() is None:
            one, everything = memory(process.pid)
            largest, together = max(largest, one), max(together, everything)
            time.sleep(0.1)
        took = time.perf_counter() - start
        print(f"exit {process.returncode}, {took:.0f} s; largest {largest / 1e6:,.0f} MB, all {together / 1e6:,.0f} MB")
        print(json.dumps({"seconds": round(took), "largest": largest, "together": together}))


if __name__ == "__main__":
    main()
