"""What each kind of model needs done to its columns, learned from the training rows alone."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from slipway.model.encoding import Encoding, Output
from slipway.table.derived import learned
from slipway.table.schema import MISSING, Columns, Field, Schema
from slipway.training.fitting.target_means import means

RARE = 10
MOST_LEVELS = 40
MOST_NATIVE = 250  # scikit-learn's boosting has 255 bins a column
LONG_TAIL = 2.0
DATE_PARTS = ("month", "weekday", "day_of_year")
LOG_TAILS = "log_tails"  # the setting of a linear model that leaves long tails as they are when it is false
NATIVE = "native_levels"  # the setting of a candidate that splits by sets of levels
NONE: Mapping[str, Any] = {}


def for_trees(
    schema: Schema, columns: Columns, aims: np.ndarray | None = None, settings: Mapping[str, Any] = NONE
) -> Encoding:
    """Numbers as they are (NaN goes the way each split learned); levels as one column of ranks, or one per common level.

    Parameters
    ----------
    schema : Schema
    columns : Columns
    aims : ndarray of shape (rows, k), optional
        The target, by which levels are ranked and, where there are many, told: numbers, or 0 and 1 for each class.
    settings : mapping
        Of the candidate; with ``native_levels`` levels are ranked.
    """
    computed = learned(schema, columns)
    columns, outputs = computed.with_columns(columns), []
    for field in (*schema, *computed.fields):
        column = columns[field.name]
        if field.type != "category":
            outputs.append(Output("value", field.name))
        else:
            ranks = _ranks(field, column, aims) if aims is not None and settings.get(NATIVE) else []
            outputs += ranks + _means(field, column, aims) or _levels(field, column)
        if field.type == "date":
            times = (column[~np.isnan(column)] % 1).any()
            outputs += [Output(part, field.name) for part in (*DATE_PARTS, *(["hour"] if times else []))]
    return Encoding(schema, tuple(outputs), computed.features)


def for_forest(
    schema: Schema, columns: Columns, aims: np.ndarray | None = None, settings: Mapping[str, Any] = NONE
) -> Encoding:
    """The same with ranks, whatever the settings say: a split of ranks by a threshold parts low levels from high ones."""
    return for_trees(schema, columns, aims, {NATIVE: True})


def for_linear(
    schema: Schema, columns: Columns, aims: np.ndarray | None = None, settings: Mapping[str, Any] = NONE
) -> Encoding:
    """Numbers filled by their median, all standardised; missing cells and levels as flags.

    Long tails are on a log scale unless the setting ``log_tails`` is false: which is better depends on the table.
    """
    log_tails = settings.get(LOG_TAILS, True)
    computed = learned(schema, columns)
    columns, outputs = computed.with_columns(columns), []
    for field in (*schema, *computed.fields):
        column = columns[field.name]
        if field.type == "category":
            outputs += _means(field, column, aims) or _levels(field, column)
            continue
        kind = "log" if log_tails and field.type != "date" and _long_tailed(column) else "value"
        outputs.append(Output(kind, field.name, fill=0.0))
        if np.isnan(column).any():
            outputs.append(Output("missing", field.name))
    return _standardised(Encoding(schema, tuple(outputs), computed.features), columns)


def _standardised(draft: Encoding, columns: Columns) -> Encoding:
    unfilled = replace(draft, outputs=tuple(replace(each, fill=None) for each in draft.outputs))
    matrix = unfilled.encode(columns)
    outputs = []
    for output, values in zip(draft.outputs, matrix.T):
        known = values[~np.isnan(values)]
        median = len(known) and output.fill is not None and output.kind != "mean"
        fill = float(np.median(known)) if median else output.fill
        filled = np.where(np.isnan(values), fill, values) if fill is not None else values
        spread = float(filled.std())
        outputs.append(replace(output, fill=fill, mean=float(filled.mean()), scale=spread or 1.0))
    return replace(draft, outputs=tuple(outputs))


def _levels(field: Field, codes: np.ndarray) -> list[Output]:
    """One output per common level, one for all rare ones together (unseen ones join them), one for missing cells."""
    common = _common(field, codes, MOST_LEVELS)
    rare = tuple(level for code, level in enumerate(field.levels) if code not in common)
    kept = [Output("level", field.name, (field.levels[code],)) for code in sorted(common)]
    if not rare and len(kept) == 2 and not (codes == MISSING).any():
        return kept[1:]  # two levels: one output says it all
    outputs = kept + ([Output("level", field.name, rare, unseen=True)] if rare else [])
    return outputs + ([Output("missing", field.name)] if (codes == MISSING).any() else [])


def _means(field: Field, codes: np.ndarray, aims: np.ndarray | None) -> list[Output]:
    """The mean target of each level, where there are too many levels for one output each; else nothing."""
    many = len(np.unique(codes[codes >= 0])) > MOST_LEVELS
    return means(field, codes, aims) if many and aims is not None else []


def _ranks(field: Field, codes: np.ndarray, aims: np.ndarray) -> list[Output]:
    """One output with the rank of each common level by the mean of the target; rare ones share a rank, unseen ones theirs.

    The order makes sets of levels that are split alike neighbours, so that few thresholds say them.
    """
    common = _common(field, codes, MOST_NATIVE)
    known = codes[codes >= 0]
    counts = np.bincount(known, minlength=len(field.levels))
    if not common:
        return []
    rare = [code for code in np.flatnonzero(counts).tolist() if code not in common]
    groups = [[code] for code in sorted(common)] + ([rare] if rare else [])
    sums = np.array([np.bincount(known, aim[codes >= 0], len(field.levels)) for aim in aims.T])
    sizes = np.array([counts[group].sum() for group in groups])
    places = _on_a_line(np.array([sums[:, group].sum(axis=1) for group in groups]) / sizes[:, None], sizes)
    rank = {groups[place][0]: float(order) for order, place in enumerate(np.argsort(places, kind="stable"))}
    other = rank.pop(rare[0]) if rare else None
    levels = tuple(field.levels[code] for code in rank)
    return [Output("rank", field.name, levels, values=tuple(rank.values()), other=other)]


def _on_a_line(means: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Means of shape (groups, k) as one number each: of several classes, along the axis on which their shares differ most.

    Source: Coppersmith, Hong and Hosking, "Partitioning nominal attributes in decision trees", Data Mining and Knowledge
    Discovery 3 (1999).
    """
    if means.shape[1] == 1:
        return means[:, 0]
    centred = means - np.average(means, axis=0, weights=sizes)
    axis = np.linalg.svd(centred * np.sqrt(sizes)[:, None], full_matrices=False)[2][0]
    axis = axis * np.sign(axis[np.abs(axis).argmax()])  # a direction has two signs
    line: np.ndarray = np.round(centred @ axis, 9)
    return line


def columns_of_levels(schema: Schema) -> int:
    """About how many outputs the levels of all categories make, one for each."""
    numbers = [len(field.levels) for field in schema if field.type == "category"]
    return sum(number for number in numbers if number <= MOST_LEVELS)


def _common(field: Field, codes: np.ndarray, most: int) -> set[int]:
    """The codes of the levels that have enough rows to learn from, at most so many."""
    counts = np.bincount(codes[codes >= 0], minlength=len(field.levels))
    ranked = np.argsort(-counts, kind="stable")
    return {int(code) for code in ranked[:most] if counts[code] >= min(RARE, len(codes) / 20)}


def _long_tailed(column: np.ndarray) -> bool:
    known = column[~np.isnan(column)]
    spread = known.std() if len(known) else 0.0
    return bool(spread > 0 and abs((((known - known.mean()) / spread) ** 3).mean()) > LONG_TAIL)
