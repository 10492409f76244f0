"""Pipelines of scikit-learn that a person brings, as candidates: their steps become an encoding, their estimator a graph."""

import re
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone, is_classifier
from sklearn.pipeline import Pipeline

from slipway.errors import ProblemError, TableError
from slipway.model.encoding import Encoding
from slipway.model.predictor import close
from slipway.table.dates import show_date
from slipway.table.schema import Columns, Field, Schema
from slipway.training.fitting.candidate import Candidate, Settings
from slipway.training.fitting.estimators import BY_CLASS, exported_as, trees_of
from slipway.training.fitting.steps import encoding_of

WHOLE = re.compile(r"0|-?[1-9][0-9]{0,17}")  # as pandas writes it
CHECKED = 1_000  # rows on which the encoding is held against the steps
TASK = "Change the estimator, or set task in slipway.yaml"


def loaded(name: str) -> Candidate:
    """The candidate ``package.module:function``, whose function returns a pipeline that is not fitted.

    Raises
    ------
    ProblemError
        When there is no such function, or it returns no pipeline.
    TableError
        When the pipeline's estimator cannot be exported.
    """
    module, _, function = name.partition(":")
    try:
        made = getattr(import_module(module), function)()
    except (ImportError, AttributeError) as error:
        raise ProblemError(f"candidates: {name} cannot be imported ({error})", "Put the module beside slipway.yaml") from error
    except Exception as error:  # it is a person's code
        raise ProblemError(f"candidates: {name} failed ({type(error).__name__}: {error})") from error
    if not hasattr(made, "fit") or not hasattr(made, "predict"):
        raise ProblemError(f"candidates: {name} returned a {type(made).__name__}", "Return a scikit-learn pipeline")
    return candidate_of(made)


def candidate_of(pipeline: Any, names: Sequence[str] = ()) -> Candidate:
    """A pipeline as a candidate: its steps are fitted anew on each fold, and its estimator on what they make of the rows.

    Parameters
    ----------
    pipeline : estimator of scikit-learn
    names : sequence of str
        The columns that it reads, in its order; by default all, as the table has them.
    """
    steps, estimator = parts_of(pipeline)
    dtype, export = exported_as(estimator)

    def preprocess(schema: Schema, columns: Columns, aims: np.ndarray, settings: Settings) -> Encoding:
        schema = ordered(schema, names)
        fitted = _fitted(steps, frame_of(schema, columns), aims[:, 0] if aims.shape[1] == 1 else aims.argmax(axis=1))
        encoding = encoding_of(fitted, schema)
        require_same(fitted, encoding, schema, columns)
        return encoding

    def unfitted(task: str, settings: Settings, seed: int, encoding: Encoding) -> Any:
        copy = clone(estimator)
        if is_classifier(copy) != (task != "regression"):
            kinds = ("numbers", "classes") if task != "regression" else ("classes", "numbers")
            raise TableError(f"the estimator {type(copy).__name__} predicts {kinds[0]}, but the target has {kinds[1]}", TASK)
        if "random_state" in copy.get_params() and copy.get_params()["random_state"] is None:
            copy.set_params(random_state=seed)  # the same table gives the same bundle
        return copy

    def trees(settings: Settings, rows: int) -> tuple[int, int]:
        return trees_of(estimator, rows)

    return Candidate(unfitted, preprocess, dtype, export, ({},), ({},), trees=trees, by_class=isinstance(estimator, BY_CLASS))


def _fitted(steps: list[Any], rows: Any, y: np.ndarray) -> list[Any]:
    found = []
    for step in steps:
        try:
            found.append(clone(step).fit(rows, y))
            rows = found[-1].transform(rows)
        except Exception as error:  # it is a person's pipeline
            raise TableError(f"the step {type(step).__name__} failed: {first_line(error)}") from error
    return found


def first_line(error: Exception) -> str:
    """What an error of a library says, without its advice."""
    return (str(error).splitlines() or [type(error).__name__])[0]


def parts_of(pipeline: Any) -> tuple[list[Any], Any]:
    """The steps before the estimator, and the estimator."""
    if not isinstance(pipeline, Pipeline):
        return [], pipeline
    *before, (_, last) = pipeline.steps
    steps, estimator = parts_of(last)
    return [step for _, step in before] + steps, estimator


def ordered(schema: Schema, names: Sequence[str]) -> Schema:
    """The fields that a pipeline reads, in its order; all of them without `names`."""
    fields = {field.name: field for field in schema}
    for name in names:
        if name not in fields:
            raise TableError(f"the pipeline reads the column {name!r}, which the table does not have as a feature")
    return Schema(tuple(fields[name] for name in names)) if names else schema


def frame_of(schema: Schema, columns: Columns) -> pd.DataFrame:
    """Typed columns as pandas reads them from a file: numbers, texts, flags, and datetimes; NaN where a cell is missing."""
    cells: dict[str, Any] = {}
    for field in schema:
        column = columns[field.name]
        if field.type == "category":
            cells[field.name] = pd.Series(np.array([*_levels(field), np.nan, np.nan], dtype=object)[column]).infer_objects()
        elif field.type == "date":
            cells[field.name] = pd.to_datetime([None if np.isnan(day) else show_date(day) for day in column.tolist()])
        else:
            cells[field.name] = column
    return pd.DataFrame(cells)


def _levels(field: Field) -> list[Any]:
    """The levels as pandas reads them: numbers or flags if all are."""
    if set(field.levels) <= {"True", "False"}:
        return [level == "True" for level in field.levels]
    if all(WHOLE.fullmatch(level) for level in field.levels):
        return [int(level) for level in field.levels]
    return list(field.levels)


def require_same(steps: list[Any], encoding: Encoding, schema: Schema, columns: Columns) -> None:
    """TableError when the encoding makes anything else of these rows than the fitted steps do."""
    few = {name: column[:CHECKED] for name, column in columns.items()}
    expected: Any = frame_of(schema, few)
    for step in steps:
        expected = step.transform(expected)
    dense = np.asarray(expected.toarray() if hasattr(expected, "toarray") else expected, dtype=np.float64)
    found = encoding.encode(few)
    same = dense.shape == found.shape and (close(dense, found) | (np.isnan(dense) & np.isnan(found))).all()
    if not same:
        names = ", ".join(type(step).__name__ for step in steps)
        raise TableError(f"the steps {names} cannot be exported exactly", "Simplify them, or compute the columns before")
