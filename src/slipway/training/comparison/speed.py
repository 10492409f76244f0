"""How long one row takes a model, estimated from counts, so that no clock decides which model is chosen."""

import numpy as np

from slipway.training.data.labelled import Rows
from slipway.training.fitting.candidates import CANDIDATES, Blend, Trial
from slipway.training.fitting.fitted import encoded
from slipway.training.fitting.preprocessing import NATIVE

# Microseconds, fitted to measurements of one row on one core: of any answer, of each member's graph, of each output of an
# encoding, and of each halving on the way through a tree.
ANSWER, GRAPH, OUTPUT, HALVING = 9.0, 5.0, 1.1, 0.01
SAMPLE = 1_000


class Speed:
    """Estimates for models of one table.

    Parameters
    ----------
    rows : Rows
        What they learn from.
    """

    def __init__(self, rows: Rows) -> None:
        self._rows = len(rows.y)
        self._scores = max(1, len(rows.classes)) if rows.task == "multiclass" else 1
        self._sample = rows.take(np.arange(min(SAMPLE, len(rows.y))))
        self._widths: dict[tuple[str, bool], int] = {}

    def microseconds(self, trial: Trial | Blend) -> float:
        """From the columns of a row to its answer."""
        return ANSWER + sum(self._member(each) for each in trial.trials)

    def _member(self, trial: Trial) -> float:
        trees, leaves = trial.trees(self._rows)
        each = self._scores if CANDIDATES[trial.candidate].by_class else 1
        return GRAPH + OUTPUT * self._width(trial) + HALVING * trees * each * float(np.log2(leaves))

    def _width(self, trial: Trial) -> int:
        key = trial.candidate, bool(trial.settings.get(NATIVE))
        if key not in self._widths:
            self._widths[key] = len(encoded(trial, self._sample)[0].outputs)
        return self._widths[key]
