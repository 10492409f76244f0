"""Trained models for devices: small ones of every kind, and the problems of this repository."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
from flask import Flask

from servers import ROOT
from slipway.problem import load_problem
from slipway.serving.factory import build
from slipway.sources.samples import SAMPLES
from slipway.store.local import LocalStore
from slipway.store.pointer import Pointer
from slipway.training.train import train

EXAMPLES = {"insurance": ROOT, "loan": ROOT / "examples" / "loan", "truck": ROOT / "examples" / "truck"}
FEATURES = """
features:
  stay: left - joined
  ratio: income / (`in debt` + 1)
  size: quantiles(income, 4)
  season: month(joined)
  scale: log(income)
"""


def table(task: str, rows: int = 300) -> pd.DataFrame:
    """Numbers, one of them skewed, levels, dates, and missing cells of each; the target hangs on most of them."""
    draw = np.random.default_rng(3)
    income, debt = np.round(draw.lognormal(8, 1.5, rows), 2), draw.integers(0, 500, rows)
    town = draw.choice(["Köln", "Bonn", "Ulm", "Jena", "Hof"], rows, p=[0.4, 0.3, 0.2, 0.07, 0.03])
    joined = np.datetime64("2020-01-01") + draw.integers(0, 900, rows)
    left = joined.astype("datetime64[m]") + draw.integers(0, 500_000, rows)
    raw = np.log(income) - 0.004 * debt + (town == "Bonn") + draw.normal(0, 0.3, rows)
    answer = np.digitize(raw, {"binary": [7.5], "multiclass": [6.5, 8]}.get(task, []))
    target = np.exp(np.clip(raw, 0, 12)).round(3) if task == "regression" else np.array(["no", "maybe", "yes"])[answer]
    frame = pd.DataFrame({"income": income, "in debt": debt, "town": town, "joined": joined, "left": left})
    frame = frame.astype(str).assign(target=target.astype(str))
    for place, name in enumerate(("income", "in debt", "town", "left")):
        frame.loc[place :: 11 + place, name] = "NA"
    return frame


def app_of_training(folder: Path, text: str) -> Flask:
    """Train what the text of a slipway.yaml says, and serve it whatever the gate says."""
    (folder / "slipway.yaml").write_text(text)
    problem = load_problem(folder / "slipway.yaml", environ={})
    store = LocalStore(folder / "artifacts")
    digest = train(problem, store, inputs={"data": "0"}, jobs=1).bundle.digest
    store.point(Pointer(digest, problem.name))
    return build(problem, {})


def trained(folder: Path, task: str, candidates: str) -> Flask:
    """A model of the table, with own features."""
    folder.mkdir(parents=True)
    table(task).to_csv(folder / "table.csv", index=False)
    head = f"name: p\nsource: table.csv\ntarget: target\ntask: {task}\n"
    return app_of_training(folder, f"{head}candidates: [{candidates}]\nsearch: {{trials: 1}}\n{FEATURES}")


def example(folder: Path, name: str) -> Flask:
    """One of the problems of this repository, small."""
    folder.mkdir(parents=True)
    with (folder / "table.csv").open("w", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows(SAMPLES[name](700 if name == "truck" else 400))
    lines = (EXAMPLES[name] / "slipway.yaml").read_text().splitlines()
    kept = [line for line in lines if not line.startswith(("source:", "fetch:"))]
    cheap = f"\nsource: table.csv\ncandidates: [{'linear' if name == 'truck' else 'boosting'}]\nsearch: {{trials: 1}}\n"
    return app_of_training(folder, "\n".join(kept).replace("to: files", "to: none") + cheap)
