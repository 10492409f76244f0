"""What the columns of a table are: the schema of its features, and the target with its task."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches

import numpy as np
import pandas as pd

from slipway.errors import TableError
from slipway.kinds import EVERY_COLUMN, ColumnType, Task
from slipway.problem import Problem
from slipway.table.cell import encode, problem_reader
from slipway.table.cells import JUNK_CURE, Cells, cells_of, junk_says, typed
from slipway.table.dates import show_date
from slipway.table.derived import learned, require_columns_of
from slipway.table.detection import FEW, MANY, MOSTLY, is_code, undeclared
from slipway.table.expressions import LARGEST
from slipway.table.formats import format_of
from slipway.table.schema import Columns, Feature, Field, Schema

FREE_TEXT_LEVELS = 200
MOST_CLASSES = 50
FEW_NUMBERS = 20
POSITIVE = ("yes", "y", "true", "1", "pos", "positive", "bad", "fraud", "default", "approved", "churn", "t", ">50k")


@dataclass(frozen=True)
class Target:
    """The column to predict.

    Parameters
    ----------
    name : str
    task : str
        ``regression``, ``binary`` or ``multiclass``.
    classes : tuple of str
        Empty for regression; the positive label of two is the last.
    rows : ndarray of bool
        Which rows of the table have a target.
    y : ndarray
        Numbers, or codes of classes, of those rows.
    """

    name: str
    task: Task
    classes: tuple[str, ...]
    rows: np.ndarray
    y: np.ndarray


class FreeText(TableError):
    """A column of text that has so many different ones that a model cannot learn from them."""

    def __init__(self, cells: Cells) -> None:
        self.says = f"{len(cells.texts):,} different texts in {len(cells.codes):,} rows, like a name or free text"
        super().__init__(f"column {cells.name!r}: has {self.says}", "Add it to id if it names the row, else to drop")


def features(frame: pd.DataFrame, problem: Problem) -> list[str]:
    """Names of the columns that are learned from; TableError when the problem names one that is absent."""
    if problem.time is not None:
        _require(frame, problem.time, "time")
    for setting in ("id", "group", "drop", "types", "formats", "missing", "limits"):
        for name in getattr(problem, setting):
            if (setting, name) != ("missing", EVERY_COLUMN):
                _require(frame, name, setting)
    left_out = (
        dict.fromkeys(problem.drop, "in drop") | dict.fromkeys(problem.id, "an id") | dict.fromkeys(problem.group, "a group")
    )
    require_columns_of(problem.features, list(frame.columns), left_out | {problem.target: "the target"})
    return [name for name in frame.columns if name not in problem.unlearned]


def _require(frame: pd.DataFrame, name: str, setting: str) -> None:
    if name not in frame.columns:
        close = get_close_matches(name, list(frame.columns), 1, 0.5)
        cure = f"Did you mean {close[0]!r}?" if close else f"It has {', '.join(frame.columns[:20])}"
        raise TableError(f"{setting}: the table has no column {name!r}", cure)


def infer_schema(frame: pd.DataFrame, problem: Problem) -> Schema:
    """The schema of the feature columns; TableError when a column is not fit to learn from."""
    return infer_columns(frame, problem, features(frame, problem))[0]


def infer_columns(frame: pd.DataFrame, problem: Problem, names: Sequence[str]) -> tuple[Schema, Columns]:
    """The same of these columns, and the typed columns."""
    if not names:
        raise TableError("the table has no column to learn from besides the target")
    for name in problem.limits:
        if name not in names:
            raise TableError(f"limits: column {name!r} is not learned from", "Take it out of limits")
    fields, columns = [], {}
    left_out: list[tuple[str, str]] = []
    for name in names:
        try:
            field, columns[name] = infer_column(frame[name], problem)
        except FreeText as text:
            if name in problem.types or name in problem.limits or len(left_out) == len(names) - 1:
                raise
            left_out.append((name, text.says))
            continue
        if name in problem.limits and not field.is_number:
            raise TableError(f"limits: column {name!r} is a {field.type}, not a number", "Take it out of limits")
        fields.append(field)
    features = tuple(Feature(name, text) for name, text in problem.features.items())
    schema = Schema(tuple(fields), features, tuple(left_out))
    learned(schema, columns).require_values(columns)
    return schema, columns


def infer_column(column: pd.Series, problem: Problem) -> tuple[Field, np.ndarray]:
    """What one column of the problem's table is, and its cells as that."""
    name = str(column.name)
    cells, kind = cells_of(column, problem_reader(problem, name)), problem.types.get(name)
    if kind == "category" and name in problem.formats:
        raise TableError(f"column {name!r} has a format, but types says category", "Take it out of one of them")
    if kind != "category":
        _require_format(cells, problem)
    if name in problem.formats:
        _require_written(cells, problem)
    field = infer_field(cells, column.dtype, kind)
    return replace(field, format=problem.formats.get(name, ""), markers=problem.markers(name)), typed(cells, field)


