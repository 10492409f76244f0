"""What each kind of model needs done to its columns, learned from the training rows alone."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from slipway.model.encoding import Encoding, Output
from slipway.table.derived import learned
from slipway.table.schema import MISSING, Columns, Field, Schema

RARE = 10
MOST_LEVELS = 40
MOST_NATIVE = 250  # scikit-learn's boosting has 255 bins a column
LONG_TAIL = 2.0
NATIVE = "native_levels"  # the setting of a candidate that splits by sets of levels
NONE: Mapping[str, Any] = {}


def for_trees(schema: Schema, columns: Columns, y: np.ndarray | None = None, settings: Mapping[str, Any] = NONE) -> Encoding:
    """Numbers as they are (NaN goes the way each split learned); levels as one column of ranks, or one per common level.

    Parameters
    ----------
    schema : Schema
    columns : Columns
    y : ndarray, optional
        The target, by which ``native_levels`` ranks levels.
    settings : mapping
        Of the candidate.
    """
    computed = learned(schema, columns)
    columns, outputs = computed.with_columns(columns), []
    for field in (*schema, *computed.fields):
        if field.type == "category" and settings.get(NATIVE) and y is not None:
            outputs.append(_ranks(field, columns[field.name], y))
        elif field.type == "category":
            outputs += _levels(field, columns[field.name])
        else:
            outputs.append(Output("value", field.name))
        if field.type == "date":
            outputs += [Output("month", field.name), Output("weekday", field.name)]
    return Encoding(schema, tuple(outputs), computed.features)


def for_linear(schema: Schema, columns: Columns, y: np.ndarray | None = None, settings: Mapping[str, Any] = NONE) -> Encoding:
    """Numbers filled by their median, long tails on a log scale, all standardised; missing cells and levels as flags."""
    computed = learned(schema, columns)
    columns, outputs = computed.with_columns(columns), []
    for field in (*schema, *computed.fields):
        column = columns[field.name]
        if field.type == "category":
            outputs += _levels(field, column)
            continue
        kind = "log" if field.type != "date" and _long_tailed(column) else "value"
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
        fill = float(np.median(known)) if len(known) and output.fill is not None else output.fill
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


def _ranks(field: Field, codes: np.ndarray, y: np.ndarray) -> Output:
    """One output with the rank of each level by the mean of the target; rare levels share a rank, unseen ones theirs.

    The order makes sets of levels that are split alike neighbours, so that few thresholds say them.
    """
    common = _common(field, codes, MOST_NATIVE)
    counts = np.bincount(codes[codes >= 0], minlength=len(field.levels))
    if not counts.any():
        return Output("missing", field.name)
    groups = [[code] for code in sorted(common)]
    if rare := [code for code in np.flatnonzero(counts).tolist() if code not in common]:
        groups.append(rare)
    sums = np.bincount(codes[codes >= 0], weights=y[codes >= 0], minlength=len(field.levels))
    groups.sort(key=lambda group: float(sums[group].sum() / counts[group].sum()))
    rank = {code: float(place) for place, group in enumerate(groups) for code in group}
    other = rank[rare[0]] if rare else None
    return Output("lookup", field.name, tuple(field.levels[code] for code in rank), values=tuple(rank.values()), other=other)


def _common(field: Field, codes: np.ndarray, most: int) -> set[int]:
    """The codes of the levels that have enough rows to learn from, at most so many."""
    counts = np.bincount(codes[codes >= 0], minlength=len(field.levels))
    ranked = np.argsort(-counts, kind="stable")
    return {int(code) for code in ranked[:most] if counts[code] >= min(RARE, len(codes) / 20)}


def _long_tailed(column: np.ndarray) -> bool:
    known = column[~np.isnan(column)]
    spread = known.std() if len(known) else 0.0
    return bool(spread > 0 and abs((((known - known.mean()) / spread) ** 3).mean()) > LONG_TAIL)
