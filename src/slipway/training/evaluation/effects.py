"""How the answer moves when one field moves and all else stays."""

from collections.abc import Sequence

import numpy as np

from slipway.model.evaluation import Effect, EffectPoint
from slipway.model.predictor import Predictor
from slipway.table.schema import Columns, Field
from slipway.training.data.labelled import Rows

FIELDS = 8
POINTS = 25
LEVELS = 12
ROWS = 300
BAND = (0.1, 0.9)
TAIL = 0.01


def effects(predictor: Predictor, rows: Rows, names: Sequence[str], seed: int) -> tuple[Effect, ...]:
    """Partial dependence on the first eight of these fields, over at most 300 rows.

    Source: Friedman, "Greedy function approximation: a gradient boosting machine", Annals of Statistics 29 (2001).
    """
    chosen = np.sort(np.random.default_rng(seed).permutation(len(rows.y))[:ROWS])
    some = rows.take(chosen).columns
    return tuple(_effect(predictor, some, rows.schema[name], rows.columns[name]) for name in names[:FIELDS])


def _effect(predictor: Predictor, rows: Columns, field: Field, column: np.ndarray) -> Effect:
    grid = _levels(field, column) if field.type == "category" else _values(field, column)
    number = len(next(iter(rows.values())))
    columns = {name: np.tile(each, len(grid)) for name, each in rows.items()}
    columns[field.name] = np.repeat(grid, number).astype(column.dtype)
    scores = predictor.scores(columns)
    of = ""
    if scores.ndim == 2:
        shares = scores.reshape(len(grid), number, -1)
        code = int(np.ptp(shares.mean(axis=1), axis=0).argmax())  # the class that this field moves most
        of, scores = predictor.classes[code], shares[:, :, code]
    elif predictor.positive is not None:
        of = predictor.positive
    answers = scores.reshape(len(grid), number)
    low, high = np.quantile(answers, BAND, axis=1)
    shown = [field.levels[code] for code in grid.tolist()] if field.type == "category" else grid.tolist()
    points = zip(shown, answers.mean(axis=1).tolist(), low.tolist(), high.tolist())
    return Effect(field=field.name, of=of, points=tuple(EffectPoint(at=at, mean=m, low=b, high=t) for at, m, b, t in points))


def _levels(field: Field, codes: np.ndarray) -> np.ndarray:
    counts = np.bincount(codes[codes >= 0], minlength=len(field.levels))
    return np.argsort(-counts, kind="stable")[: min(LEVELS, int((counts > 0).sum()))]


def _values(field: Field, column: np.ndarray) -> np.ndarray:
    """Quantiles, so that there are most points where most rows are; without the outermost hundredths."""
    known = column[~np.isnan(column)]
    return np.unique(np.quantile(known, np.linspace(TAIL, 1 - TAIL, POINTS), method="nearest"))