def _require_written(cells: Cells, problem: Problem) -> None:
    """TableError when cells are not written in the format that slipway.yaml names."""
    example = problem.formats[cells.name]
    kind: ColumnType = "date" if format_of(example).kind == "date" else "number"
    odd = np.isnan(encode(Field(cells.name, kind), cells.texts))
    if odd.any():
        cure = "Correct the example in formats; or add these texts to missing, if they mean a missing cell"
        raise TableError(f"column {cells.name!r}: {junk_says(cells, odd)}, not written like {example}", cure)


def _require_format(cells: Cells, problem: Problem) -> None:
    """TableError when the texts of a column are numbers or dates in a format that slipway.yaml does not say."""
    if not cells.written or cells.name in problem.formats:
        return
    cure = undeclared(cells.texts, bool(problem.formats))
    if cure:
        says = f"{cells.texts[0][:30]!r} is a number or a date in a format that slipway.yaml does not name"
        raise TableError(f"column {cells.name!r}: {says}", cure)


def infer_field(cells: Cells, dtype: object = None, kind: ColumnType | None = None) -> Field:
    """What one column is; `kind` overrides the inferred type."""
    if not cells.texts:
        raise TableError(f"column {cells.name!r}: every cell is missing", "Add it to drop")
    kind = kind or infer_type(cells, dtype)
    missing = float(cells.missing.mean())
    if kind == "category":
        return _category(cells, missing)
    draft = Field(cells.name, kind)
    values = typed(cells, draft)
    known = values[~np.isnan(values)]
    if kind == "integer" and (known != np.round(known)).any():
        raise TableError(f"column {cells.name!r}: types says integer, but it has fractions")
    if np.abs(known).max() > LARGEST:
        says = f"has a number beyond ±{LARGEST:.1e}, the largest that models read"
        raise TableError(f"column {cells.name!r}: {says}", "Use a larger unit in the table, or add the column to drop")
    example = float(np.quantile(known, 0.5, method="lower"))
    shown: dict[str, Callable[[float], float | str]] = {"date": show_date, "integer": int, "number": float}
    return Field(cells.name, kind, (), float(known.min()), float(known.max()), missing, shown[kind](example))


def infer_type(cells: Cells, dtype: object = None) -> ColumnType:
    """``number``, ``integer``, ``category`` or ``date``, from what the distinct texts say.

    Raises
    ------
    TableError
        When nearly all cells are numbers, but a few are texts that do not mean a missing cell.
    """
    if cells.are_dates:
        return "date"
    numeric = ~np.isnan(cells.numbers)
    if numeric.all() and cells.written and any(is_code(text) for text in cells.texts):
        return "category"  # a number would lose the zeros of 01023
    if numeric.all():
        fractions = (cells.numbers != np.round(cells.numbers)).any() or any("." in text for text in cells.texts)
        # A float column without missing cells was meant as one; with some, it may be integers that lost their type
        typed_float = dtype is not None and getattr(dtype, "kind", "") == "f" and not cells.missing.any()
        return "number" if fractions or typed_float else "integer"
    if mostly_numbers(cells):
        raise TableError(f"column {cells.name!r}: nearly all cells are numbers, but {junk_says(cells, ~numeric)}", JUNK_CURE)
    return "category"


