"""slipway predict on one machine, and with --spark on a cluster of two workers of one core, one of them killed on the way.

A model is trained on the sample table, and a table like it is written as Parquet files, one row in a thousand of which cannot
be answered. Both commands answer it. While the cluster does, one of its two executors is ended with kill -9. Every answer is
then compared, by its bytes, and so are warnings and rejected rows. On one machine the cluster can only lose: what to read is
the time of processors for each row, and how many cores it takes to be as fast.

    python bench/spark.py --rows 1000000
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import distribution, requires
from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import dataset, parquet

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT / "tests")]

from clusters import WORKERS, Cluster, serve_cluster  # noqa: E402

FILES = 40
ODD = 1_000  # one row of so many has a level that training never saw
TICK = os.sysconf("SC_CLK_TCK")
LOOK = 0.1  # seconds between two looks at the processes


@dataclass
class Cost:
    """What a command took."""

    seconds: float
    busy: float  # seconds of processors, of the command and of the cluster
    megabytes: float  # the most that the command held, with all that it started


def main() -> None:
    """Measure, compare, and print a line for each figure."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--rows", type=int, default=1_000_000)
    rows = options.parse_args().rows
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        prepare(place, rows)
        alone = measure(place, ["in/*.parquet", "-o", "alone.parquet"])
        (place / "cluster").mkdir()
        with serve_cluster(place / "cluster", PYTHONPATH=str(ROOT / "src")) as cluster:
            first = measure(place, ["--spark", cluster.url, "first", "-o", "first_scored"], cluster)
            on_spark = measure(place, ["--spark", cluster.url, "in", "-o", "undisturbed"], cluster)
            killed = measure(
                place, ["--spark", cluster.url, "in", "-o", "scored"], cluster, kill=place / "scored.slipway-partial"
            )
        for name in ("undisturbed", "scored"):
            compare(place, name, rows)
    report(rows, alone, on_spark, killed, first)


def prepare(place: Path, rows: int) -> None:
    """Train on the sample, and write the table, and a part of it that is answered at once."""
    shipped = (ROOT / "slipway.yaml").read_text()
    (place / "slipway.yaml").write_text(shipped.replace("data/insurance.csv", "table.csv"))
    for command in (["sample", "insurance", "table.csv"], ["train"]):
        subprocess.run(
            [sys.executable, "-m", "slipway", *command], cwd=place, env=environ(place), check=True, capture_output=True
        )
    (place / "conf").mkdir()
    (place / "conf" / "spark-defaults.conf").write_text("spark.sql.files.openCostInBytes 128m\n")  # a task for each file
    edges = np.linspace(0, rows, FILES + 1).astype(int)
    for name in ("in", "first"):
        (place / name).mkdir()
    for number, (begin, end) in enumerate(zip(edges, edges[1:])):
        parquet.write_table(chunk(begin, end), place / "in" / f"{number:02}.parquet")
    parquet.write_table(chunk(0, 1_000), place / "first" / "0.parquet")


def chunk(begin: int, end: int) -> pyarrow.Table:
    """Rows like those of the sample, with a number."""
    random, count = np.random.default_rng(begin), end - begin
    numbers = np.arange(begin, end)
    regions = random.choice(["northeast", "northwest", "southeast", "southwest"], count)
    return pyarrow.table(
        {
            "row": numbers,
            "age": random.integers(19, 64, count),
            "sex": random.choice(["female", "male"], count),
            "bmi": np.round(random.uniform(16.5, 52.5, count), 2),
            "children": random.integers(0, 6, count),
            "smoker": random.choice(["yes", "no"], count),
            "region": np.where(numbers % ODD == ODD - 1, "elsewhere", regions),
        }
    )


def environ(place: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("SLIPWAY_")}
    return own | {"PYTHONPATH": str(ROOT / "src"), "SPARK_CONF_DIR": str(place / "conf")}


