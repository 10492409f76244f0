"""Fitted preprocessing of scikit-learn, step by step, as an encoding: what a person's pipeline does to its columns, as data.

Only steps whose effect on a row can be written down are taken: filling, scaling, one-hot, ordinal and target encoding,
selection, and how these are combined. Whatever else is named in the error.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from slipway.errors import TableError
from slipway.model.encoding import Encoding, Output
from slipway.table.schema import Field, Schema

NAMES_ONLY = (
    "CleanColumnNames",
    "LabelEncoder",
    "FixImbalancer",
    "RemoveOutliers",
)  # PyCaret's that change no feature's cells
CURE = "Replace the step by one that can be exported (see docs/models.md), or compute the column before"


@dataclass(frozen=True)
class Texts:
    """A column of texts that no step has encoded yet.

    Parameters
    ----------
    field : Field
    missing : str or None
        What a missing cell was filled with.
    """

    field: Field
    missing: str | None = None


@dataclass(frozen=True)
class Column:
    """A column between two steps.

    Parameters
    ----------
    name : str
        What the pipeline calls it.
    content : Output or Texts
    """

    name: str
    content: Output | Texts


def encoding_of(steps: Sequence[Any], schema: Schema) -> Encoding:
    """The encoding that equals these fitted transformers, one after another, on a frame with the schema's columns.

    Raises
    ------
    TableError
        Naming the step that cannot be exported.
    """
    columns = [
        Column(field.name, Texts(field) if field.type == "category" else Output("value", field.name)) for field in schema
    ]
    for step in steps:
        columns = _through(step, columns)
    for column in columns:
        if isinstance(column.content, Texts):
            raise TableError(
                f"column {column.name!r} reaches the estimator as text", "Encode it in the pipeline, e.g. with OneHotEncoder"
            )
    return Encoding(schema, tuple(column.content for column in columns if isinstance(column.content, Output)))


def _through(step: Any, columns: list[Column]) -> list[Column]:
    """What a fitted transformer makes of the columns."""
    if step is None or step == "passthrough":
        return columns
    if step == "drop":
        return []
    for kind in type(step).__mro__:
        if kind.__name__ in STEPS:
            return STEPS[kind.__name__](step, columns)
    raise TableError(f"the step {type(step).__name__} cannot be exported", CURE)


def _pipeline(step: Any, columns: list[Column]) -> list[Column]:
    for _, each in step.steps:
        columns = _through(each, columns)
    return columns


def _union(step: Any, columns: list[Column]) -> list[Column]:
    return [column for _, each in step.transformer_list for column in _through(each, columns)]


def _by_columns(step: Any, columns: list[Column]) -> list[Column]:
    by_name = {column.name: column for column in columns}
    found: list[Column] = []
    for _, each, chosen in step.transformers_:
        taken = [_one(by_name, columns, name) for name in _names(chosen, columns)]
        found += _through(each, taken) if taken else []  # of no columns, nothing was fitted
    return found


def _names(chosen: Any, columns: list[Column]) -> list[Any]:
    """A fitted ColumnTransformer's choice: names, places, a slice or a mask."""
    if isinstance(chosen, (str, int)):
        return [chosen]
    if isinstance(chosen, slice):
        return list(range(len(columns)))[chosen]
    listed = list(chosen)
    if listed and isinstance(listed[0], (bool, np.bool)):
        return [place for place, taken in enumerate(listed) if taken]
    return listed


def _one(by_name: dict[str, Column], columns: list[Column], name: Any) -> Column:
    if not isinstance(name, str):
        return columns[int(name)]
    if name not in by_name:
        raise TableError(f"the pipeline reads the column {name!r}, which the table does not have as a feature")
    return by_name[name]


