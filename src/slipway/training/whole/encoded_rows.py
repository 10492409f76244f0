"""Rows of the cluster's table → rows of the matrix, on its workers: read, divided and encoded as those of the sample are."""

import pickle
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow

from slipway.model.contents import Split
from slipway.model.division import held_out
from slipway.model.encoding import Encoding
from slipway.problem import Problem
from slipway.sections import Serving
from slipway.table.arrow_cells import in_utc, read_column
from slipway.table.identity import row_hashes
from slipway.table.inference import Target
from slipway.table.rules import Rules
from slipway.table.schema import Columns
from slipway.training.data.outside import Named, targets
from slipway.training.fitting.xgboost_trees import Aim, narrowed

# Where a row goes by its hash; whether it checks what was learned from the others; its target; its line of the matrix.
FORM = pyarrow.schema(
    [
        ("place", pyarrow.int64()),
        ("checks", pyarrow.bool_()),
        ("y", pyarrow.float32()),
        ("x", pyarrow.list_(pyarrow.float32())),
    ]
)


@dataclass(frozen=True)
class Part:
    """Which rows are learned from.

    Parameters
    ----------
    held : Split or None
        Its rows are left out; None where there are none.
    checks : Split or None
        Its rows, of the others, tell when to stop.
    """

    held: Split | None
    checks: Split | None = None


@dataclass(frozen=True)
class RowEncoder:
    """What a worker does with its batches.

    Parameters
    ----------
    problem : Problem
    target : Target
    encoding : Encoding
        Learned from the sample, with its schema.
    aim : Aim
    part : Part
    log_target : bool
        Whether log(1 + y) is learned.
    away : Named, optional
        Rows that are not learned from, whatever part they are of: those of the anchor set.
    """

    problem: Problem
    target: Target
    encoding: Encoding
    aim: Aim
    part: Part
    log_target: bool
    away: Named | None = None

    def batches(self, batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
        """Batches of `FORM`, of the rows that are learned from and have a target that the sample knows."""
        for batch in map(in_utc, batches):
            frame, schema = batch.select(self._known_by).to_pandas(date_as_object=False), self.encoding.schema
            y, (columns, taken) = targets(frame, self.problem, self.target), self._read(batch)
            y = self._learned(y)
            taken &= np.isfinite(y)
            if self.part.held:
                taken &= ~held_out(frame, self.part.held, schema)
            if self.away:
                taken &= ~self.away.holds(frame, schema)
            if not taken.any():
                continue
            frame, y = frame[taken].reset_index(drop=True), y[taken]
            checks = held_out(frame, self.part.checks, schema) if self.part.checks else np.zeros(len(y), dtype=bool)
            matrix = narrowed(self.encoding.encode({name: column[taken] for name, column in columns.items()}))
            ends = np.arange(0, matrix.size + 1, matrix.shape[1], dtype=np.int32)
            yield pyarrow.record_batch(
                [
                    row_hashes(batch, batch.schema.names)[taken].view(np.int64),
                    checks,
                    y,
                    pyarrow.ListArray.from_arrays(ends, matrix.ravel()),
                ],
                schema=FORM,
            )

    def _learned(self, y: np.ndarray) -> np.ndarray:
        """The targets as they are learned; not finite where float32, or a logarithm, has no room for them."""
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            return self.aim.targets(np.log1p(y) if self.log_target else y)

    @cached_property
    def _known_by(self) -> list[str]:
        splits = [split for split in (self.part.held, self.part.checks) if split]
        away = self.away.named_by if self.away else ()
        return [*dict.fromkeys([self.target.name, *(name for split in splits for name in split.needed), *away])]

    @cached_property
    def _rules(self) -> Rules:
        """Of what a cell can say; whatever the policies are, a new level or a far number is learned from."""
        everything = Serving(unknown_levels="warn", out_of_range="warn")
        return Rules(self.encoding.schema, everything, markers=self.problem.markers)

    def _read(self, batch: pyarrow.RecordBatch) -> tuple[Columns, np.ndarray]:
        """The features, and the mask of the rows in which all of them can be read."""
        columns, readable = {}, np.ones(batch.num_rows, dtype=bool)
        for rule in self._rules:
            columns[rule.field.name], faults = read_column(rule, batch.column(rule.field.name))
            readable[list(faults)] = False
        return columns, readable


def encoded_rows(given: bytes, batches: Iterable[pyarrow.RecordBatch]) -> Iterator[pyarrow.RecordBatch]:
    """On a worker: what a pickled `RowEncoder` makes of one partition."""
    encoder: RowEncoder = pickle.loads(given)
    yield from encoder.batches(batches)


def matrix_of(batches: Iterable[pyarrow.RecordBatch], width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All of these rows: matrix of shape (rows, width), targets, and the mask of those that check."""
    lines, targets, checks = [np.empty((0, width), np.float32)], [np.empty(0, np.float32)], [np.empty(0, dtype=bool)]
    for batch in batches:
        lines.append(batch.column("x").flatten().to_numpy().reshape(-1, width))
        targets.append(batch.column("y").to_numpy())
        checks.append(batch.column("checks").to_numpy(zero_copy_only=False))
    return np.concatenate(lines), np.concatenate(targets), np.concatenate(checks)
