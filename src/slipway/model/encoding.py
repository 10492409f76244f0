"""From typed columns to the matrix a model reads, in double precision.

The same code encodes in training and in serving, so the two cannot differ. An encoding is data: it is written to the
bundle as JSON and holds everything that was learned from the training rows (fills, means, kept levels).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from slipway.table.block import Block
from slipway.table.date_parts import PARTS, date_part
from slipway.table.derived import Derived, derived
from slipway.table.schema import MISSING, UNSEEN, Columns, Feature, Field, Schema

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
CODED = "coded"  # the part of all outputs of categories
FIRST_CODE = min(UNSEEN, MISSING)
AT_ONCE = 1_000  # rows that are encoded together, so that they stay in the processor's cache


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

    def __reduce__(self) -> tuple[type["Encoding"], tuple[Schema, tuple[Output, ...], tuple[Feature, ...]]]:
        """Without what was computed of these: an expression cannot be sent to another process."""
        return Encoding, (self.schema, self.outputs, self.features)

    def encode(self, columns: Columns) -> np.ndarray:
        """Typed columns of n rows → float64 matrix of shape (n, len(outputs)); NaN where a fill is None."""
        computed = self._derived.computed(columns) if self.features else {}
        if isinstance(columns, Block):
            given = np.column_stack([columns.matrix, *computed.values()]) if computed else columns.matrix
            matrix = self._raw([given.take(part.places, axis=1) for part in self._parts])
        else:
            columns = {**columns, **computed}
            rows = len(next(iter(columns.values())))
            matrix = np.empty((rows, len(self.outputs)), dtype=np.float64)
            for begin in range(0, rows, AT_ONCE):
                some = slice(begin, min(begin + AT_ONCE, rows))
                matrix[some] = self._raw([np.array([columns[name][some] for name in part.fields]).T for part in self._parts])
        fills, means, scales = self._constants
        if fills is not None:
            matrix = np.where(np.isnan(matrix), fills, matrix)
        if means is not None:
            matrix = (matrix - means) / scales
        return matrix

    def _raw(self, cells: Sequence[np.ndarray]) -> np.ndarray:
        """The outputs before they are filled and scaled, of the cells of each part: a column for each of its outputs."""
        pieces = [part.of(each) for part, each in zip(self._parts, cells)]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=1).take(self._order, axis=1)

    @cached_property
    def _derived(self) -> Derived:
        return derived(self.schema, self.features)

    @cached_property
    def _fields(self) -> dict[str, Field]:
        return {field.name: field for field in (*self.schema, *self._derived.fields)}

    @cached_property
    def _groups(self) -> dict[str, list[int]]:
        """Which outputs are computed together, by kind; without any, nothing is."""
        kinds = [CODED if self._fields[output.field].type == "category" else output.kind for output in self.outputs]
        return {kind: [place for place, other in enumerate(kinds) if other == kind] for kind in kinds or ["value"]}

    @cached_property
    def _order(self) -> np.ndarray:
        """Where each output is among those of all parts."""
        return np.argsort([place for group in self._groups.values() for place in group])

    @cached_property
    def _parts(self) -> list["_Part"]:
        """In the order of the groups."""
        places = {name: place for place, name in enumerate(self._fields)}
        parts = []
        for kind, group in self._groups.items():
            names = [self.outputs[place].field for place in group]
            numbers = [_numbers(self.outputs[place], self._fields[name]) for place, name in zip(group, names) if kind == CODED]
            starts = np.cumsum([-FIRST_CODE, *map(len, numbers[:-1])])
            flat = np.concatenate(numbers) if numbers else np.empty(0)
            parts.append(_Part(kind, names, np.array([places[name] for name in names], dtype=np.int64), flat, starts))
        return parts

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
    """The number of each code, from UNSEEN and MISSING on."""
    if output.kind in NUMBERED:
        given, other, unseen, missing = dict(zip(output.levels, output.values)), output.other, output.other, None
    else:
        given, other, unseen = dict.fromkeys(output.levels, 1.0), 0.0, float(output.unseen)
        missing = float(output.kind == "missing")
    return np.array([unseen, missing, *(given.get(level, other) for level in field.levels)], dtype=np.float64)


@dataclass(frozen=True)
class _Part:
    """Outputs of one kind, which are computed together.

    Parameters
    ----------
    kind : str
    fields : list of str
        Of each output.
    places : ndarray of int
        Of these fields in a block.
    numbers : ndarray
        Of categories the number for each code, output after output.
    starts : ndarray of int
        Where the number for code 0 is, of each output.
    """

    kind: str
    fields: list[str]
    places: np.ndarray
    numbers: np.ndarray
    starts: np.ndarray

    def of(self, cells: np.ndarray) -> np.ndarray:
        """The outputs of these cells, of the same shape."""
        found: np.ndarray
        if self.kind == CODED:
            found = self.numbers.take(cells.astype(np.int64) + self.starts)
        elif self.kind == "value":
            found = cells
        elif self.kind == "missing":
            found = np.isnan(cells).astype(np.float64)
        elif self.kind == "log":
            found = np.sign(cells) * np.log1p(np.abs(cells))
        else:
            found = date_part(self.kind, cells)
        return found
