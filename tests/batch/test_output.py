"""Numbers as they are written to CSV."""

import numpy as np
import pytest

from slipway.batch.output import numbers_text

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(
    "numbers",
    [
        [],
        [12.0],
        [0.0, -0.0, 1.5, -2.25, 0.1 + 0.2, 1e15, 123456789012345680.0, 1e16, -1e22, 1e-4, 9.9e-5, -1e-7, 5e-324],
        np.exp(RANDOM.normal(scale=20, size=1000)),
        RANDOM.normal(scale=1e4, size=80_000),
    ],
    ids=["none", "one", "edges", "wide", "many"],
)
def test_a_number_is_written_as_python_writes_it(numbers):
    values = np.array(numbers, dtype=np.float64)
    assert numbers_text(values).to_pylist() == [repr(value).encode() for value in values.tolist()]