def measure(place: Path, arguments: list[str], cluster: Cluster | None = None, kill: Path | None = None) -> Cost:
    """Run slipway predict, and end one executor as soon as a task has written its rows to the folder `kill`."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "slipway", "predict", *arguments]
    process = subprocess.Popen(
        command, cwd=place, env=environ(place), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    usage = Usage(process.pid, [] if cluster is None else [worker.pid for worker in cluster.workers])
    watching = threading.Thread(target=usage.watch)
    watching.start()
    try:
        while cluster and kill and not list(kill.glob("_temporary/0/task_*")) and process.poll() is None:
            time.sleep(LOOK)
        if is_early := process.poll() is None and cluster and kill:
            cluster.kill_executor()
        out, err = process.communicate()
        seconds = time.perf_counter() - begun
    finally:
        usage.ended = True
        watching.join()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {err}")
    if kill and not is_early:
        raise SystemExit("the run was over before an executor could be killed: take more rows")
    print(f"{' '.join(arguments)}: {out.strip()}", file=sys.stderr)
    return Cost(seconds, sum(usage.busy.values()), usage.most / 1e6)


class Usage:
    """Seconds of processors and memory of a process, and seconds of those of a cluster, by looking at them now and then."""

    def __init__(self, command: int, cluster: list[int]) -> None:
        self.command, self.cluster = command, cluster
        self.busy: dict[tuple[int, str], float] = {}
        self.before = self._times(cluster)
        self.most = 0
        self.ended = False

    def watch(self) -> None:
        """Look until it has ended."""
        while not self.ended:
            self.most = max(self.most, sum(_resident(pid) for pid in _family(self.command)))
            found = self._times([self.command, *self.cluster])
            self.busy |= {each: seconds - self.before.get(each, 0) for each, seconds in found.items()}
            time.sleep(LOOK)

    def _times(self, roots: list[int]) -> dict[tuple[int, str], float]:
        """Of each process, which its number and the time of its start name."""
        found = {}
        for pid in [pid for root in roots for pid in _family(root)]:
            if fields := _read(pid, "stat").rpartition(")")[2].split():
                found[pid, fields[19]] = (int(fields[11]) + int(fields[12])) / TICK
        return found


def _family(parent: int) -> list[int]:
    """A process, and all that it has started."""
    found = [parent]
    for pid in found:
        with suppress(OSError):  # it has ended
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                found += map(int, task.read_text().split())
    return found


def _resident(pid: int) -> int:
    """Bytes, a part of those that it shares."""
    return sum(int(each) << 10 for each in re.findall(r"^Pss: +(\d+)", _read(pid, "smaps_rollup"), re.M))


def _read(pid: int, name: str) -> str:
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""


def compare(place: Path, name: str, rows: int) -> None:
    """Stop unless both have the same answers to the same rows, and no row is missing or there twice."""
    alone, scored = (answers(place / name, rows) for name in ("alone.parquet", name))
    refused = parquet.read_table(place / f"{name}.rejects", columns=["row"])["row"].to_numpy()
    assert np.array_equal(np.sort(refused), np.flatnonzero(np.isnan(scored[0]))), "rejected rows are not those without answer"
    for ours, theirs in zip(alone, scored):
        assert ours.tobytes() == theirs.tobytes(), "the answers differ"
    print(f"{rows - len(refused):,} rows scored and {len(refused):,} rejected by both")
    print(f"SHA-256 of all predictions, in the order of the rows: {sha256(scored[0].tobytes()).hexdigest()} of both")


def answers(path: Path, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Predictions, nan where there is none, and warnings as hashes, by the number of the row."""
    predictions, warnings = np.full(rows, np.nan), np.zeros(rows, int)
    count = 0
    for batch in dataset.dataset(path).to_batches(columns=["row", "prediction", "warning"]):
        numbers = batch["row"].to_numpy()
        predictions[numbers] = batch["prediction"].to_numpy()
        warnings[numbers] = [
            int(sha256(text.encode()).hexdigest()[:15], 16) if text else 0 for text in batch["warning"].to_pylist()
        ]
        count += len(numbers)
    assert count == np.count_nonzero(~np.isnan(predictions)), f"{path}: rows are there twice"
    return predictions, warnings


def report(rows: int, alone: Cost, on_spark: Cost, killed: Cost, first: Cost) -> None:
    """The figures, and from how many cores on a cluster is the faster one."""
    for name, cost in (
        (f"slipway predict, {os.cpu_count()} cores", alone),
        (f"--spark, {WORKERS} executors of a core", on_spark),
        ("--spark, one of them killed", killed),
    ):
        says = f"{rows / cost.seconds:,.0f} rows a second, {cost.busy:,.0f} s of processors"
        print(f"{name}: {cost.seconds:,.1f} s, {says}; the command held {cost.megabytes:,.0f} MB at most")
    print(f"From nothing to the first 1,000 answers of a cluster: {first.seconds:.1f} s")
    steady = (on_spark.seconds - first.seconds) / rows * WORKERS  # of one core, without the start
    cores = steady / (alone.seconds / rows)
    print(f"A cluster needs about {cores:.0f} cores to answer as fast as slipway predict here")
    extra = {re.split(r"[^\w-]", each)[0] for each in requires("slipway-ml") or () if 'extra == "spark"' in each}
    sizes = {name: _installed(name) for name in sorted(extra | {"py4j"})}
    parts = ", ".join(f"{name} {size / 1e6:,.0f} MB" for name, size in sizes.items())
    print(f"Installed size of the extra spark: {sum(sizes.values()) / 1e6:,.0f} MB ({parts}), and Java")


def _installed(name: str) -> int:
    paths = (each.locate() for each in distribution(name).files or ())
    return sum(Path(path).stat().st_size for path in paths if Path(path).is_file())


if __name__ == "__main__":
    main()
