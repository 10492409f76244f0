"""The same fits, one after the other and in worker processes."""

import numpy as np
import pytest

from slipway.table.schema import Field, Schema
from slipway.training.data.labelled import Rows
from slipway.training.fitting.candidates import Blend, Trial
from slipway.training.fitting.fitted import fit
from slipway.training.fitting.workers import fit_all

TREES = Trial("boosting", {"learning_rate": 0.1, "max_iter": 10})
LINE = Trial("linear", {"penalty": 1.0})
A = np.random.default_rng(0).normal(size=400)
ROWS = Rows(Schema((Field("a", "number"),)), {"a": A}, A**2, "regression", ())


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("trial", [TREES, Blend((TREES, LINE), (0.7, 0.3))], ids=["one", "blend"])
def test_each_part_is_learned_from_as_by_itself(trial, jobs):
    parts = [ROWS.take(np.arange(size)) for size in (100, 400, 200)]
    found = fit_all(trial, parts, 0, jobs)
    for part, fitted in zip(parts, found, strict=True):
        assert fitted.scores(ROWS.columns).tolist() == fit(trial, part, 0).scores(ROWS.columns).tolist()


def test_nothing_to_learn_from_is_no_fit():
    assert fit_all(LINE, [], 0, 2) == []
