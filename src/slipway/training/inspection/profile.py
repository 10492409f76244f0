"""What a look at a new table finds: which columns to learn from, which to leave out, and why."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from slipway.errors import TableError
from slipway.kinds import ColumnType
from slipway.table.cell import Reader
from slipway.table.cells import Cells, cells_of, typed
from slipway.table.detection import FEW, is_value
from slipway.table.dialect import INDEX
from slipway.table.inference import Target, infer_field, is_free_text, mostly_numbers
from slipway.table.schema import Field, Schema
from slipway.training.data.labelled import Rows
from slipway.training.inspection.leaks import suspects
from slipway.training.inspection.order import counts
from slipway.training.inspection.written import Written, count

ID_NAME = re.compile(r"(^|.*[_\W])(id|uuid|guid|key|nr|no|number|index)$|.*[a-z]I[dD]$", re.IGNORECASE)
UNIQUE = 0.99
FEWEST_NUMBERS = 3


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
    markers : mapping
        Texts in it that seem to mean a missing cell and are not among the usual ones, with the number of cells of each.
    """

    name: str
    use: str
    says: str
    leak: bool = False
    markers: Mapping[str, int] = field(default_factory=dict)


def profile(table: Written, target: Target, ids: Sequence[str] = ()) -> list[Finding]:
    """Findings on every column but the target; `ids` are id columns for sure."""
    findings: list[Finding] = []
    learned: dict[str, tuple[Field, Cells]] = {}
    for name in table.frame.columns:
        if name == target.name:
            continue
        try:
            cells = cells_of(table.frame[name])
        except TableError as error:  # lists, times of day: nothing to learn from
            findings.append(Finding(name, "drop", error.cause.partition(": ")[2]))
            continue
        if name in ids:
            findings.append(Finding(name, "id", "named as an id"))
        else:
            findings.append(_look(cells, table) or _feature(cells, table, learned))
    return _one_id(_without_leaks(findings, learned, target))


def _without_leaks(findings: list[Finding], learned: Mapping[str, tuple[Field, Cells]], target: Target) -> list[Finding]:
    """What the columns that are learned from tell together of the target."""
    schema = Schema(tuple(field for field, _ in learned.values()))
    columns = {name: typed(cells, field)[target.rows] for name, (field, cells) in learned.items()}
    found = suspects(Rows(schema, columns, target.y, target.task, target.classes))
    exact = {name for each in found if each.exact for name in each.columns}
    for each in found:
        says = each.says if len(each.columns) == 1 else f"{' and '.join(each.columns)} {each.says}"
        left = each.exact and (len(each.columns) == 1 or exact < learned.keys())
        findings = [_suspected(finding, says, left) if finding.name in each.columns else finding for finding in findings]
    return findings


def _suspected(finding: Finding, says: str, left: bool) -> Finding:
    if left:
        return replace(finding, use="drop", says=f"{says}: known only afterwards?", leak=True)
    return replace(finding, says=f"{finding.says}; SUSPICIOUS: {says}")


def _one_id(findings: list[Finding]) -> list[Finding]:
    """Keep the first id; the split needs but one."""
    given = [finding.name for finding in findings if finding.use == "id"]
    return [
        replace(each, use="drop", says=f"also different in every row, like {given[0]}")
        if each.use == "id" and each.name != given[0] and each.says != "named as an id"
        else each
        for each in findings
    ]


def _look(cells: Cells, table: Written) -> Finding | None:
    """Why a column is not to be learned from, or None."""
    rows, distinct, found = len(cells.codes), len(cells.texts), table.found_in(cells.name)
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
    if numeric and not cells.missing.any() and (says := counts(cells.spread(cells.numbers, np.nan))):
        return Finding(cells.name, "drop", says)
    if found.is_mixed:
        return Finding(cells.name, "drop", found.evidence)
    if len(found.odd) > FEW:
        shown = ", ".join(repr(text[:30]) for text in found.odd[:3])
        says = f"nearly all cells are {found.kind}s, but {len(found.odd):,} different texts are not, such as {shown}"
        return Finding(cells.name, "drop", says)
    if not found.are_codes and (numeric or cells.are_dates or mostly_numbers(cells)):
        return None
    if is_free_text(cells):
        use = "id" if unique else "drop"
        return Finding(cells.name, use, f"{distinct:,} different texts in {rows:,} rows: a name or free text")
    return None


def _whole(cells: Cells) -> bool:
    return bool((cells.numbers == np.round(cells.numbers)).all())


def _feature(cells: Cells, table: Written, learned: dict[str, tuple[Field, Cells]]) -> Finding:
    """A column to learn from, noted in `learned`."""
    dtype, found = table.frame[cells.name].dtype, table.found_in(cells.name)
    kind: ColumnType | None = "category" if found.are_codes else None
    markers = dict(table.markers.get(cells.name, {}))
    try:
        field = infer_field(cells, dtype, kind)
    except TableError as error:
        odd = tuple(text for text, number in zip(cells.texts, cells.numbers) if np.isnan(number))
        if len(odd) > FEW or any(map(is_value, odd)):
            return Finding(cells.name, "drop", error.cause.partition(": ")[2])
        markers |= count(cells, odd)
        cells = _without(cells, odd)
        field = infer_field(cells, dtype)
    learned[cells.name] = field, cells  # a constant tells by being there or missing
    if len(cells.texts) == 1:
        return Finding(cells.name, "drop", f"constant: always {cells.texts[0][:30]!r}, or missing")
    says = f"asked in formats: {found.evidence}" if found.choices else describe(field, table.usual.get(cells.name, ()))
    if field.type == "category" and not found.are_codes and (odd := _odd_ones(cells)):
        texts = ", ".join(f"{text[:30]!r} ({number:,} cells)" for text, number in count(cells, odd).items())
        says += f"; NOT A NUMBER: {texts}: if it means a missing cell, add it to missing"
    return Finding(cells.name, "feature", says, markers=markers)


def _odd_ones(cells: Cells) -> tuple[str, ...]:
    """The few texts that are no number among several that are."""
    odd = tuple(text for text in cells.texts if not is_value(text))
    return odd if 0 < len(odd) <= FEW and len(cells.texts) - len(odd) >= max(FEWEST_NUMBERS, 2 * len(odd)) else ()


def _without(cells: Cells, texts: Sequence[str]) -> Cells:
    """The same column with these texts as missing cells."""
    column = pd.Series([None if code < 0 else cells.texts[code] for code in cells.codes], name=cells.name, dtype=object)
    return cells_of(column, Reader(texts))


def describe(field: Field, usual: Sequence[str] = ()) -> str:
    """A field in a few words; `usual` are the usual markers of missing cells that it has."""
    shown = ", ".join(marker or "empty" for marker in usual)
    share = "less than 0.1%" if field.missing < 0.001 else f"{field.missing:.1%}"
    missing = f", {share} missing" + (f" ({shown})" if shown else "") if field.missing else ""
    if field.type == "category":
        shown = ", ".join(field.levels[:6]) + (" …" if len(field.levels) > 6 else "")
        return f"category of {len(field.levels)}: {shown}{missing}"
    if field.type == "date":
        return f"date, typically {field.example}{missing}"
    return f"{field.type} from {field.range}{missing}"
