"""The columns of Arrow record batches, text or typed, read by the rules of a bundle.

What is plainly a number is read by Arrow, a column at once; every other cell by its rule, each distinct one once.
"""

from typing import Any

import numpy as np
import pyarrow
from pyarrow import compute, types

from slipway.errors import TableError
from slipway.table.faults import Faults
from slipway.table.rules import Rule, spread

PLAIN_NUMBER = r"^-?[0-9]{1,300}(\.[0-9]{1,300})?$"


def read_column(rule: Rule, cells: pyarrow.Array) -> tuple[np.ndarray, Faults]:
    """The typed column of a field, and what is wrong with its cells by row, from 0; TableError for an unsupported type."""
    if types.is_string_view(cells.type):  # Arrow computes little with it
        cells = cells.cast(pyarrow.string())
    if not rule.is_number:
        return _by_rule(rule, cells)
    values = _plain_numbers(rule, cells)
    faults = {}
    for row in np.flatnonzero(rule.suspicious(values) & np.isfinite(values)).tolist():
        fault = rule.fault_of_number(float(values[row]))
        if fault:
            faults[row] = fault
    odd = np.flatnonzero(~np.isfinite(values))
    if len(odd):
        values[odd], wrong = _by_rule(rule, cells.take(pyarrow.array(odd)))
        faults |= {int(odd[place]): fault for place, fault in wrong.items()}
    return values, faults


def _plain_numbers(rule: Rule, cells: pyarrow.Array) -> np.ndarray:
    """The numbers of a column; not finite where a cell is not plainly one."""
    kind = cells.type
    if types.is_floating(kind) or types.is_integer(kind):
        if types.is_float32(kind):
            cells = compute.cast(cells, pyarrow.string())  # 0.1 of 32 bits is 0.1, as in training
        cells = compute.cast(cells, pyarrow.float64(), safe=False)
    elif rule.reader.format or not (types.is_string(kind) or types.is_large_string(kind)):
        return np.full(len(cells), np.nan)
    else:
        try:
            cells = compute.cast(cells, pyarrow.float64())
        except pyarrow.ArrowInvalid:
            plain = compute.match_substring_regex(cells, PLAIN_NUMBER)
            cells = compute.cast(compute.if_else(plain, cells, pyarrow.scalar(None, kind)), pyarrow.float64())
    values = _numpy(cells, np.nan)
    if rule.reader.numeric_markers:
        values[np.isin(values, list(rule.reader.numeric_markers))] = np.nan
    return values


def _numpy(cells: pyarrow.Array, missing: float) -> np.ndarray:
    """Numbers of Arrow as a new array. The usual ``to_numpy`` would load pandas first, which takes a while and 30 MB."""
    return np.from_dlpack(compute.fill_null(cells, missing) if cells.null_count else cells).copy()


def _by_rule(rule: Rule, cells: pyarrow.Array) -> tuple[np.ndarray, Faults]:
    """A column read cell by cell, each distinct cell once."""
    try:
        encoded = cells if types.is_dictionary(cells.type) else cells.dictionary_encode()
        distinct = [*python_cells(encoded.dictionary), None]
    except pyarrow.ArrowException as error:
        raise TableError(f"column {rule.field.name!r}: unsupported column type {cells.type}") from error
    codes = _numpy(encoded.indices.cast(pyarrow.int64()), len(distinct) - 1)
    return spread(*rule.read(distinct), codes)


def python_cells(cells: pyarrow.Array) -> list[Any]:
    """The cells as Python has them; as texts where they are times that Python has not, such as those of the year 10000."""
    found: list[Any]
    try:
        found = cells.to_pylist()
        if types.is_float32(cells.type):  # 0.1 of 32 bits is 0.1
            found = [None if cell is None else np.float32(cell) for cell in found]
    except (ValueError, OverflowError):
        found = compute.cast(cells, pyarrow.string()).to_pylist()
    return found


def in_utc(batch: pyarrow.RecordBatch) -> pyarrow.RecordBatch:
    """Moments in UTC, as Parquet has them. Spark names the session's time zone in ways that Python has not (UTC+8)."""
    columns = [
        cells.cast(pyarrow.timestamp(cells.type.unit, "UTC")) if types.is_timestamp(cells.type) and cells.type.tz else cells
        for cells in batch.columns
    ]
    return pyarrow.record_batch(columns, batch.schema.names)
