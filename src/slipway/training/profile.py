"""What a look at a new table finds: which columns to learn from, which to leave out, and why."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd

from slipway.errors import TableError
from slipway.table.cell import MISSING_MARKERS, Reader
from slipway.table.cells import Cells, cells_of
from slipway.table.dialect import INDEX
from slipway.table.inference import FEW_TEXTS, MOST_LEVELS, Target, infer_field, is_free_text, mostly_numbers
from slipway.table.schema import Field
from slipway.training.leaks import LEAK, SUSPICIOUS, tells

ID_NAME = re.compile(r"(^|.*[_\W])(id|uuid|guid|key|nr|no|number|index)$|.*[a-z]I[dD]$", re.IGNORECASE)
UNIQUE = 0.99
RARE = 0.1


@dataclass(frozen=True)
class Finding:
    """What to do with one column.

    Parameters
    ----------
    name : str
    use : str
        ``feature``, ``id`` or ``drop``.
    says : str
        What it is, or why it is left out.
    leak : bool
        Whether it is left out because it seems to tell the target.
    markers : tuple of str
        Texts in it that seem to mean a missing cell and are not among the usual ones.
    """

    name: str
    use: str
    says: str
    leak: bool = False
    markers: tuple[str, ...] = ()


def profile(frame: pd.DataFrame, target: Target, ids: Sequence[str] = ()) -> list[Finding]:
    """Findings on every column but the target; `ids` are id columns for sure."""
    findings = []
    for name in frame.columns:
        if name == target.name:
            continue
        try:
            cells = cells_of(frame[name])
        except TableError as error:  # lists, times of day: nothing to learn from
            findings.append(Finding(name, "drop", error.cause.partition(": ")[2]))
            continue
        if name in ids:
            findings.append(Finding(name, "id", "named as an id"))
        else:
            findings.append(_look(cells, frame[name].dtype) or _feature(cells, frame[name].dtype, target))
    return _one_id(findings)


def _one_id(findings: list[Finding]) -> list[Finding]:
    """Keep the first id; the split needs but one."""
    given = [finding.name for finding in findings if finding.use == "id"]
    return [
        Finding(each.name, "drop", f"another id beside {given[0]}")
        if each.use == "id" and each.name != given[0] and each.says != "named as an id" else each
        for each in findings
    ]


def _look(cells: Cells, dtype) -> Finding | None:
    """Why a column is not to be learned from, or None."""
    rows, distinct = len(cells.codes), len(cells.texts)
    if distinct == 0:
        return Finding(cells.name, "drop", "every cell is missing")
    if distinct == 1 and not cells.missing.any():
        return Finding(cells.name, "drop", f"constant: always {cells.texts[0][:30]!r}")
    unique = distinct >= UNIQUE * rows and not cells.missing.any()
    numeric = not np.isnan(cells.numbers).any()
    if cells.name == INDEX:
        return Finding(cells.name, "drop", "row numbers that pandas wrote")
    if unique and ID_NAME.fullmatch(cells.name) and (not numeric or _whole(cells)):
        return Finding(cells.name, "id", "different in every row, and named like an id")
    if unique and numeric and _counts_up(cells):
        return Finding(cells.name, "drop", "counts the rows")
    if not numeric and not cells.are_dates and is_free_text(cells) and not mostly_numbers(cells):
        use = "id" if unique else "drop"
        return Finding(cells.name, use, f"{distinct:,} different texts in {rows:,} rows: a name or free text")
    if not numeric and not cells.are_dates and distinct > MOST_LEVELS and not mostly_numbers(cells):
        return Finding(cells.name, "drop", f"{distinct:,} different texts: too many levels")
    return None


def _whole(cells: Cells) -> bool:
    return bool((cells.numbers == np.round(cells.numbers)).all())


def _counts_up(cells: Cells) -> bool:
    numbers = cells.spread(cells.numbers, np.nan)
    return len(numbers) > 2 and bool((np.diff(numbers) == 1).all())


def _feature(cells: Cells, dtype, target: Target) -> Finding:
    markers: tuple[str, ...] = ()
    try:
        field = infer_field(cells, dtype)
    except TableError as error:
        odd = [text for text, number in zip(cells.texts, cells.numbers) if np.isnan(number)]
        if len(odd) > FEW_TEXTS:
            return Finding(cells.name, "drop", error.cause.partition(": ")[2])
        markers = tuple(odd)
        cells = _without(cells, odd)
        field = infer_field(cells, dtype)
    strength = tells(cells, field, target)
    says = describe(field)
    if strength >= LEAK:
        reason = f"seems to tell the target by itself ({strength:.3f} of 1): known only afterwards?"
        return Finding(cells.name, "drop", reason, leak=True, markers=markers)
    if strength >= SUSPICIOUS:
        says += f"; SUSPICIOUS: by itself it nearly tells the target ({strength:.3f} of 1)"
    return Finding(cells.name, "feature", says, markers=markers)


def _without(cells: Cells, texts: Sequence[str]) -> Cells:
    """The same column with these texts as missing cells."""
    column = pd.Series([None if code < 0 else cells.texts[code] for code in cells.codes], name=cells.name, dtype=object)
    return cells_of(column, Reader(texts))


def describe(field: Field) -> str:
    """A field in a few words."""
    missing = f", {field.missing:.1%} missing" if field.missing else ""
    if field.type == "category":
        shown = ", ".join(field.levels[:6]) + (" …" if len(field.levels) > 6 else "")
        return f"category of {len(field.levels)}: {shown}{missing}"
    if field.type == "date":
        return f"date, typically {field.example}{missing}"
    return f"{field.type} from {field.minimum:g} to {field.maximum:g}{missing}"


def usual_markers(frame: pd.DataFrame) -> list[str]:
    """Which of the usual missing markers stand in the table, as they are written there."""
    found = set()
    for name in frame.columns:
        column = frame[name]
        if column.dtype.kind in "OUTS" or str(column.dtype) in ("str", "string"):
            with suppress(TypeError):  # lists
                found |= {text.strip() for text in column.dropna().unique() if isinstance(text, str)}
    return sorted(text for text in found if text.lower() in MISSING_MARKERS)
