"""From columns of cells, text or typed, to typed columns, by the rules of the service.

What is plainly a number is read by Arrow, a column at once; every other cell by the rule itself, each distinct one once.
"""

from typing import Any

import numpy as np
import pyarrow
from pyarrow import compute

from slipway.errors import TableError
from slipway.table.rules import ABSENT, Rule, bounds, typed_column

Reasons = dict[int, str]


def read_column(rule: Rule, cells: pyarrow.Array, markers: frozenset[str]) -> tuple[np.ndarray, Reasons]:
    """The typed column of a field, and what is wrong with its cells by row, from 0.

    Parameters
    ----------
    rule : Rule
    cells : Array
        Text, or typed.
    markers : frozenset of str
        Further texts that mean a missing cell, in lower case.
    """
    is_number = rule.field.type in ("number", "integer")
    if not is_number:
        return _by_rule(rule, cells, markers)
    values = _plain_numbers(cells, markers)
    reasons = {}
    for row in np.flatnonzero(_suspicious(rule, values)).tolist():
        fault = rule.fault(float(values[row]))
        if fault:
            reasons[row] = fault[1]
    odd = np.flatnonzero(~np.isfinite(values))
    if len(odd):
        values[odd], wrong = _by_rule(rule, cells.take(pyarrow.array(odd)), markers)
        reasons |= {int(odd[place]): reason for place, reason in wrong.items()}
    return values, reasons


def _plain_numbers(cells: pyarrow.Array, markers: frozenset[str]) -> np.ndarray:
    """The numbers of a column; not finite where a cell is not plainly one."""
    kind = cells.type
    numbers = [float(marker) for marker in markers if _is_number(marker)]
    if pyarrow.types.is_floating(kind) or pyarrow.types.is_integer(kind):
        if pyarrow.types.is_float32(kind):
            cells = compute.cast(cells, pyarrow.string())  # 0.1 of 32 bits is 0.1, as in training
        cells = compute.cast(cells, pyarrow.float64(), safe=False)
        if numbers:
            missing = compute.is_in(cells, pyarrow.array(numbers, pyarrow.float64()))
            cells = compute.if_else(missing, pyarrow.scalar(None, pyarrow.float64()), cells)
    elif not (pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind)):
        return np.full(len(cells), np.nan)
    else:
        if numbers:
            missing = compute.is_in(compute.ascii_lower(cells), pyarrow.array(sorted(markers), kind))
            cells = compute.if_else(missing, pyarrow.scalar(None, kind), cells)
        try:
            cells = compute.cast(cells, pyarrow.float64())
        except pyarrow.ArrowInvalid:
            plain = compute.match_substring_regex(cells, r"^-?[0-9]{1,300}(\.[0-9]{1,300})?$")
            cells = compute.cast(compute.if_else(plain, cells, pyarrow.scalar(None, kind)), pyarrow.float64())
    return _numpy(cells, np.nan)


def _numpy(cells: pyarrow.Array, missing: float) -> np.ndarray:
    """Numbers of Arrow as a new array. The usual ``to_numpy`` would load pandas first, which takes a while and 30 MB."""
    return np.from_dlpack(compute.fill_null(cells, missing) if cells.null_count else cells).copy()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _suspicious(rule: Rule, values: np.ndarray) -> np.ndarray:
    """Finite numbers that the rule may refuse."""
    found = np.zeros(len(values), dtype=bool)
    if rule.closed_range:
        low, high = bounds(rule.field)
        found |= (values < low) | (values > high)
    if rule.field.type == "integer":
        found |= values != np.floor(values)
    return found & np.isfinite(values)


def _by_rule(rule: Rule, cells: pyarrow.Array, markers: frozenset[str]) -> tuple[np.ndarray, Reasons]:
    """A column read cell by cell, each distinct cell once."""
    try:
        encoded = cells if pyarrow.types.is_dictionary(cells.type) else cells.dictionary_encode()
        distinct = [*_plain_cells(encoded.dictionary), None]
    except pyarrow.ArrowException as error:
        raise TableError(f"column {rule.field.name!r}: unsupported column type {cells.type}") from error
    codes = _numpy(encoded.indices, len(distinct) - 1)
    told = [rule.read_cell(_text(cell), markers) for cell in distinct]
    faults = [rule.fault(value) for value in told]
    values = typed_column(rule.field, [ABSENT if fault else value for value, fault in zip(told, faults)])
    wrong = np.array([fault is not None for fault in faults])
    rows = np.flatnonzero(wrong[codes])
    return values[codes], {row: faults[codes[row]][1] for row in rows.tolist()}


def _plain_cells(cells: pyarrow.Array) -> list:
    """The cells as Python has them; as texts where they are times that Python has not, such as those of the year 10000."""
    try:
        return cells.to_pylist()
    except (ValueError, OverflowError):
        return compute.cast(cells, pyarrow.string()).to_pylist()


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    from slipway.table.cells import text_of

    try:
        return text_of(cell)
    except ValueError:  # a time of day, or a date that is none; the rule says so
        return str(cell)
