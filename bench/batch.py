"""slipway predict against a script written by hand, side by side on one file: rows per second, and memory.

The scripts are a tutorial's: pd.read_csv, predict of a pickled pipeline, to_csv. One has the tutorial's model
(OneHotEncoder and StandardScaler before GradientBoostingRegressor), the other, the fair one, the same class of model with
the same settings as Slipway's champion. polars, in an environment of its own, predicts nothing: it reads the file, adds one
column of floats, and writes it, with as many threads as it likes and with one. All run in a process of their own, from its
start to its end, in turns; the ratio is what to read, not the numbers.

    python bench/batch.py
    python bench/batch.py --rows 10000000 --alone
"""

import argparse
import csv
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
POLARS = "polars==2.1.0"
CHUNK = 50_000
CLASSES = {
    "boosting": "HistGradientBoostingRegressor",
    "forest": "RandomForestRegressor",
    "linear": "Ridge",
}

TRAINING = """
import json, sys, joblib, pandas as pd
import numpy as np
from sklearn.compose import TransformedTargetRegressor, make_column_transformer
from sklearn.ensemble import GradientBoostingRegressor, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

name, settings, file = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3]
frame = pd.read_csv("table.csv")
answer = frame.pop("charges")
columns = make_column_transformer(
    (OneHotEncoder(handle_unknown="ignore", sparse_output=False), ["sex", "smoker", "region"]),
    (StandardScaler(), ["age", "bmi", "children"]),
)
logarithm = settings.pop("target", "") == "log(1 + y)"
model = make_pipeline(columns, globals()[name](**settings))
if logarithm:
    model = TransformedTargetRegressor(model, func=np.log1p, inverse_func=np.expm1)
joblib.dump(model.fit(frame, answer), file)
"""

SCRIPT = """
import sys, joblib, pandas as pd

model = joblib.load(sys.argv[1])
frame = pd.read_csv("in.csv")
frame["prediction"] = model.predict(frame)
frame.to_csv("by_hand.csv", index=False)
"""

COPY = """
import polars

frame = polars.read_csv("in.csv")
frame.with_columns((frame["bmi"] * 1.1).alias("prediction")).write_csv("polars.csv")
"""


def main() -> None:
    """Measure, and print a line for each and the ratios."""
    options = _options()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        rivals = _prepare(place, options.rows, options.alone)
        copy = [str(_polars()), "-c", COPY]
        commands = {
            "slipway": [sys.executable, "-m", "slipway", "predict", "in.csv", "-o", "out.csv"],
            "polars, no prediction": copy,
            "polars, one thread, no prediction": ["env", "POLARS_MAX_THREADS=1", *copy],
        } | rivals
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in commands}
        for turn in range(options.turns):
            for name, command in commands.items():
                found[name].append(_measure(command, place))
                seconds, busy, megabytes = found[name][-1]
                told = f"{seconds:.1f} s, {busy:.1f} s of processors, {megabytes:.0f} MB"
                print(f"turn {turn + 1}, {name}: {told}", file=sys.stderr)
        _report(found, options.rows)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--alone", action="store_true", help="without the scripts, for a file that they have no memory for")
    return parser.parse_args()


def _prepare(place: Path, rows: int, alone: bool) -> dict[str, list[str]]:
    """Train all of them on the sample, and write the table; the commands of the rivals."""
    shipped = (ROOT / "slipway.yaml").read_text()
    (place / "slipway.yaml").write_text(shipped.replace("data/insurance.csv", "table.csv"))
    for command in (["sample", "insurance", "table.csv"], ["train"]):
        _run([sys.executable, "-m", "slipway", *command], place)
    _write_table(place / "in.csv", rows)
    print(f"{rows:,} rows, {(place / 'in.csv').stat().st_size / 1e6:,.0f} MB", file=sys.stderr)
    if alone:
        return {}
    digest = json.loads((place / "artifacts/champion.json").read_text())["digest"]
    model = json.loads((place / "artifacts/bundles" / digest / "model.json").read_text())
    rivals = {"the tutorial's model by hand": ("GradientBoostingRegressor", {}, "tutorial.joblib")}
    if len(model["members"]) == 1:  # a blend is more than a script
        member = model["members"][0]
        same, settings = CLASSES[member["candidate"]], dict(member["settings"])
        settings.pop("native_levels", None)
        if "penalty" in settings:
            settings["alpha"] = settings.pop("penalty")
        rivals[f"the same model by hand ({same})"] = (same, settings, "same.joblib")
    for name, settings, file in rivals.values():
        _run([sys.executable, "-c", TRAINING, name, json.dumps(settings), file], place)
    return {title: [sys.executable, "-c", SCRIPT, file] for title, (_, _, file) in rivals.items()}


def _polars() -> Path:
    """The Python that has it."""
    folder = ROOT / "build" / POLARS.replace("==", "-")
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    subprocess.run([python, "-m", "pip", "install", "--quiet", POLARS], check=True)
    return python


def _write_table(path: Path, rows: int) -> None:
    """Rows like those of the sample, with all its columns, none of them outside of what training saw."""
    with path.with_name("table.csv").open(newline="") as file:
        sample = list(csv.DictReader(file))
    bmi, charges = ([float(row[name]) for row in sample] for name in ("bmi", "charges"))
    random = np.random.default_rng(0)
    with path.open("w") as file:
        file.write("age,sex,bmi,children,smoker,region,charges\n")
        for begin in range(0, rows, CHUNK):
            count = min(CHUNK, rows - begin)
            columns = (
                random.integers(19, 64, count).tolist(),
                random.choice(["female", "male"], count).tolist(),
                np.round(random.uniform(min(bmi) + 0.5, max(bmi) - 0.5, count), 2).tolist(),
                random.integers(0, 6, count).tolist(),
                random.choice(["yes", "no"], count).tolist(),
                random.choice(["northeast", "northwest", "southeast", "southwest"], count).tolist(),
                np.round(random.uniform(min(charges), max(charges), count), 5).tolist(),
            )
            file.writelines("%d,%s,%s,%d,%s,%s,%s\n" % row for row in zip(*columns))


def _run(command: list[str], place: Path) -> None:
    subprocess.run(command, cwd=place, env=_environ(), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _environ() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("SLIPWAY_")} | {
        "PYTHONPATH": str(ROOT / "src"),
    }


def _measure(command: list[str], place: Path) -> tuple[float, float, float]:
    """Seconds, seconds of processors, and the most megabytes resident, of a process."""
    begun = time.perf_counter()
    process = subprocess.Popen(command, cwd=place, env=_environ(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - begun
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)[:200]} failed")
    return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def _report(found: dict[str, list[tuple[float, float, float]]], rows: int) -> None:
    medians = {name: [statistics.median(each) for each in zip(*turns)] for name, turns in found.items()}
    seconds, busy, _ = medians["slipway"]
    for name, turns in found.items():
        most = max(megabytes for _, _, megabytes in turns)
        says = f"{name}: {rows / medians[name][0]:,.0f} rows a second, {most:.0f} MB"
        if name != "slipway":
            times = f"{seconds / medians[name][0]:.2f} of its time, {busy / medians[name][1]:.2f} of its processors' time"
            says += f"; slipway takes {times}"
        print(says)


if __name__ == "__main__":
    main()
