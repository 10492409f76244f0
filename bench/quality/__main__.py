"""Slipway beside other tools on real tables: each is given the same 80 % of the rows and asked for the other 20 %.

Every tool runs as a process of its own in an environment of its own; start, training and answering count as its time.
Results are appended to a file, so a run can be ended and resumed; a table of them is printed at the end.

    python bench/quality                             # two quick tables, two repeats, without FLAML and PyCaret
    python bench/quality --tables all --tools all --repeats 20
    python bench/quality --report                    # only print what was measured so far
"""

import argparse
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from environments import PLACE, python_of
from public_tables import TABLES, table
from ranking import printed
from sklearn.metrics import log_loss, roc_auc_score, root_mean_squared_error
from sklearn.model_selection import train_test_split

HERE = Path(__file__).resolve().parent
RESULTS = PLACE / "results.jsonl"
METRICS = {"regression": "rmse", "binary": "roc_auc", "multiclass": "log_loss"}
TOOLS = {  # name → environment, script, most repeats
    "Slipway": ("slipway", "slipway_train", 20),
    "HistGradientBoosting": ("defaults", "by_hand", 20),
    "LightGBM": ("defaults", "by_hand", 20),
    "linear": ("defaults", "by_hand", 20),
    "forest": ("defaults", "by_hand", 20),
    "FLAML 60 s": ("flaml", "flaml_60", 20),
    "PyCaret": ("pycaret", "pycaret_tuned", 5),
}
QUICK = ("Slipway", "HistGradientBoosting", "LightGBM", "linear", "forest")
LIMIT = 3_600  # seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tables", default="insurance,loan", help="names, or all, tuned, untouched")
    parser.add_argument("--tools", default=",".join(QUICK), help="names, or all")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--version", default="", help="a word that tells these results of Slipway from others")
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    PLACE.mkdir(parents=True, exist_ok=True)
    if not arguments.report:
        measure(_tables(arguments.tables), _tools(arguments.tools), arguments.repeats, arguments.version)
    print(printed(_results(), arguments.version))


def _tables(names: str) -> list[str]:
    sets = {
        "all": list(TABLES),
        "tuned": [name for name in TABLES if TABLES[name].tuned],
        "untouched": [name for name in TABLES if not TABLES[name].tuned],
    }
    return sets.get(names) or names.split(",")


def _tools(names: str) -> list[str]:
    return list(TOOLS) if names == "all" else names.split(",")


def _results() -> list[dict]:
    return [json.loads(line) for line in RESULTS.read_text().splitlines()] if RESULTS.exists() else []


def measure(tables: list[str], tools: list[str], repeats: int, version: str) -> None:
    """Run what was not run yet, the tools in turn for each repeat."""
    done = {(one["table"], one["repeat"], one["tool"], one["version"]) for one in _results()}
    for repeat in range(repeats):
        for name in tables:
            for tool in tools:
                told = version if tool == "Slipway" else ""
                if (name, repeat, tool, told) in done or repeat >= TOOLS[tool][2]:
                    continue
                found = {"table": name, "repeat": repeat, "tool": tool, "version": told} | run(name, tool, repeat)
                with RESULTS.open("a") as file:
                    file.write(json.dumps(found) + "\n")
                print(json.dumps(found), flush=True)


def run(name: str, tool: str, repeat: int) -> dict:
    """One tool on one division of one table: its value of the metric and its seconds, or how it failed."""
    source, (environment, script, _) = TABLES[name], TOOLS[tool]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        truth = _divide(pd.read_csv(table(name, PLACE / "tables")), source.target, source.task, repeat, place)
        metric = METRICS[source.task]
        asked = {
            "tool": tool,
            "task": source.task,
            "metric": metric,
            "target": source.target,
            "seed": repeat,
            **{key: str(place / f"{key}.csv") for key in ("train", "test", "out")},
        }
        command = [python_of(environment), str(HERE / "tools" / f"{script}.py"), json.dumps(asked)]
        began = time.monotonic()
        try:
            ended = subprocess.run(command, cwd=place, capture_output=True, text=True, timeout=LIMIT)
        except subprocess.TimeoutExpired:
            return {"failed": f"not done after {LIMIT} s"}
        spent = {"seconds": round(time.monotonic() - began, 1)}
        if ended.returncode:
            return spent | {"failed": ended.stderr.strip().splitlines()[-1][:200] if ended.stderr.strip() else "no message"}
        return spent | {"metric": metric, "value": _reached(metric, truth, pd.read_csv(place / "out.csv"))}


def _divide(frame: pd.DataFrame, target: str, task: str, repeat: int, place: Path) -> pd.Series:
    frame = frame[frame[target].notna()]
    classes = frame[target] if task != "regression" else None
    train, test = train_test_split(frame, test_size=0.2, random_state=repeat, stratify=classes)
    train.to_csv(place / "train.csv", index=False)
    test.drop(columns=target).to_csv(place / "test.csv", index=False)
    return test[target]


def _reached(metric: str, truth: pd.Series, answers: pd.DataFrame) -> float:
    if metric == "rmse":
        return float(root_mean_squared_error(truth, answers["prediction"]))
    names = sorted(truth.astype(str).unique())
    shares = answers[names].to_numpy()
    if metric == "roc_auc":
        return float(roc_auc_score(truth.astype(str) == names[1], shares[:, 1]))
    return float(log_loss(truth.astype(str), np.clip(shares, 1e-15, 1), labels=names))


if __name__ == "__main__":
    main()
