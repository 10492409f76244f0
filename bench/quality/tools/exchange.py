"""What a tool is given, and what it gives back: train.csv, test.csv without the target, and a CSV file of its answers."""

import json
import sys

import pandas as pd


def given() -> dict:
    """Paths and settings of one run, from the command line."""
    return json.loads(sys.argv[1])


def tables(run: dict) -> tuple[pd.DataFrame, pd.Series, pd.DataFrame]:
    """Features and target to learn from, and the features to answer."""
    train, test = pd.read_csv(run["train"]), pd.read_csv(run["test"])
    target = train.pop(run["target"])
    return train, target if run["task"] == "regression" else target.astype(str), test


def answer(run: dict, values, classes=None) -> None:
    """Write predicted numbers, or a column of probabilities per class."""
    columns = ["prediction"] if classes is None else [str(name) for name in classes]
    pd.DataFrame(values, columns=columns).to_csv(run["out"], index=False)
