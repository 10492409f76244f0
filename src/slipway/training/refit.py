"""The refit: what is served learns from all rows with the settings that won, so nothing is left that could measure it.

The twin, fitted without the rows held out, is what was measured. A refit that answers these rows as the twin's figures do
not allow has not learned the same; then the twin is served.
"""

import numpy as np

from slipway.model.contents import Estimate
from slipway.model.metrics import METRICS, Scored, value
from slipway.report.numbers import number
from slipway.training.data.dataset import Table
from slipway.training.data.labelled import Rows
from slipway.training.measures.goal import Goal

OTHERS = 1_000  # rows besides those held out on which a refit's export has to agree with scikit-learn
ALIKE = 0.5  # correlation


def checked_rows(table: Table) -> Rows:
    """The rows on which the parity of a refit is tested: those held out, and others spread evenly over the table."""
    others = np.nonzero(table.used)[0]
    spread = others[np.linspace(0, len(others) - 1, min(OTHERS, len(others))).astype(int)]
    return table.rows.take(np.union1d(np.nonzero(table.held)[0], spread))


def doubt(goal: Goal, twin: Scored, refit: Scored, measured: Estimate) -> str:
    """Why a refit is not to be served; empty when nothing speaks against it.

    Parameters
    ----------
    goal : Goal
    twin, refit : Scored
        On the rows held out. The refit has learned from them: it should do better there than its twin.
    measured : Estimate
        The twin's value of the metric.
    """
    reached = value(goal.metric, refit)
    if METRICS[goal.metric].greater_is_better:
        worse = reached < measured.low
    else:
        worse = reached > measured.high
    if worse:
        return f"{goal.metric} {number(reached)} on rows that it has learned, where its twin has {number(measured.value)}"
    one, other = twin.scores.ravel(), refit.scores.ravel()
    if one.std() > 0 and other.std() > 0 and (alike := float(np.corrcoef(one, other)[0, 1])) < ALIKE:
        return f"its answers correlate with those of its twin by {alike:.2f} only"
    return ""
