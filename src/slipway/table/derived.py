"""The columns that a model computes from the fields of a row: those that slipway.yaml declares under ``features``."""

from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from slipway.errors import TableError
from slipway.table.expressions import LARGEST, Expression, columns_of, expression, fitted
from slipway.table.schema import MISSING, Columns, Feature, Field, Schema

NO_VALUES = (
    f"It is missing where a cell is, after a division by zero, and beyond ±{LARGEST:.1e}, the largest number models read"
)


@dataclass(frozen=True)
class Derived:
    """Computed columns, name → expression; one may read those before it."""

    expressions: Mapping[str, Expression]

    @property
    def features(self) -> tuple[Feature, ...]:
        return tuple(Feature(name, each.text) for name, each in self.expressions.items())

    @property
    def fields(self) -> tuple[Field, ...]:
        """What they are: numbers, or categories where a number is binned."""
        return tuple(Field(name, each.type, each.levels) for name, each in self.expressions.items())

    def with_columns(self, columns: Columns) -> Columns:
        """Typed columns of n rows, and the computed ones."""
        return {**columns, **self.computed(columns)}

    def computed(self, columns: Columns) -> dict[str, np.ndarray]:
        """What is computed of typed columns of n rows."""
        found: dict[str, np.ndarray] = {}
        known = ChainMap(found, columns)  # type: ignore[arg-type]  # of which the first alone is written to
        for name, each in self.expressions.items():
            found[name] = each.column(known)
        return found

    def require_values(self, columns: Columns) -> None:
        """TableError when a feature is missing in all of these rows."""
        computed = self.with_columns(columns)
        for name, each in self.expressions.items():
            column = computed[name]
            if (column == MISSING).all() if each.levels else np.isnan(column).all():
                with _named(name):
                    raise TableError(f"{each.text} is missing in every row", NO_VALUES)


def derived(schema: Schema, features: Sequence[Feature]) -> Derived:
    """Read features that have learned what they need; TableError naming the one that does not fit the schema."""
    types: dict[str, str] = {field.name: field.type for field in schema}
    found = {}
    for feature in features:
        with _named(feature.name):
            found[feature.name] = one = expression(feature.expression, types)
        types[feature.name] = one.type
    return Derived(found)


def learned(schema: Schema, columns: Columns) -> Derived:
    """The schema's features with what they learn of these rows, such as the limits of quantiles."""
    known = Derived({})
    for feature in schema.features:
        types = {field.name: field.type for field in (*schema, *known.fields)}
        with _named(feature.name):
            text = fitted(feature.expression, types, known.with_columns(columns))
        known = derived(schema, (*known.features, Feature(feature.name, text)))
    return known


def require_columns_of(features: Mapping[str, str], names: Sequence[str], left_out: Mapping[str, str]) -> None:
    """TableError when a feature has the name of a column, or reads one that is not learned from.

    Parameters
    ----------
    features : mapping
        Name → expression.
    names : sequence of str
        All columns of the table.
    left_out : mapping
        Columns that are not learned from → what they are, such as ``the target``.
    """
    for feature, text in features.items():
        with _named(feature):
            if feature in names:
                raise TableError("the table has a column of this name", "Choose another name")
            for name in columns_of(text):
                if name in left_out:
                    says = f"reads {name!r}, which is {left_out[name]}"
                    raise TableError(says, "A feature reads only columns that the model learns from")


@contextmanager
def _named(feature: str) -> Iterator[None]:
    """Errors that name the setting."""
    try:
        yield
    except TableError as error:
        raise TableError(f"features.{feature}: {error.cause}", error.cure) from error
