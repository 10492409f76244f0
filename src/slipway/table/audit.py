"""What is wrong in a table, column by column, by a schema."""

from collections.abc import Collection
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd

from slipway.errors import TableError
from slipway.table.cell import Markers, no_markers, reader_of
from slipway.table.cells import Cells, cells_of, junk_says, typed
from slipway.table.schema import UNSEEN, Field, Schema


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a column."""

    column: str
    says: str


def audit(
    frame: pd.DataFrame, schema: Schema, others: Collection[str] = (), markers: Markers = no_markers
) -> list[Finding]:
    """Findings in the order of the schema; `others` are columns that may be there without being fields."""
    findings = []
    for field in schema:
        if field.name not in frame.columns:
            near = get_close_matches(field.name, [str(name) for name in frame.columns if name not in schema.names], 1)
            findings.append(Finding(field.name, "is not in the table" + (f"; is it {near[0]!r}?" if near else "")))
            continue
        cells = cells_of(frame[field.name], reader_of(field, markers(field.name)))
        findings += [Finding(field.name, says) for says in _look(cells, field)]
    for name in frame.columns:
        if name not in schema.names and name not in others:
            findings.append(Finding(str(name), "is not a field of the schema"))
    return findings


def _look(cells: Cells, field: Field) -> list[str]:
    says = []
    if cells.missing.any() and not field.optional:
        rows = np.nonzero(cells.missing)[0] + 1
        says.append(f"{len(rows)} cells are missing (first in row {rows[0]}); training had none")
    if not cells.texts:
        return says
    try:
        values = typed(cells, field)
    except TableError as error:
        return [*says, error.cause.partition(": ")[2]]
    if field.type == "category":
        unseen = ~np.isin(cells.texts, field.levels)
        if (values == UNSEEN).any():
            says.append(f"{junk_says(cells, unseen)}, which training never saw")
        return says
    if field.type == "integer":
        fractions = values != np.round(values)
        fractions &= ~np.isnan(values)
        if fractions.any():
            says.append(f"{fractions.sum()} cells are not whole (first in row {np.nonzero(fractions)[0][0] + 1})")
    outside = (values < field.minimum) | (values > field.maximum)
    if outside.any():
        first = np.nonzero(outside)[0][0] + 1
        says.append(f"{outside.sum()} cells are outside the range of training {field.range} (first in row {first})")
    return says
