"""kill -9 between a block and its mark: the next run goes on, and writes what an undisturbed run writes, byte for byte."""

import gzip
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pyarrow
import pyarrow.parquet as parquet
import pytest

from servers import DEADLINE, ROOT

# The command itself, with smaller blocks, so that a small table has many marks. After so many of them it has one more block on
# the disk, and waits before it says so in the record.
PROGRAM = """
import sys
from slipway.batch import lines, run
from slipway.batch.record import Record
from slipway.cli import main
lines.MOST, run.SECONDS, run.SHARE = 1 << 14, 0, float("inf")
left, whole = [int(sys.argv[1])], Record.write
def write(self, mark, done=False):
    left[0] -= 1
    if left[0] == -1:  # once: a run that is told to end marks what is done
        print("waits", flush=True)
        sys.stdin.read()
    whole(self, mark, done)
Record.write = write
sys.argv = ["slipway", "predict", *sys.argv[2:]]
main()
"""
NEVER = -1
ROWS = 30_000


def start(desk, marks: int, *arguments: str) -> subprocess.Popen:
    environ = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(marks), *arguments],
        cwd=desk.folder,
        env=environ,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finish(process: subprocess.Popen) -> tuple[str, str]:
    out, err = process.communicate(timeout=DEADLINE)
    assert process.returncode == 0, err
    return out, err


def end(process: subprocess.Popen, by: int = signal.SIGKILL) -> tuple[str, str]:
    """End it by a signal once it waits; what it said."""
    assert process.stdout.readline() == "waits\n", process.communicate()
    process.send_signal(by)
    return process.communicate()


@pytest.fixture(scope="module")
def cells() -> dict:
    random = np.random.default_rng(0)
    return {
        "age": [str(number) for number in random.integers(17, 65, ROWS)],  # 17 is too young
        "bmi": [f"{number:.2f}" for number in random.uniform(16, 53, ROWS)],
        "smoker": random.choice(["yes", "no"], ROWS).tolist(),
        "joined": ["2020-01-01"] * ROWS,
    }


@pytest.mark.parametrize("name, out", [("in.csv", "out.csv"), ("in.csv.gz", "out.parquet"), ("in.parquet", "out.csv.gz")])
def test_killed_twice(desk, cells, name, out):
    if name == "in.parquet":
        parquet.write_table(pyarrow.table(cells), desk.folder / name, row_group_size=500)
    else:
        text = "\n".join(",".join(row) for row in zip(*cells.values()))
        content = f"{','.join(cells)}\n{text}\n".encode()
        desk.write(gzip.compress(content) if name.endswith("gz") else content, name)
    told, _ = finish(start(desk, NEVER, name, "-o", "whole" + out[3:]))
    record = desk.folder / f"{out}.partial.json"
    reached = []
    for marks in (1, 6):
        end(start(desk, marks, name, "-o", out))
        reached.append(record.read_bytes())
        assert not (desk.folder / out).exists()
    assert reached[0] != reached[1]
    again, err = finish(start(desk, NEVER, name, "-o", out))
    assert re.search(r"Resuming after row [\d,]+, where the earlier run ended\.", err)
    assert again.split(": see")[0] == told.split(": see")[0]
    assert desk.read(out) == desk.read("whole" + out[3:])
    assert desk.read("out.rejects.csv") == desk.read("whole.rejects.csv")
    assert desk.files() == {name, out, "out.rejects.csv", "whole" + out[3:], "whole.rejects.csv"}


@pytest.mark.parametrize("by, code, says", [(signal.SIGTERM, 143, "terminated"), (signal.SIGINT, 130, "interrupted")])
def test_a_run_that_is_told_to_end_says_what_is_kept(desk, cells, by, code, says):
    parquet.write_table(pyarrow.table(cells), desk.folder / "in.parquet", row_group_size=500)
    process = start(desk, 1, "in.parquet", "-o", "out.csv")
    out, err = end(process, by)
    assert (process.returncode, out) == (code, "")
    kept = re.search(rf"The first ([\d,]+) rows are kept: run the same command again to resume\.\n+slipway: {says}\n$", err)
    assert kept, err
    _, err = finish(start(desk, NEVER, "in.parquet", "-o", "out.csv"))
    assert err.startswith(f"Resuming after row {kept[1]}, where the earlier run ended.\n")
