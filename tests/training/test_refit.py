import re

import numpy as np
import pytest

from slipway.model.contents import Estimate
from slipway.training.data.dataset import read
from slipway.training.measures.goal import Goal
from slipway.training.refit import OTHERS, checked_rows, doubt
from tables import charges, problem

TRUTH = np.random.default_rng(0).normal(size=200)
TWIN = TRUTH + np.random.default_rng(1).normal(size=200)
NOISE = np.random.default_rng(2).normal(size=200)


@pytest.mark.parametrize(
    ("metric", "y", "twin", "refit", "measured", "says"),
    [
        ("rmse", TRUTH, TWIN, TWIN, (1.0, 0.9, 1.1), ""),
        ("rmse", TRUTH, TWIN, TRUTH, (1.0, 0.9, 1.1), ""),
        ("rmse", TRUTH, TWIN, TRUTH + 2, (1.0, 0.9, 1.1), "rmse 2 on rows that it has learned, where its twin has 1"),
        ("r2", TRUTH, TWIN, NOISE, (0.1, 0.0, 0.2), "r2 −"),
        ("rmse", TRUTH, NOISE, TRUTH, (1.4, 1.3, 1.5), "its answers correlate with those of its twin by -?0.[01]"),
        ("rmse", TRUTH, np.zeros(200), TRUTH, (1.0, 0.9, 1.1), ""),
        ("log_loss", np.zeros(200), np.full((200, 3), 1 / 3), np.eye(3)[[1] * 200], (1.1, 1.1, 1.1), "log_loss"),
    ],
)
def test_a_refit_is_doubted_when_its_answers_are_not_those_of_its_twin(metric, y, twin, refit, measured, says):
    goal = Goal(metric, None, 0)
    y = y.astype(int) if metric == "log_loss" else y
    found = doubt(goal, goal.scored(y, twin, None), goal.scored(y, refit, None), Estimate(*measured))
    assert re.match(says if says else "$", found), found


def test_parity_is_tested_on_all_rows_held_out_and_on_others_from_everywhere(tmp_path):
    table = read(problem(tmp_path, charges(3000), "charges"))
    rows = checked_rows(table)
    assert len(rows.y) == OTHERS + table.held.sum()
    assert set(table.unseen.y) <= set(rows.y)
