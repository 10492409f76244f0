"""The problem's table, read, typed and divided into training rows and held-out rows."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow

from slipway.errors import StoreError, TableError
from slipway.model.contents import Split
from slipway.model.division import held_out
from slipway.problem import TASK_METRICS, Problem, default_metric
from slipway.sources.batches import batches_of
from slipway.sources.source import open_source
from slipway.store.snapshots import KeptData
from slipway.table.identity import fingerprint
from slipway.table.inference import Target, features, infer_column, infer_columns, read_target
from slipway.training.data.anchor import read_anchor
from slipway.training.data.kin import Kinship, kinship
from slipway.training.data.labelled import Rows
from slipway.training.data.outside import Outside
from slipway.training.data.sample import Sample, draw
from slipway.training.data.split import checks_of, in_time, notes, split_in_time, split_of
from slipway.training.measures.goal import Goal
from slipway.training.measures.units import Units, units_of

FEWEST_ROWS = 40
Progress = Callable[[int, int | None], None]


@dataclass(frozen=True)
class Table:
    """The problem's table, read and divided.

    Parameters
    ----------
    frame : DataFrame
        The rows held out, cells as the source has them.
    target : Target
    rows : Rows
        All of them, typed.
    held : ndarray of bool
        The rows held out.
    used : ndarray of bool
        The rows learned from: all others, or of a large table the first of them.
    split : Split
    goal : Goal
    fingerprint : str
        SHA-256 of the columns that were read, the target among them.
    seen : int
        How many rows the source has.
    consistent : str
        Empty, or why the source gave no consistent snapshot.
    kin : Kinship
        Which rows belong together.
    anchor : Outside or None
        The anchor set, if there is one.
    checks : ndarray of bool or None
        The rows that check what a cluster learned from all others; None where the source, as it was read, is not on one.
    """

    frame: pd.DataFrame
    target: Target
    rows: Rows
    held: np.ndarray
    used: np.ndarray
    split: Split
    goal: Goal
    fingerprint: str
    seen: int
    consistent: str
    kin: Kinship
    anchor: Outside | None
    checks: np.ndarray | None = None

    @property
    def learned(self) -> Rows:
        return self.rows.take(self.used)

    @property
    def whole(self) -> Rows:
        """What is served learns from these: the rows learned from and, when they have judged, the rows held out."""
        return self.rows.take(self.used | self.held)

    def units(self, rows: np.ndarray) -> Units:
        """What is drawn again of these rows, a mask, to learn how much is chance."""
        return units_of(self.kin.depend[rows], None if self.rows.time is None else self.rows.time[rows])

    @property
    def cells(self) -> int:
        return int(self.held.sum() + self.used.sum()) * len(self.rows.schema.names)

    @property
    def unseen(self) -> Rows:
        return self.rows.take(self.held)


def read(
    problem: Problem,
    also: Collection[str] = (),
    kept: KeptData | None = None,
    progress: Progress = lambda done, total: None,
    given: pyarrow.Table | None = None,
) -> Table:
    """Read the problem's table in one pass, type it and divide it.

    Parameters
    ----------
    problem : Problem
    also : collection of str
        Columns to read although the problem drops them: those of the champion.
    kept : KeptData, optional
        Where to keep what was read.
    progress : callable
        Told (rows read, about how many there are).
    given : pyarrow.Table, optional
        To read instead of the problem's source.

    Raises
    ------
    TableError
        When the table cannot be read or does not fit.
    """
    batches = open_source(problem) if given is None else batches_of(given)
    own = _own(problem, batches.names)
    wanted = [name for name in batches.names if name in own or name in also]
    if given is not None:
        batches = batches_of(given.select(wanted))
    elif len(wanted) < len(batches.names):
        batches = open_source(problem, wanted, set(batches.names) - set(wanted))
    batches.require_format(problem.formats)
    where = ", ".join(problem.source) if given is None else "the frame"
    key = problem.group or problem.id or own
    # what is learned must not depend on the order of rows, which databases and clusters do not keep
    sample = draw(batches, key, max(1, problem.sample.cells // len(own)), where, progress, ordered=own)
    learned = sample.table.select(own)
    elsewhere = problem.search.engine == "spark" and given is None
    if kept is None:
        return _divided(problem, sample, own, fingerprint(learned), elsewhere)
    named = kept.keep(learned, {"seen": sample.seen, "consistent": sample.consistent})
    return _divided(problem, sample, own, named, elsewhere)


def read_kept(problem: Problem, kept: KeptData, named: str) -> Table:
    """The same from what an earlier training read; StoreError when that is absent, damaged or of other columns."""
    table, about = kept.read(named)
    try:
        own = _own(problem, table.column_names)
    except TableError as error:
        raise StoreError(f"data {named[:12]}: {error.cause}", "It was read for another slipway.yaml") from error
    return _divided(problem, Sample(table, about["seen"], about["consistent"]), own, named)


def _own(problem: Problem, names: Collection[str]) -> list[str]:
    """The columns that the problem is about; TableError when it names one that is absent."""
    nothing = pd.DataFrame(columns=list(names))
    if problem.target not in nothing.columns:
        read_target(nothing, problem)
    features(nothing, problem)
    return [name for name in names if name not in problem.drop or name == problem.time]


def _divided(problem: Problem, sample: Sample, own: list[str], named: str, elsewhere: bool = False) -> Table:
    frame = sample.table.to_pandas(date_as_object=False)
    target = read_target(frame, problem)
    if not target.rows.all():
        frame = frame[target.rows].reset_index(drop=True)
    schema, columns = infer_columns(frame, problem, [name for name in own if name not in problem.unlearned])
    split, moments = _split(problem, frame, own)
    held = held_out(frame, split, schema)
    kin = kinship(problem, frame, columns, target.y)
    rows = Rows(schema, columns, target.y, target.task, target.classes, kin.together, moments)
    _require_enough(problem, rows, held)
    costs = (problem.costs.false_positive, problem.costs.false_negative) if problem.costs else None
    metric = problem.metric or default_metric(target.task, problem.costs)
    if metric not in TASK_METRICS[target.task]:
        raise TableError(
            f"metric: {metric} does not measure {target.task}, which the target {problem.target} asks for",
            f"Choose one of {', '.join(TASK_METRICS[target.task])}, or set task",
        )
    goal = Goal(metric, costs, problem.seed)
    anchor = read_anchor(problem, frame[~held], target, schema, split)
    checks = held_out(frame, checks_of(split, moments), schema) & ~held if elsewhere else None
    frame = frame[held].reset_index(drop=True)
    return Table(frame, target, rows, held, ~held, split, goal, named, sample.seen, sample.consistent, kin, anchor, checks)


def _split(problem: Problem, frame: pd.DataFrame, own: Sequence[str]) -> tuple[Split, np.ndarray | None]:
    """How the rows are divided, and when each was, if the problem says so."""
    if problem.time is None:
        return split_of(problem, own), None
    field, moments = infer_column(frame[problem.time], problem)
    return split_in_time(problem, field, moments), moments


def _coarse(problem: Problem) -> str:
    """What to do where the rows fall into too few parts, or nearly all into one."""
    if problem.group:
        return f"Nearly all rows are of one group, or there are few groups ({', '.join(problem.group)}): name another in group"
    if problem.id:
        return f"The id ({', '.join(problem.id)}) is the same in nearly every row: name another in id"
    return "All features are the same in nearly every row: add features, or name an id"


def _require_enough(problem: Problem, rows: Rows, held: np.ndarray) -> None:
    if len(held) < FEWEST_ROWS:
        raise TableError(f"the table has {len(held)} rows with a target; at least {FEWEST_ROWS} are needed")
    if held.all() or not held.any():
        raise TableError(
            f"the split holds out {held.sum()} of {len(held)} rows",
            _coarse(problem),
        )
    for code, label in enumerate(rows.classes):
        if (rows.y[~held] == code).sum() < 2:
            raise TableError(
                f"target: fewer than 2 training rows are of class {label!r}",
                "Add rows of it, or remove the class from the table.",
            )
        if rows.task == "binary" and not (rows.y[held] == code).any():
            raise TableError(
                f"target: no held-out row is of class {label!r}, so nothing can be measured",
                "Add rows of it, or set holdout.share higher",
            )


def remarks(table: Table) -> list[str]:
    """What a reader of the results must know of the table."""
    without = int((~table.target.rows).sum())
    lost = [f"{without} rows without a target were left out"] if without else []
    lost += [f"the column {name} was left out: it has {reason}" for name, reason in table.rows.schema.left_out]
    moving = [table.consistent.rstrip(".")] if table.consistent else []
    divided = in_time(table.split, table.rows.time, table.held) or table.kin.remarks(table.held, table.split)
    return lost + moving + divided + notes(table.unseen.y, table.rows.classes)