def _wrapped(step: Any, columns: list[Column]) -> list[Column]:
    """PyCaret's wrapper: a step for some columns by name, whose results take their places among the others."""
    inner, names = step.transformer, [column.name for column in columns]
    taken = [name for name in (names if step._include is None else step._include) if name not in (step._exclude or ())]
    if not taken or type(inner).__name__ in NAMES_ONLY:
        return columns
    by_name = {column.name: column for column in columns}
    made = _through(inner, [_one(by_name, columns, name) for name in taken])
    if len(made) == len(taken):
        own = dict(zip(taken, made))
        return [replace(own[column.name], name=column.name) if column.name in own else column for column in columns]
    found: list[Column] = []
    for column in columns:  # what is made of a column carries its name first, as in smoker_yes
        found += [each for each in made if each.name.startswith(f"{column.name}_")] if column.name in taken else [column]
    return found


def _fill(step: Any, columns: list[Column]) -> list[Column]:
    if getattr(step, "add_indicator", False):
        raise TableError("the step SimpleImputer(add_indicator=True) cannot be exported", "Use MissingIndicator beside it")
    found = []
    for column, statistic in zip(columns, step.statistics_):
        if isinstance(column.content, Texts):
            known = column.content.missing is None
            found.append(replace(column, content=replace(column.content, missing=str(statistic)) if known else column.content))
        else:
            output = column.content
            raw = float(statistic) * output.scale + output.mean
            found.append(replace(column, content=output if output.fill is not None else replace(output, fill=raw)))
    return found


def _scale(shift: Callable[[Any], Any], factor: Callable[[Any], Any]) -> Callable[[Any, list[Column]], list[Column]]:
    """A step that makes (x − shift) / factor of each column; None stands for 0 and 1."""

    def scaled(step: Any, columns: list[Column]) -> list[Column]:
        if getattr(step, "clip", False):
            raise TableError(f"the step {type(step).__name__}(clip=True) cannot be exported", CURE)
        shifts, factors = shift(step), factor(step)
        found = []
        for place, column in enumerate(columns):
            output = _number(column, step)
            by, per = (0.0 if each is None else float(each[place]) for each in (shifts, factors))
            per = per if factors is not None else 1.0
            found.append(
                replace(column, content=replace(output, mean=output.mean + by * output.scale, scale=output.scale * per))
            )
        return found

    return scaled


def _number(column: Column, step: Any) -> Output:
    if isinstance(column.content, Texts):
        raise TableError(
            f"{type(step).__name__} reads the column {column.name!r}, which is text", "Set its type in slipway.yaml: types"
        )
    return column.content


def _texts(column: Column, step: Any) -> Texts:
    if isinstance(column.content, Output):
        raise TableError(
            f"{type(step).__name__} reads the column {column.name!r} as levels, but it is a number",
            f"Write types: {{{column.name}: category}} in slipway.yaml",
        )
    return column.content


def _flag(texts: Texts, own: str, nothing: bool) -> Output:
    """1 for one level (or, for `nothing`, for a missing cell), 0 for all others."""
    absent = float(nothing) if texts.missing is None else float(texts.missing == own)
    return _numbered("rank", texts, {own: 1.0}, 0.0, absent)


def _one_hot(step: Any, columns: list[Column]) -> list[Column]:
    found = []
    groups = getattr(step, "_infrequent_indices", None)
    if groups is not None and any(each is not None for each in groups):
        raise TableError("the step OneHotEncoder with infrequent categories cannot be exported", CURE)
    dropped = step.drop_idx_ if step.drop_idx_ is not None else [None] * len(columns)
    for column, categories, drop in zip(columns, step.categories_, dropped):
        texts = _texts(column, step)
        for place, category in enumerate(categories):
            if drop is not None and place == drop:
                continue
            nothing = category is None or category != category
            found.append(Column(f"{column.name}_{category}", _flag(texts, shown(category), nothing)))
    return found


