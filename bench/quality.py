"""Slipway against scikit-learn by hand, on the same held-out rows, over many salts.

For every salt the table is divided as Slipway divides it. On the training rows Slipway compares and picks as `slipway train`
does; beside it a person's usual pipelines are fitted: one-hot levels, filled numbers, each estimator with its
defaults. Printed are the means over salts and, for each rival, Slipway's mean advantage with its standard error.

    python bench/quality.py --salts 20               # the sample table of the insurance charges
    python bench/quality.py slipway.yaml --salts 20  # a problem of yours, whose table is there
"""

import argparse
import csv
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from msgspec.structs import replace
from sklearn.compose import make_column_transformer
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from slipway.model.predictor import Predictor
from slipway.problem import Holdout, Problem, load_problem
from slipway.sources.samples import ROWS, SAMPLES
from slipway.table.schema import Schema
from slipway.threads import cores, pin_threads
from slipway.training.candidates import skewed, trials
from slipway.training.challenger import challenger
from slipway.training.dataset import Table, read
from slipway.training.metrics import METRICS, value
from slipway.training.search import search

RIVALS = {
    "regression": {
        "HistGradientBoosting": HistGradientBoostingRegressor,
        "linear": LinearRegression,
        "forest": RandomForestRegressor,
        "GradientBoosting": GradientBoostingRegressor,
    },
    "binary": {
        "HistGradientBoosting": HistGradientBoostingClassifier,
        "linear": lambda **kwargs: LogisticRegression(max_iter=1_000, **kwargs),
        "forest": RandomForestClassifier,
        "GradientBoosting": GradientBoostingClassifier,
    },
}


def frame_of(schema: Schema, columns: dict) -> pd.DataFrame:
    """The typed columns as a person would have them in pandas."""
    cells = {}
    for field in schema:
        column = columns[field.name]
        if field.type == "category":
            levels = np.array([*field.levels, np.nan], dtype=object)
            column = levels[column]
        cells[field.name] = column
    return pd.DataFrame(cells)


def by_hand(estimator, schema: Schema):
    """The usual pipeline."""
    numbers = [field.name for field in schema if field.type != "category"]
    levels = [field.name for field in schema if field.type == "category"]
    return make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            (
                make_pipeline(
                    SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False)
                ),
                levels,
            ),
        ),
        estimator,
    )


def slipway_reaches(problem, table: Table) -> float:
    log_target = table.rows.task == "regression" and skewed(table.learned.y)
    compared = trials(problem.candidates, problem.search.trials, table.rows.task, problem.seed, log_target)
    found = search(table.learned, compared, table.goal, cores(), bound=problem.serving.max_row_microseconds)
    draft, _ = challenger(table, found.entries)
    predictor = Predictor(draft)
    return value(
        table.goal.metric, table.goal.scored(table.unseen.y, predictor.scores(table.unseen.columns), predictor.threshold)
    )


def rival_reaches(estimator, table: Table) -> float:
    schema = table.rows.schema
    fitted = by_hand(estimator, schema).fit(frame_of(schema, table.learned.columns), table.learned.y)
    rows = frame_of(schema, table.unseen.columns)
    scores = fitted.predict(rows) if table.rows.task == "regression" else fitted.predict_proba(rows)[:, 1]
    return value(table.goal.metric, table.goal.scored(table.unseen.y, scores, 0.5))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("problem", nargs="?")
    parser.add_argument("--salts", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        compare_with_rivals(load_problem(arguments.problem or sample_problem(Path(place))), arguments.salts)


def sample_problem(place: Path) -> Path:
    """Write the insurance sample and a slipway.yaml for it."""
    with open(place / "table.csv", "w", newline="") as table:
        csv.writer(table).writerows(SAMPLES["insurance"](ROWS["insurance"]))
    (place / "slipway.yaml").write_text("name: bench\nsource: table.csv\ntarget: charges\n")
    return place / "slipway.yaml"


def compare_with_rivals(problem: Problem, salts: int) -> None:
    """Print the means over all salts, and Slipway's advantage over each rival."""
    reached: dict[str, list[float]] = {}
    for salt in range(salts):
        drawn = replace(problem, holdout=Holdout(share=problem.holdout.share, salt=f"salt {salt}"))
        table = read(drawn)
        reached.setdefault("Slipway", []).append(slipway_reaches(drawn, table))
        for name, rival in RIVALS[table.rows.task].items():
            seeded = {} if name == "linear" else {"random_state": 0}
            reached.setdefault(name, []).append(rival_reaches(rival(**seeded), table))
    sign = 1 if METRICS[table.goal.metric].greater_is_better else -1
    print(f"{table.goal.metric} on held-out rows, mean of {salts} salts")
    own = np.array(reached["Slipway"])
    for name, values in reached.items():
        gain = sign * (own - values)
        error = gain.std(ddof=1) / np.sqrt(len(gain))
        print(f"  {name:<22} {np.mean(values):.5g}   Slipway better by {gain.mean():.4g} ± {error:.2g}")


if __name__ == "__main__":
    pin_threads()
    main()
