"""Content of the model card beyond the bundle's own documents."""

from collections.abc import Mapping, Sequence

from slipway.model.contents import Estimate, Ranked
from slipway.report.numbers import number
from slipway.serving.chart import Bar
from slipway.serving.form import plain, typical
from slipway.table.dates import show_date
from slipway.table.schema import Field

MOST_LEVELS = 12
MOST_FIELDS = 15

MEANINGS = {
    "rmse": "typical error; large errors weigh more",
    "mae": "average size of the error",
    "r2": "share of the variation that the model explains",
    "roc_auc": "probability that a positive row ranks above a negative one",
    "pr_auc": "average precision over all thresholds",
    "log_loss": "penalty for probabilities that miss the true label",
    "brier": "squared error of the probability",
    "accuracy": "share of correct labels",
    "balanced_accuracy": "share of correct labels; every class has the same weight",
    "f1": "balance of precision and recall of the positive label",
    "f1_macro": "balance of precision and recall; mean over the classes",
    "cost": "average cost per row, with the declared costs",
}

PLOTS = {
    "regression": "Two plots of the held-out rows: actual against predicted values, and the errors.",
    "binary": "Two plots of the held-out rows: calibration, and probabilities with the threshold.",
    "multiclass": "Table of the held-out rows: actual against predicted class.",
}


def describe(fields: Sequence[Field]) -> list[tuple[Field, str, str]]:
    """Each field with its range or levels and a typical value, in words."""
    return [(field, _allowed(field), typical(field)) for field in fields]


def importance_bars(importance: Sequence[tuple[str, float]]) -> list[Bar]:
    """The fields with the most influence on the answer, without those that have none."""
    useful = [(name, loss) for name, loss in importance[:MOST_FIELDS] if loss > 0]
    return [Bar(name, "", number(loss), 0, round(100 * loss / useful[0][1], 2), True) for name, loss in useful]


def best_of_each(leaderboard: Sequence[Ranked]) -> list[Ranked]:
    """The first entry of each candidate of a leaderboard, which is sorted."""
    best: dict[str, Ranked] = {}
    for entry in leaderboard:
        best.setdefault(entry.candidate, entry)
    return list(best.values())


def deciding_first(measured: Mapping[str, Estimate], metric: str) -> list[tuple[str, Estimate]]:
    """Name and value of each metric; the one that the gate decides by is the first."""
    return sorted(measured.items(), key=lambda pair: pair[0] != metric)


def _allowed(field: Field) -> str:
    if field.type == "category":
        more = len(field.levels) - MOST_LEVELS
        return ", ".join(field.levels[:MOST_LEVELS]) + (f" and {more} more" if more > 0 else "")
    if field.minimum is None or field.maximum is None:
        return ""
    show = show_date if field.type == "date" else plain
    return f"{show(field.minimum)} to {show(field.maximum)}"