def _ordinal(step: Any, columns: list[Column]) -> list[Column]:
    if step.handle_unknown == "error":
        says = "the step OrdinalEncoder has no number for a level that it has not seen"
        raise TableError(says, 'Write OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)')
    other = float(step.unknown_value) if step.unknown_value == step.unknown_value else None
    absent = float(step.encoded_missing_value) if step.encoded_missing_value == step.encoded_missing_value else None
    if other is None and absent is not None:
        raise TableError(
            "the step OrdinalEncoder with unknown_value=nan and an encoded_missing_value cannot be exported", CURE
        )
    found = []
    for column, categories in zip(columns, step.categories_):
        places = {shown(category): float(place) for place, category in enumerate(categories)}
        content = _filled("rank", _texts(column, step), places, other, absent)
        found.append(replace(column, content=content))
    return found


def _target(step: Any, columns: list[Column]) -> list[Column]:
    """Fitted anew, a model learns from means of other rows (`target_means.py`), as in scikit-learn."""
    if len(step.encodings_) != len(columns):
        says = "the step TargetEncoder of more than two classes cannot be exported"
        raise TableError(says, 'If the target is a number, write TargetEncoder(target_type="continuous")')
    mean = float(np.ravel(step.target_mean_)[0])
    found = []
    for column, categories, means in zip(columns, step.categories_, step.encodings_):
        by_level = {shown(category): float(each) for category, each in zip(categories, means)}
        absent = next((float(each) for category, each in zip(categories, means) if category != category), mean)
        found.append(replace(column, content=_filled("mean", _texts(column, step), by_level, mean, absent)))
    return found


def _filled(kind: str, texts: Texts, values: Mapping[str, float], other: float | None, missing: float | None) -> Output:
    """The same with `missing` for a missing cell, unless an earlier step filled it with a text."""
    return _numbered(kind, texts, values, other, missing if texts.missing is None else values.get(texts.missing, other))


def _numbered(kind: str, texts: Texts, values: Mapping[str, float], other: float | None, missing: float | None) -> Output:
    """A number for each level that the step knows, `other` for any other level, and `missing` for a missing cell."""
    levels = tuple(level for level in texts.field.levels if level in values)
    numbers = tuple(values[level] for level in levels)
    return Output(kind, texts.field.name, levels, unseen=not levels, fill=missing, values=numbers, other=other)


def shown(category: Any) -> str:
    """A category as the text of a cell."""
    if isinstance(category, (float, np.floating)) and float(category).is_integer():
        return str(int(category))
    return str(category)


def _unchanged(step: Any, columns: list[Column]) -> list[Column]:
    """What a ColumnTransformer makes of passthrough when it is fitted."""
    if step.func is not None:
        raise TableError("the step FunctionTransformer cannot be exported", f"{CURE}; features: in slipway.yaml can say most")
    return columns


def _chosen(step: Any, columns: list[Column]) -> list[Column]:
    return [column for column, taken in zip(columns, step.get_support()) if taken]


def _missing(step: Any, columns: list[Column]) -> list[Column]:
    chosen = [columns[place] for place in step.features_]
    found = []
    for column in chosen:
        source = column.content.field
        found.append(Column(f"missing {column.name}", Output("missing", source if isinstance(source, str) else source.name)))
    return found


STEPS: dict[str, Callable[[Any, list[Column]], list[Column]]] = {
    "Pipeline": _pipeline,
    "FeatureUnion": _union,
    "ColumnTransformer": _by_columns,
    "SimpleImputer": _fill,
    "StandardScaler": _scale(lambda step: step.mean_ if step.with_mean else None, lambda step: step.scale_),
    "RobustScaler": _scale(lambda step: step.center_, lambda step: step.scale_),
    "MinMaxScaler": _scale(lambda step: -step.min_ / step.scale_, lambda step: 1 / step.scale_),
    "MaxAbsScaler": _scale(lambda step: None, lambda step: step.scale_),
    "OneHotEncoder": _one_hot,
    "OrdinalEncoder": _ordinal,
    "TargetEncoder": _target,
    "SelectorMixin": _chosen,
    "FunctionTransformer": _unchanged,
    "MissingIndicator": _missing,
    "TransformerWrapper": _wrapped,
}
