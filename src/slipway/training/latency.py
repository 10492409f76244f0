"""How long one row takes. It depends on the machine, so it is told and noted, but no bundle holds it."""

from time import perf_counter

import numpy as np

from slipway.model.predictor import Predictor
from slipway.table.schema import Columns

CALLS = 200


def row_microseconds(predictor: Predictor, columns: Columns) -> float:
    """Median time of an answer to one row, in µs, over at most 200 of these rows; decoding and HTTP are not in it."""
    number = min(CALLS, len(next(iter(columns.values()))))
    times = []
    for row in range(number):
        one = {name: values[row : row + 1] for name, values in columns.items()}
        start = perf_counter()
        predictor.predict(one)
        times.append(perf_counter() - start)
    return round(float(np.median(times)) * 1e6, 1)
