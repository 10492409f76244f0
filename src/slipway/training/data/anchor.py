"""The anchor set: rows that a person has reviewed, beside the table, on which no challenger may be worse than the champion."""

from collections.abc import Collection
from dataclasses import replace
from hashlib import sha256
from itertools import chain

import numpy as np
import pandas as pd

from slipway.errors import TableError
from slipway.model.contents import Split
from slipway.model.division import keys_of
from slipway.problem import Problem
from slipway.sources.batches import frame_of
from slipway.sources.source import files_at
from slipway.table.inference import Target
from slipway.table.schema import Schema
from slipway.training.data.outside import Named, Outside, outside, targets
from slipway.training.data.split import FEW
from slipway.training.measures.units import FEWEST_UNITS

SETTING = "gate.anchor"
NAME = "the anchor set"
SHOWN = 3


def read_anchor(problem: Problem, learned: pd.DataFrame, target: Target, schema: Schema, split: Split) -> Outside | None:
    """The rows of ``gate.anchor``; None when it is not set.

    Parameters
    ----------
    problem : Problem
    learned : DataFrame
        The rows of the problem's table that are learned from, cells as the source has them.
    target : Target
    schema : Schema
    split : Split
        Of that table.

    Raises
    ------
    TableError
        When the file is absent, lacks a column, has fewer than 30 rows or too few groups, a row without a target, or one that
        is learned from.
    """
    if problem.gate.anchor is None:
        return None
    named_by = split.columns or problem.id or schema.names
    frame = _frame(problem, problem.gate.anchor, {*schema.names, *named_by, *problem.id, *problem.group, target.name})
    y = targets(frame, problem, target)
    if np.isnan(y).any():
        cure = f"Fill in {target.name}: {' or '.join(target.classes)[:120] or 'a number'}"
        raise _wrong(problem, f"no known target in {_rows(np.isnan(y))}", cure)
    known = set(chain.from_iterable(keys_of(learned, named_by, schema)))
    keys = [*chain.from_iterable(keys_of(frame, named_by, schema))]
    again = np.array([key in known for key in keys])
    if again.any():
        by = ", ".join(named_by) if len(named_by) <= SHOWN else "all features"
        cure = f"Take them out of the source, or out of the anchor set. Rows are told apart by {by}"
        raise _wrong(problem, f"training also learns from {_rows(again)}", cure)
    try:
        found = outside(NAME, frame, y, problem, schema, split)
    except TableError as error:
        raise _wrong(problem, error.cause, error.cure) from error
    if found.units.effective < FEWEST_UNITS:
        says = f"its {len(frame):,} rows are of too few groups or moments to judge by"
        raise _wrong(problem, says, f"Add rows of others: more than {FEWEST_UNITS}, of about the same size")
    return replace(found, identity=_identity(named_by, keys), named=Named(tuple(named_by), frozenset(keys)))


def _frame(problem: Problem, location: str, needed: Collection[str]) -> pd.DataFrame:
    file = files_at(location, problem.folder, SETTING)
    batches = file.open()
    if absent := sorted(set(needed) - set(batches.names)):
        raise _wrong(problem, f"there is no column {absent[0]!r}", "It needs the columns that training reads, and the target")
    batches.require_format(problem.formats)
    frame = frame_of(batches, location)
    if len(frame) < FEW:
        raise _wrong(problem, f"{len(frame)} rows are too few to judge by", f"Add rows: at least {FEW}")
    return frame


def _identity(named_by: Collection[str], keys: Collection[bytes]) -> str:
    """The same for the same rows in any order, whatever else is said of them: a corrected target changes nothing."""
    total = sha256()
    for part in (*(name.encode() for name in sorted(named_by)), *sorted(set(keys))):
        total.update(sha256(part).digest())
    return total.hexdigest()


def _rows(which: np.ndarray) -> str:
    """How many these are, with the numbers of the first."""
    numbers = np.nonzero(which)[0] + 1
    shown = ", ".join(map(str, numbers[:SHOWN])) + (" …" if len(numbers) > SHOWN else "")
    return f"row {shown}" if len(numbers) == 1 else f"{len(numbers):,} rows ({shown})"


def _wrong(problem: Problem, says: str, cure: str) -> TableError:
    return TableError(f"{SETTING}: {problem.gate.anchor}: {says}", cure)
