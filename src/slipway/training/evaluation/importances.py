"""Which field the model would miss most: how much worse the metric gets when one is shuffled."""

import numpy as np

from slipway.model.evaluation import Importance
from slipway.model.metrics import METRICS, Scored, value
from slipway.model.predictor import Predictor
from slipway.table.schema import Columns
from slipway.training.data.labelled import Rows
from slipway.training.measures.goal import Goal
from slipway.training.measures.resampling import drawn, draws, estimate

ROWS = 1_000
MOST, LEAST = 5, 2
SHUFFLES = 200  # about so many times the rows are answered


def importances(predictor: Predictor, held: Rows, goal: Goal, confidence: float) -> tuple[Importance, ...]:
    """Every field with the mean loss over two to five shufflings of at most 1,000 held-out rows, the largest first.

    The interval is of the rows: a bootstrap of the difference, paired row by row.

    Source: Breiman, "Random Forests", Machine Learning 45 (2001).
    """
    random = np.random.default_rng(goal.seed)
    rows = held.take(np.sort(random.permutation(len(held.y))[:ROWS]))
    repeats = int(np.clip(SHUFFLES // len(rows.columns), LEAST, MOST))
    orders = [random.permutation(len(rows.y)) for _ in range(repeats)]
    weights = draws(len(rows.y), goal.seed)
    sign = METRICS[goal.metric].sign

    def answered(columns: Columns) -> Scored:
        return goal.scored(rows.y, predictor.scores(columns), predictor.threshold)

    whole = answered(rows.columns)
    reached, spread = value(goal.metric, whole), drawn(goal.metric, whole, weights)
    found = []
    for name, column in rows.columns.items():
        shuffled = [answered({**rows.columns, name: column[order]}) for order in orders]
        loss = sign * (reached - np.mean([value(goal.metric, each) for each in shuffled]))
        losses = sign * (spread - np.mean([drawn(goal.metric, each, weights) for each in shuffled], axis=0))
        found.append(Importance(name, estimate(float(loss), losses, confidence)))
    return tuple(sorted(found, key=lambda one: -one.loss.value))
