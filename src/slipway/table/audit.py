"""What is unlike the schema in a table, column by column."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd

from slipway.errors import TableError
from slipway.table.cells import Cells, cells_of, junk_says, typed
from slipway.table.rules import Rule
from slipway.table.schema import UNSEEN


@dataclass(frozen=True)
class Finding:
    """One difference between a column and the schema.

    Parameters
    ----------
    column : str
    says : str
    rejects : bool
        Whether rows cannot be answered because of it.
    """

    column: str
    says: str
    rejects: bool = True


def audit(frame: pd.DataFrame, rules: Iterable[Rule], others: Collection[str] = ()) -> list[Finding]:
    """Findings in the order of the rules; `others` are columns that may be there without being fields."""
    findings = []
    fields = {rule.field.name: rule for rule in rules}
    for name, rule in fields.items():
        if name not in frame.columns:
            near = get_close_matches(name, [str(column) for column in frame.columns if column not in fields], 1)
            findings.append(Finding(name, "is not in the table" + (f"; is it {near[0]!r}?" if near else "")))
        else:
            findings += _look(cells_of(frame[name], rule.reader), rule)
    return [*findings, *ignored(map(str, frame.columns), fields, others)]


def ignored(names: Iterable[str], fields: Collection[str], others: Collection[str] = ()) -> list[Finding]:
    """Findings on the columns of a table that are neither fields nor among `others`."""
    strange = (name for name in names if name not in fields and name not in others)
    return [Finding(name, "is not a field of the schema; ignored", rejects=False) for name in strange]


def _look(cells: Cells, rule: Rule) -> list[Finding]:
    field, found = rule.field, []
    if cells.missing.any() and not field.optional:
        found.append(Finding(field.name, f"{_count(cells.missing, 'missing')}; training had no missing cells here"))
    if not cells.texts:
        return found
    try:
        values = typed(cells, field)
    except TableError as error:
        return [*found, Finding(field.name, error.cause.partition(": ")[2])]
    if field.type == "category":
        if (values == UNSEEN).any():
            says = f"{junk_says(cells, ~np.isin(cells.texts, field.levels))}, which training never saw"
            found.append(_finding(field.name, says, rule.closed_levels))
        return found
    if field.type == "integer" and (fractions := (values != np.round(values)) & ~np.isnan(values)).any():
        found.append(Finding(field.name, _count(fractions, "not an integer", "not integers")))
    outside = (values < field.minimum) | (values > field.maximum)
    if outside.any():
        refused = rule.is_number and ((values < rule.low) | (values > rule.high)).any()
        found.append(_finding(field.name, _count(outside, f"outside the range of training, {field.range}"), bool(refused)))
    return found


def _finding(name: str, says: str, rejects: bool) -> Finding:
    return Finding(name, says if rejects else f"{says}; answered with a warning", rejects)


def _count(cells: np.ndarray, one: str, many: str = "") -> str:
    """How many cells are what, and in which row the first one is."""
    rows = np.nonzero(cells)[0] + 1
    if len(rows) == 1:
        return f"1 cell is {one} (row {rows[0]})"
    return f"{len(rows)} cells are {many or one} (first in row {rows[0]})"