def mostly_numbers(cells: Cells) -> bool:
    """Whether a column of numbers has a few odd texts: 95 % of the cells, or all but a handful of many different ones."""
    numeric = ~np.isnan(cells.numbers)
    share = np.isin(cells.codes, np.nonzero(numeric)[0]).sum() / max(1, (~cells.missing).sum())
    many = numeric.sum() >= MANY and (~numeric).sum() <= FEW
    return bool(share >= MOSTLY or (many and share >= 0.5))


def _category(cells: Cells, missing: float) -> Field:
    if is_free_text(cells):
        raise FreeText(cells)
    counts = np.bincount(cells.codes[cells.codes >= 0], minlength=len(cells.texts))
    return Field(
        cells.name, "category", tuple(sorted(cells.texts)), missing=missing, example=cells.texts[int(counts.argmax())]
    )


def is_free_text(cells: Cells) -> bool:
    """Whether a column of text has so many different ones that its levels say nothing."""
    return len(cells.texts) > FREE_TEXT_LEVELS and len(cells.texts) > 0.5 * len(cells.codes)


def read_target(frame: pd.DataFrame, problem: Problem) -> Target:
    """The target column; TableError when it does not fit the problem."""
    _require(frame, problem.target, "target")
    cells = cells_of(frame[problem.target], problem_reader(problem, problem.target))
    if problem.target in problem.formats:
        _require_written(cells, problem)
    if len(cells.texts) < 2:
        said = f"only says {cells.texts[0]!r}" if cells.texts else "is empty"
        raise TableError(f"target {problem.target!r}: {said}: there is nothing to learn")
    if problem.task in (None, "regression") and problem.positive is None and problem.costs is None:
        _require_format(cells, problem)
    task = problem.task or infer_task(cells, problem)
    rows = ~cells.missing
    if task == "regression":
        junk = np.isnan(cells.numbers)
        if junk.any():
            raise TableError(f"target {problem.target!r}: {junk_says(cells, junk)}, expected numbers", JUNK_CURE)
        return Target(problem.target, task, (), rows, cells.spread(cells.numbers, np.nan)[rows])
    classes = _classes(cells, task, problem)
    order = np.array([classes.index(text) for text in cells.texts])
    return Target(problem.target, task, classes, rows, cells.spread(order, MISSING_CODE)[rows])


MISSING_CODE = -1


def infer_task(cells: Cells, problem: Problem) -> Task:
    """Two different cells are classes; few different whole numbers or any texts too; all else is a regression."""
    if len(cells.texts) == 2 or problem.positive is not None or problem.costs is not None:
        return "binary"
    numbers = cells.numbers
    if not np.isnan(numbers).any():
        whole = (numbers == np.round(numbers)).all() and len(numbers) <= FEW_NUMBERS
        often = len(cells.codes) >= 20 * len(numbers)
        return "multiclass" if whole and often else "regression"
    return "regression" if mostly_numbers(cells) else "multiclass"


def _classes(cells: Cells, task: Task, problem: Problem) -> tuple[str, ...]:
    number = len(cells.texts)
    if task == "binary" and number != 2:
        raise TableError(f"target {problem.target!r}: has {number} different labels; a binary task needs two")
    if number > MOST_CLASSES:
        raise TableError(
            f"target {problem.target!r}: has {number} different labels, more than {MOST_CLASSES}",
            "If they are numbers, set task: regression",
        )
    labels = sorted(cells.texts, key=lambda text: (_order(text), text))
    if task == "multiclass":
        return tuple(labels)
    if problem.positive is not None and problem.positive not in labels:
        raise TableError(f"positive: the target has no label {problem.positive!r}", f"It has {' and '.join(labels)}")
    positive = problem.positive or guess_positive(cells)
    return tuple(sorted(labels, key=lambda label: label == positive))


def _order(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def guess_positive(cells: Cells) -> str:
    """The label whose probability is asked for: yes, true, 1 and their like, else the rarer one."""
    usual = [text for text in cells.texts if text.lower() in POSITIVE]
    if len(usual) == 1:
        return usual[0]
    counts = np.bincount(cells.codes[cells.codes >= 0], minlength=len(cells.texts))
    return cells.texts[int(counts.argmin())]
