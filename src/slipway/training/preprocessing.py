"""What each kind of model needs done to its columns, learned from the training rows alone."""

import numpy as np

from slipway.model.encoding import Encoding, Output
from slipway.table.schema import MISSING, Columns, Field, Schema

RARE = 10
MOST_LEVELS = 40
LONG_TAIL = 2.0


def for_trees(schema: Schema, columns: Columns) -> Encoding:
    """Numbers as they are (NaN goes the way each split learned), one output per common level."""
    outputs = []
    for field in schema:
        if field.type == "category":
            outputs += _levels(field, columns[field.name])
        else:
            outputs.append(Output("value", field.name))
        if field.type == "date":
            outputs += [Output("month", field.name), Output("weekday", field.name)]
    return Encoding(schema, tuple(outputs))


def for_linear(schema: Schema, columns: Columns) -> Encoding:
    """Numbers filled by their median, long tails on a log scale, all standardised; missing cells and levels as flags."""
    outputs = []
    for field in schema:
        column = columns[field.name]
        if field.type == "category":
            outputs += _levels(field, column)
            continue
        kind = "log" if field.type != "date" and _long_tailed(column) else "value"
        outputs.append(Output(kind, field.name, fill=0.0))
        if np.isnan(column).any():
            outputs.append(Output("missing", field.name))
    return _standardised(Encoding(schema, tuple(outputs)), columns)


def _standardised(draft: Encoding, columns: Columns) -> Encoding:
    unfilled = Encoding(draft.schema, tuple(Output(each.kind, each.field, each.levels, each.unseen) for each in draft.outputs))
    matrix = unfilled.encode(columns)
    outputs = []
    for output, values in zip(draft.outputs, matrix.T):
        known = values[~np.isnan(values)]
        fill = float(np.median(known)) if len(known) and output.fill is not None else output.fill
        filled = np.where(np.isnan(values), fill, values) if fill is not None else values
        spread = float(filled.std())
        outputs.append(
            Output(output.kind, output.field, output.levels, output.unseen, fill, float(filled.mean()), spread or 1.0)
        )
    return Encoding(draft.schema, tuple(outputs))


def _levels(field: Field, codes: np.ndarray) -> list[Output]:
    """One output per common level, one for all rare ones together (unseen ones join them), one for missing cells."""
    counts = np.bincount(codes[codes >= 0], minlength=len(field.levels))
    ranked = np.argsort(-counts, kind="stable")
    common = {int(code) for code in ranked[:MOST_LEVELS] if counts[code] >= min(RARE, len(codes) / 20)}
    rare = tuple(level for code, level in enumerate(field.levels) if code not in common)
    kept = [Output("level", field.name, (field.levels[code],)) for code in sorted(common)]
    if not rare and len(kept) == 2 and not (codes == MISSING).any():
        return kept[1:]  # two levels: one output says it all
    outputs = kept + ([Output("level", field.name, rare, unseen=True)] if rare else [])
    return outputs + ([Output("missing", field.name)] if (codes == MISSING).any() else [])


def _long_tailed(column: np.ndarray) -> bool:
    known = column[~np.isnan(column)]
    spread = known.std() if len(known) else 0.0
    return bool(spread > 0 and abs((((known - known.mean()) / spread) ** 3).mean()) > LONG_TAIL)
