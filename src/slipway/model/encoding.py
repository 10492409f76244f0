"""From typed columns to the matrix a model reads, in double precision.

The same code encodes in training and in serving, so the two cannot differ. An encoding is data: it is written to the
bundle as JSON and holds everything that was learned from the training rows (fills, means, kept levels).
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from slipway.table.date_parts import PARTS, date_part
from slipway.table.derived import Derived, derived
from slipway.table.schema import Columns, Feature, Field, Schema

# Which types of field each kind of output is made of.
KINDS: dict[str, set[str]] = {
    "value": {"number", "integer", "date"},
    "log": {"number", "integer"},
    "level": {"category"},
    "lookup": {"category"},
    "rank": {"category"},
    "mean": {"category"},
    "missing": {"number", "integer", "category", "date"},
} | {part: {"date"} for part in PARTS}
NUMBERED = ("lookup", "rank", "mean")  # the kinds that have a number for each level


@dataclass(frozen=True)
class Output:
    """One column of the matrix.

    Parameters
    ----------
    kind : str
        ``value`` (the number itself), ``log`` (sign(x)·log(1+|x|)), ``missing`` (1 where the cell is missing),
        ``level`` (1 where the cell is one of `levels`), ``lookup``, ``rank`` or ``mean`` (the number in `values`
        of the level), or a part of a date (`slipway.table.date_parts`).
    field : str
        Of the schema, or a feature.
    levels : tuple of str
        Of ``level``, ``lookup``, ``rank`` and ``mean``.
    unseen : bool
        Whether a level that training never saw counts as one of `levels` (the group of rare levels).
    fill : float or None
        What stands in for a missing value; None keeps NaN, for models that route it.
    mean, scale : float
        The output is (x − mean) / scale.
    values : tuple of float
        Of ``lookup``, ``rank`` and ``mean``: a number for each of `levels`.
    other : float or None
        Of ``lookup``, ``rank`` and ``mean``: the number for every other level, those that training never saw among them;
        None is a missing value.
    """

    kind: str
    field: str
    levels: tuple[str, ...] = ()
    unseen: bool = False
    fill: float | None = None
    mean: float = 0.0
    scale: float = 1.0
    values: tuple[float, ...] = ()
    other: float | None = None


@dataclass(frozen=True)
class Encoding:
    """The columns of the matrix, bound to the schema whose levels the codes refer to.

    Parameters
    ----------
    schema : Schema
    outputs : tuple of Output
    features : tuple of Feature
        What is computed first, with all that it learned of the training rows.
    """

    schema: Schema
    outputs: tuple[Output, ...]
    features: tuple[Feature, ...] = ()

    def encode(self, columns: Columns) -> np.ndarray:
        """Typed columns of n rows → float64 matrix of shape (n, len(outputs)); NaN where a fill is None."""
        rows = len(next(iter(columns.values())))
        if self.features:
            columns = self._derived.with_columns(columns)
        matrix = np.empty((rows, len(self.outputs)), dtype=np.float64)
        for index, (output, numbers) in enumerate(zip(self.outputs, self._numbers)):
            column = columns[output.field]
            matrix[:, index] = _raw(output.kind, column) if numbers is None else numbers[column]
        fills, means, scales = self._constants
        if fills is not None:
            matrix = np.where(np.isnan(matrix), fills, matrix)
        if means is not None:
            matrix = (matrix - means) / scales
        return matrix

    @cached_property
    def _derived(self) -> Derived:
        return derived(self.schema, self.features)

    @cached_property
    def _fields(self) -> dict[str, Field]:
        return {field.name: field for field in (*self.schema, *self._derived.fields)}

    @cached_property
    def _numbers(self) -> list[np.ndarray | None]:
        """Per output of a category the number for each code, else None."""
        fields = [self._fields[output.field] for output in self.outputs]
        return [_numbers(output, field) if field.type == "category" else None for output, field in zip(self.outputs, fields)]

    @cached_property
    def _constants(self) -> tuple[np.ndarray | None, np.ndarray | None, np.ndarray | None]:
        fills = np.array([np.nan if output.fill is None else output.fill for output in self.outputs])
        means = np.array([output.mean for output in self.outputs])
        scales = np.array([output.scale for output in self.outputs])
        unscaled = not means.any() and (scales == 1).all()
        return (None if np.isnan(fills).all() else fills, None if unscaled else means, None if unscaled else scales)

    @property
    def unfit(self) -> Output | None:
        """The first output that cannot be made of the schema's fields; TableError when a feature cannot."""
        return next((output for output in self.outputs if not _fits(output, self._fields.get(output.field))), None)


def _fits(output: Output, field: Field | None) -> bool:
    if field is None or output.scale == 0:
        return False
    some = bool(output.levels) or output.unseen
    return (
        field.type in KINDS.get(output.kind, ())
        and some == (output.kind in ("level", *NUMBERED))
        and set(output.levels) <= set(field.levels)
        and len(output.values) == (len(output.levels) if output.kind in NUMBERED else 0)
    )


def _numbers(output: Output, field: Field) -> np.ndarray:
    """The number of each level's code; those of UNSEEN and of MISSING follow, because -2 and -1 count from the end."""
    if output.kind in NUMBERED:
        given, other, unseen, missing = dict(zip(output.levels, output.values)), output.other, output.other, None
    else:
        given, other, unseen = dict.fromkeys(output.levels, 1.0), 0.0, float(output.unseen)
        missing = float(output.kind == "missing")
    return np.array([*(given.get(level, other) for level in field.levels), unseen, missing], dtype=np.float64)


def _raw(kind: str, column: np.ndarray) -> np.ndarray:
    """An output of a number or a date."""
    found: np.ndarray
    if kind == "value":
        found = column
    elif kind == "missing":
        found = np.isnan(column)
    elif kind == "log":
        found = np.sign(column) * np.log1p(np.abs(column))
    else:
        found = date_part(kind, column)
    return found
