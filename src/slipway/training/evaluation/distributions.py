"""What a table has in each column: levels or bins with their counts."""

import numpy as np
from msgspec.structs import replace

from slipway.model.evaluation import Distribution, FieldProfile
from slipway.table.schema import Columns, Field, Schema

BINS = 12
LEVELS = 12
OUTLYING = 0.01


def profiles(schema: Schema, columns: Columns) -> tuple[FieldProfile, ...]:
    """What the rows have in each field."""
    return tuple(_profile(field, columns[field.name]) for field in schema)


def of_target(y: np.ndarray, classes: tuple[str, ...]) -> Distribution:
    """What the rows have in the target; every class is listed, in the order of the classes."""
    if classes:
        counts = np.bincount(y.astype(np.int64), minlength=len(classes))
        return Distribution(counts=tuple(counts.tolist()), levels=classes, distinct=len(classes))
    return replace(of_numbers(y), least=float(y.min()), most=float(y.max()))


def of_numbers(numbers: np.ndarray) -> Distribution:
    """Twelve bins from the 1 % to the 99 % quantile, so that an outlier does not hide the shape; of few integers one each."""
    known = numbers[~np.isnan(numbers)]
    if not len(known):
        return Distribution(counts=())
    low, high = float(known.min()), float(known.max())
    if high - low < BINS and (known == np.round(known)).all():
        return _binned(known, low - 0.5, high + 0.5, int(high - low) + 1)
    inner, outer = np.quantile(known, [OUTLYING, 1 - OUTLYING]).tolist()
    return _binned(known, inner, outer, BINS) if inner < outer else _binned(known, low, high, BINS)


def _binned(known: np.ndarray, low: float, high: float, bins: int) -> Distribution:
    counts = np.histogram(np.clip(known, low, high), bins, (low, high))[0]
    return Distribution(counts=tuple(counts.tolist()), low=low, high=high)


def _profile(field: Field, column: np.ndarray) -> FieldProfile:
    if field.type == "category":
        missing, distribution = column < 0, _of_levels(field, column)
    else:
        missing, distribution = np.isnan(column), of_numbers(column)
    return FieldProfile(name=field.name, type=field.type, missing=float(missing.mean()), distribution=distribution)


def _of_levels(field: Field, codes: np.ndarray) -> Distribution:
    counts = np.bincount(codes[codes >= 0], minlength=len(field.levels))
    common = np.argsort(-counts, kind="stable")[:LEVELS]
    return Distribution(
        counts=tuple(counts[common].tolist()),
        levels=tuple(field.levels[code] for code in common),
        other=int(counts.sum() - counts[common].sum()),
        distinct=len(field.levels),
    )
