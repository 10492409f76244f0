"""The parts of the rows that can speak against a challenger: levels, the anchor set, and the newest rows of production."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow

from slipway.errors import TableError
from slipway.model.division import held_out, is_named
from slipway.model.predictor import Predictor
from slipway.problem import Problem
from slipway.report.numbers import counted
from slipway.table.cells import read_columns
from slipway.table.schema import MISSING
from slipway.training.data.dataset import Table
from slipway.training.data.outside import Outside, outside, targets
from slipway.training.data.split import FEW
from slipway.training.verdict.champion import Champion, Incomparable
from slipway.training.verdict.harm import Part

ENOUGH = 200  # rows of a level, or of production
OLDEST = 60  # days since the newest rows of production: older ones do not say what is asked now
SHOWN = 3  # columns
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
    cohort : mapping of date to pyarrow.Table, or None
        Labelled rows of production by their day, the newest first; None where nothing is logged.
    today : date
        In UTC.
    """

    problem: Problem
    table: Table
    twin: Predictor
    champion: Champion
    cohort: Mapping[date, pyarrow.Table] | None
    today: date

    def heard(self, whole: Part, common: np.ndarray) -> tuple[list[Part], list[str]]:
        """The parts, and what is to be said of them: why one is absent, or is not whole.

        Parameters
        ----------
        whole : Part
            The held-out rows on which the models met.
        common : ndarray of bool
            Which of the table these are.
        """
        parts, says = list(self._levels(whole, common)), []
        for name, of in (("the anchor set", self._anchor), (PRODUCTION, self._production)):
            try:
                rows, remarks = of()
                parts += [self._answered(each) for each in rows]
                says += remarks
            except Incomparable as reason:
                says.append(f"{name} could not be compared: {reason}")
        return parts, says

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

    def _anchor(self) -> tuple[list[Outside], list[str]]:
        """The rows that the champion cannot have learned from: all of them once it was trained beside the same anchor set."""
        anchor, champion = self.table.anchor, self.champion
        if anchor is None:
            return [], []
        if champion.twin.model.anchor == anchor.identity:
            return [anchor], []
        unseen = champion.unseen(anchor.frame)
        if unseen.all():
            return [anchor], []
        may = f"the champion, which was trained without this anchor set, may have learned from {(~unseen).sum():,} of its rows"
        if unseen.sum() < FEW:
            raise Incomparable(f"{may}; from the next promotion on they count")
        return [anchor.take(unseen)], [f"{may}: they count from the next promotion on"]

    def _production(self) -> tuple[list[Outside], list[str]]:
        """The newest days that together have 200 rows that neither model has learned from; Incomparable with fewer than 30."""
        if self.cohort is None:
            return [], []
        newest = next(iter(self.cohort), self.today)
        if (self.today - newest).days > OLDEST:
            raise Incomparable(f"the newest of them are of {period([newest])}, more than {OLDEST} days ago")
        days: dict[date, tuple[pd.DataFrame, np.ndarray]] = {}
        odd, nameless, rows = [], 0, 0
        for day, table in self.cohort.items():
            try:
                frame, y, others = self._unlearned(table)
            except Incomparable as reason:
                odd.append(str(reason))
                continue
            nameless += others
            if len(y):
                days[day], rows = (frame, y), rows + len(y)
            if rows >= ENOUGH:
                break
        skipped = [f"{counted(len(odd), 'day')} could not be compared ({odd[0]})"] if odd else []
        if rows < FEW:
            says = [f"{rows} labelled rows that neither model learned from are too few (at least {FEW})", *skipped]
            if nameless:
                by = ", ".join(dict.fromkeys([*self.champion.split.needed, *self.table.split.needed][:SHOWN]))
                says.append(f"{nameless:,} more have no {by}, so nobody can tell whether a model learned from them")
            raise Incomparable("; ".join(says))
        frames, ys = zip(*days.values())
        name, frame, of = f"{PRODUCTION} ({period(days)})", pd.concat(frames, ignore_index=True), self.table
        try:
            found = outside(name, frame, np.concatenate(ys), self.problem, of.rows.schema, of.split)
        except TableError as error:
            raise Incomparable(error.cause) from error
        return [found], [f"of {PRODUCTION} {says}" for says in skipped]

    def _unlearned(self, day: pyarrow.Table) -> tuple[pd.DataFrame, np.ndarray, int]:
        """The rows with a known target from which neither model has learned, and how many of the others have no name."""
        table, champion = self.table, self.champion
        frame = self._completed(day.to_pandas(date_as_object=False))
        absent = [name for name in table.split.needed if name not in frame.columns]
        try:
            y = targets(frame, self.problem, table.target)
            unseen = champion.unseen(frame)
            if absent:
                raise Incomparable(f"there is no column {absent[0]}, by which rows are divided now")
            unseen &= held_out(frame, table.split, table.rows.schema)
            named, known = is_named(frame, champion.split) & is_named(frame, table.split), ~np.isnan(y)
            chosen = unseen & named & known
            for schema in (table.rows.schema, champion.twin.schema):  # a cell that cannot be read spoils its day only
                read_columns(frame[chosen], schema, self.problem.markers)
        except TableError as error:
            raise Incomparable(error.cause) from error
        return frame[chosen], y[chosen], int((known & ~named).sum())

    def _completed(self, frame: pd.DataFrame) -> pd.DataFrame:
        """The same with each column that no request had, and none needs to have; what the log hides was in requests."""
        own, hidden = self.table.rows.schema, {*self.problem.log.omit, *self.problem.log.hash}
        needed = {field.name for field in own if not field.optional}
        optional = [field.name for field in self.champion.twin.schema if field.optional and field.name not in needed | hidden]
        return frame.assign(**{name: np.nan for name in optional if name not in frame.columns})

    def _answered(self, rows: Outside) -> Part:
        of, goal = self.table.rows, self.table.goal
        scores = self.champion.scores(rows.frame, of.task, of.classes, self.problem.markers)
        challenger = goal.scored(rows.y, self.twin.scores(rows.columns), self.twin.threshold)
        return Part(rows.name, challenger, goal.scored(rows.y, scores, self.champion.twin.threshold), rows.units)


def period(days: Collection[date]) -> str:
    """From the first of these days to the last: 28 October to 9 November 2026."""
    first, last = min(days), max(days)
    if first == last:
        return f"{last.day} {last:%B %Y}"
    since = f"{first.day}" + (f" {first:%B}" if first.month != last.month or first.year != last.year else "")
    return f"{since}{f' {first.year}' if first.year != last.year else ''} to {last.day} {last:%B %Y}"
