"""Levels by the mean of the target, for columns that have too many levels for an output each.

The mean of a level with few rows is drawn to that of all rows (empirical Bayes, as scikit-learn's TargetEncoder does it). What
a model learns from are means of *other* rows: one that includes a row's own target would tell it.

Source: Micci-Barreca, "A preprocessing scheme for high-cardinality categorical attributes", SIGKDD Explorations 3 (2001).
"""

from collections.abc import Sequence

import numpy as np
from sklearn.preprocessing import TargetEncoder

from slipway.model.encoding import Encoding, Output
from slipway.table.schema import MISSING, Columns, Field
from slipway.training.data.folds import FOLDS, dealt


def means(field: Field, codes: np.ndarray, aims: np.ndarray) -> list[Output]:
    """An output for each column of `aims`, of shape (rows, k): the target, or 0 and 1 for each of several classes."""
    outputs = []
    for aim in aims.T:
        encoder = TargetEncoder(target_type="continuous").fit(codes[:, None], aim)
        (known,), (values,), average = encoder.categories_, encoder.encodings_, float(encoder.target_mean_)
        found = dict(zip(known.tolist(), values.tolist()))
        missing = found.pop(MISSING, average)
        levels = tuple(field.levels[code] for code in found)
        outputs.append(Output("mean", field.name, levels, fill=missing, values=tuple(found.values()), other=average))
    return outputs


def learned_matrix(encoding: Encoding, columns: Columns, aims: np.ndarray, kin: np.ndarray | None, seed: int) -> np.ndarray:
    """The matrix of the rows that a model learns from: as it is encoded, but each mean is one of other rows.

    Parameters
    ----------
    encoding : Encoding
        Learned from these rows.
    columns : Columns
    aims : ndarray of shape (rows, k)
    kin : ndarray of int or None
        Rows with the same number belong together; none of them counts for another.
    seed : int
    """
    matrix = encoding.encode(columns)
    places: dict[str, list[int]] = {}
    for place, output in enumerate(encoding.outputs):
        if output.kind == "mean":
            places.setdefault(output.field, []).append(place)
    divided = _divided(aims, kin, seed) if places else []
    if len(divided) < 2:
        return matrix
    for name, own in places.items():
        for place, aim in zip(own, aims.T, strict=True):
            others = TargetEncoder(target_type="continuous", cv=divided).fit_transform(columns[name][:, None], aim)[:, 0]
            matrix[:, place] = (others - encoding.outputs[place].mean) / encoding.outputs[place].scale
    return matrix


def _divided(aims: np.ndarray, kin: np.ndarray | None, seed: int) -> Sequence[tuple[np.ndarray, np.ndarray]]:
    kin = np.arange(len(aims)) if kin is None else np.unique(kin, return_inverse=True)[1]
    part = dealt(aims[:, 0], 0, kin, FOLDS, np.random.default_rng(seed))
    return [(np.flatnonzero(part != one), np.flatnonzero(part == one)) for one in np.unique(part)]
