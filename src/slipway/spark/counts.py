"""What a whole Spark table has beside what the champion learned from, counted on the cluster."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from slipway.batch.open import find_bundle
from slipway.model.contents import schema_of
from slipway.monitoring.bins import Column, columns_of
from slipway.problem import Problem, problem_of
from slipway.sources.spark_session import told
from slipway.sources.spark_workers import mapped
from slipway.spark.counting_job import COUNTS, Tally, counted
from slipway.spark.scoring_job import LIBRARIES, packed_job
from slipway.table.faults import tally_key
from slipway.table.schema import Field, Schema, an

if TYPE_CHECKING:  # workers import this room: they need neither pandas nor SciPy
    from pyspark.sql import DataFrame

    from slipway.monitoring.drift import Move
    from slipway.table.audit import Finding

SAYS = {  # reason of a cell → what is wrong with some of them
    "missing": "missing; training had no missing cells here",
    "type": "not {a_type}",
    "not_finite": "not finite",
    "out_of_range": "outside the range of training, {range}",
    "unseen_level": "of a level that training never saw",
}


@dataclass(frozen=True)
class Counts:
    """What a table has.

    Parameters
    ----------
    rows : int
        All of them: those that get an answer and those that are refused.
    answered : int
    faults : mapping of str to int
        Cells for which rows are refused, by ``field/reason``.
    warnings : mapping of str to int
        Cells that are answered with a warning, likewise.
    bins : mapping of str to ndarray of int
        ``field/NAME``, ``answer/score`` and ``answer/label`` → the answered rows in each bin of the bundle's profile, and
        before them the cells that were refused. Dates are not among them.
    findings : tuple of Finding
        What the faults and warnings say of each field, in the order of the schema.
    moves : tuple of Move
        The columns that differ from training beyond chance and enough to matter, as `slipway watch` judges a window of days;
        none below 200 answered rows.
    """

    rows: int
    answered: int
    faults: Mapping[str, int]
    warnings: Mapping[str, int]
    bins: Mapping[str, np.ndarray]
    findings: "tuple[Finding, ...]"
    moves: "tuple[Move, ...]"

    @property
    def refused(self) -> int:
        """Rows that get no answer."""
        return self.rows - self.answered

    @property
    def sentences(self) -> list[str]:
        """One for each column that moved, the largest effect first."""
        from slipway.monitoring.words import ANSWERS, changes

        moved = sorted(self.moves, key=lambda move: -move.effect)
        return [f"{ANSWERS.get(move.column.key, move.column.name)}: {'; '.join(changes(move))}" for move in moved]


def check(
    df: "DataFrame", problem: Problem | Mapping[str, Any] | str | Path | None = None, digest: str | None = None
) -> Counts:
    """Count on the cluster what a table has that the champion's training had not, and what drifted: all rows, no sample.

    Each task counts the rows that it reads as they would be answered, with the same code as the service; the driver adds up
    the counts. A task that is repeated counts once.

    Parameters
    ----------
    df : DataFrame
        It needs the columns that the model was trained on; all others are ignored, and not read.
    problem : Problem, path or mapping, optional
        As of `slipway.spark.predict`, like `digest`.

    Raises
    ------
    StoreError, BundleError, ProblemError
        As of `slipway.spark.predict`.
    TableError
        When a column is missing, or the cluster fails.

    Examples
    --------
    >>> found = slipway.spark.check(spark.table("lake.patients"))
    >>> found.rows, found.refused
    (1000000, 12)
    >>> found.sentences
    ['bmi: 31% at 41.2 or more, 10% in training, median 30.4 → 36.1 (0.55 sd)']
    """
    problem = problem_of(problem)
    bundle = find_bundle(problem, digest)
    schema = schema_of(bundle)
    packed = packed_job(bundle, problem, df.columns)
    whole = Tally()
    with told():
        needed = df.select(*(f"`{name.replace('`', '``')}`" for name in schema.names))
        for row in mapped(needed, f"{counted.__module__}:{counted.__name__}", packed, f"{COUNTS} binary", LIBRARIES).collect():
            whole.add(msgspec.msgpack.decode(row[COUNTS], type=Tally))
    others = problem.unlearned | schema.unlearned
    return counts_of(whole, columns_of(bundle), schema, [name for name in df.columns if name not in others])


def counts_of(tally: Tally, columns: Sequence[Column], schema: Schema, names: Sequence[str]) -> Counts:
    """What a tally says: `columns` are those that it counts in bins, `names` those of the table."""
    from slipway.monitoring.drift import Day, look
    from slipway.table.audit import ignored

    bins = [np.array(each) for each in tally.bins] or [np.zeros_like(column.counts) for column in columns]
    for column, found in zip(columns, bins):
        if "refused" in column.apart:
            refused = (count for key, count in tally.faults.items() if key.rpartition("/")[0] == column.name)
            found[column.apart.index("refused")] += sum(refused)
    window = look(columns, [Day(date.min, tally.answered, bins)])  # one that is not told from others
    moves = tuple(move for move in window.moves if any(change.suspected for change in move.changes))
    by_key = {column.key: found for column, found in zip(columns, bins)}
    findings = tuple(finding for field in schema for finding in _findings(field, tally))
    findings += tuple(ignored(names, schema.names))
    return Counts(tally.rows, tally.answered, tally.faults, tally.unlike, by_key, findings, moves)


def _findings(field: Field, tally: Tally) -> "Iterator[Finding]":
    """What is wrong with cells of a field, for which rows are refused, then what is answered with a warning."""
    from slipway.table.audit import Finding

    for reason in SAYS:
        what = SAYS[reason].format(range=field.range, a_type=an(field.type))
        if count := tally.faults.get(tally_key(field.name, reason)):
            yield Finding(field.name, f"{_cells(count)} {what}")
        if count := tally.unlike.get(tally_key(field.name, reason)):
            yield Finding(field.name, f"{_cells(count)} {what}; answered with a warning", rejects=False)


def _cells(count: int) -> str:
    return "1 cell is" if count == 1 else f"{count:,} cells are"
