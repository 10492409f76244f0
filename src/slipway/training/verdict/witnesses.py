"""The parts of the rows that can speak against a challenger: levels, the anchor set, and the newest rows of production."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow

from slipway.errors import TableError
from slipway.model.division import held_out
from slipway.model.predictor import Predictor
from slipway.problem import Problem
from slipway.table.schema import MISSING
from slipway.training.data.dataset import Table
from slipway.training.data.outside import Outside, outside, targets
from slipway.training.data.split import FEW
from slipway.training.verdict.champion import Champion, Incomparable
from slipway.training.verdict.harm import Part

ENOUGH = 200  # rows of a level, or of production
PRODUCTION = "the newest rows of production"


@dataclass(frozen=True)
class Witnesses:
    """What both models answer beside the mean over all held-out rows.

    Parameters
    ----------
    problem : Problem
    table : Table
    twin : Predictor
        Of the challenger.
    champion : Champion
    cohort : sequence of pyarrow.Table or None
        Labelled rows of production, a table for each day, the newest first; None where nothing is logged.
    """

    problem: Problem
    table: Table
    twin: Predictor
    champion: Champion
    cohort: Sequence[pyarrow.Table] | None

    def heard(self, whole: Part, common: np.ndarray) -> tuple[list[Part], list[str]]:
        """The parts, and why one is absent.

        Parameters
        ----------
        whole : Part
            The held-out rows on which the models met.
        common : ndarray of bool
            Which of the table these are.
        """
        parts, absent = list(self._levels(whole, common)), []
        for name, of in (("the anchor set", self._anchor), (PRODUCTION, self._production)):
            try:
                parts += [self._answered(rows) for rows in of()]
            except Incomparable as reason:
                absent.append(f"{name} could not be compared: {reason}")
        return parts, absent

    def _levels(self, whole: Part, common: np.ndarray) -> Iterator[Part]:
        for field in self.table.rows.schema:
            if field.type != "category":
                continue
            codes = self.table.rows.columns[field.name][common]
            for code, count in zip(*np.unique(codes, return_counts=True)):
                if ENOUGH <= count < len(codes):
                    name = f"{field.name} = {'missing' if code == MISSING else field.levels[code]}"
                    inside, rows = np.nonzero(codes == code)[0], common.copy()
                    rows[common] = codes == code
                    yield Part(name, whole.challenger.take(inside), whole.champion.take(inside), self.table.units(rows))

    def _anchor(self) -> list[Outside]:
        return [self.table.anchor] if self.table.anchor else []

    def _production(self) -> list[Outside]:
        """The newest days that together have 200 rows that neither model has learned from; Incomparable with fewer than 30."""
        if self.cohort is None:
            return []
        days: list[tuple[pd.DataFrame, np.ndarray]] = []
        rows = 0
        for day in self.cohort:
            days.append(self._unlearned(day.to_pandas(date_as_object=False)))
            rows += len(days[-1][1])
            if rows >= ENOUGH:
                break
        if rows < FEW:
            raise Incomparable(f"{rows} labelled rows that neither model learned from are too few (at least {FEW})")
        frames, ys = zip(*days)
        table, frame = self.table, pd.concat(frames, ignore_index=True)
        try:
            return [outside(PRODUCTION, frame, np.concatenate(ys), self.problem, table.rows.schema, table.split)]
        except TableError as error:
            raise Incomparable(error.cause) from error

    def _unlearned(self, frame: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
        """The rows with a known target from which neither model has learned."""
        table = self.table
        try:
            y = targets(frame, self.problem, table.target)
            chosen = self.champion.unseen(frame) & held_out(frame, table.split, table.rows.schema) & ~np.isnan(y)
        except TableError as error:
            raise Incomparable(error.cause) from error
        return frame[chosen], y[chosen]

    def _answered(self, rows: Outside) -> Part:
        of, goal = self.table.rows, self.table.goal
        scores = self.champion.scores(rows.frame, of.task, of.classes, self.problem.markers)
        challenger = goal.scored(rows.y, self.twin.scores(rows.columns), self.twin.threshold)
        return Part(rows.name, challenger, goal.scored(rows.y, scores, self.champion.twin.threshold), rows.units)
