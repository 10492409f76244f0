"""What makes two rows one row: keys to divide a table by, hashes to sample it by, and the fingerprint of a whole table.

A key is the same wherever the table was read from, and for ever: a split that is drawn by it must not move. A hash, too, is
of what a cell says, be it typed or the text of a CSV file: numbers of any width as doubles, dates as microseconds, all else as
text in UTF-8; a missing cell is the same in every type. It is no secret and no checksum: 64 bits by the finalizer of
MurmurHash3 (Appleby, 2011).
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import numpy as np
import pyarrow
from numpy.typing import NDArray
from pyarrow import compute, types

from slipway.errors import TableError
from slipway.table.cell import Reader, numbers
from slipway.table.dates import EPOCH, ISO, days, parse_datetime, show_date
from slipway.table.formats import number

if TYPE_CHECKING:
    import pandas as pd

FIRST, SECOND, HALF = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53), np.uint64(33)
NEXT = np.uint64(0x9E3779B97F4A7C15)
MISSING = np.uint64(0x6D697373696E6700)
WORD = 8
KEPT_BYTES = np.array([(1 << 8 * count) - 1 for count in range(WORD + 1)], dtype=np.uint64)
NUMBER = r"^[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?$"
DATE = f"^{ISO.pattern}$"
BOOLEANS = pyarrow.array(["True", "TRUE", "False", "FALSE"])
FEW = 16  # texts that Python reads as fast as Arrow
MICROSECOND = timedelta(microseconds=1)
TO_THE_SECOND = len("2026-01-31T08:30:00")
# Keys never change, or the split would: quotes around a text are a part of it, and the minus of Unicode is a letter.
AS_EVER, MINUS = Reader(quotes=True), "\u2212"


def row_keys(frame: "pd.DataFrame", columns: Sequence[str], readers: Mapping[str, Reader]) -> list[bytes]:
    """One key per row from these columns.

    A missing cell is empty, a number its shortest decimal form, a date its ISO text to the second, all else the stripped text;
    `columns` are taken in sorted order, `readers` of those that have a format.
    """
    from slipway.table.cells import cells_of  # pandas takes a while

    texts = []
    for name in sorted(columns):
        if name not in frame.columns:
            raise TableError(f"column {name!r} is not in the table")
        cells = cells_of(frame[name], readers.get(name, AS_EVER))
        canonical = np.array([*_keys_of(cells.texts), ""], dtype=object)
        texts.append(canonical[cells.codes])
    return ["\x1f".join(row).encode("utf-8", "surrogatepass") for row in zip(*texts)]


def _keys_of(texts: list[str]) -> list[str]:
    values = numbers(texts)
    if np.isnan(values).any() or any(MINUS in text for text in texts):
        return [key_of(text) for text in texts]
    return list(map(repr, (values + 0.0).tolist()))


def key_of(text: str) -> str:
    """The key of a canonical text."""
    value = number(text)
    if not np.isnan(value) and MINUS not in text:
        return repr(value + 0.0)
    if ISO.fullmatch(text):
        day = days(text)
        return text if np.isnan(day) else show_date(day)[:TO_THE_SECOND]
    return text.replace("\\", "\\\\").replace("\x1f", "\\x1f")


def row_hashes(batch: pyarrow.RecordBatch | pyarrow.Table, names: Sequence[str]) -> np.ndarray:
    """One unsigned 64-bit hash per row of these columns, in whatever order they are given."""
    total = np.zeros(batch.num_rows, dtype=np.uint64)
    for name in sorted(names):
        column = batch.column(name)
        column = column.combine_chunks() if isinstance(column, pyarrow.ChunkedArray) else column
        total = _mixed(total * NEXT + _hashes(column))
    return total


def text_hashes(table: pyarrow.Table, names: Sequence[str]) -> np.ndarray:
    """The same of texts as they are written: ``1``, ``1.0`` and ``01``, which are one cell to `row_hashes`, differ."""
    total = np.zeros(table.num_rows, dtype=np.uint64)
    for column in (table.column(name).combine_chunks() for name in sorted(names)):
        if types.is_string(column.type) or types.is_large_string(column.type):
            total = _mixed(total * NEXT + _text_hashes(column.fill_null("")))
    return total


def fingerprint(table: pyarrow.Table) -> str:
    """SHA-256 of a table: the names and types of its columns in order, and all cells."""
    total = sha256(f"{table.num_rows}\n".encode())
    for name, column in zip(table.column_names, table.columns):
        kind = column.type.value_type if types.is_dictionary(column.type) else column.type
        total.update(f"{name}\n{kind}\n".encode())
        for values in _buffers(column.combine_chunks()):
            total.update(np.ascontiguousarray(values).data)
    return total.hexdigest()


def _hashes(column: pyarrow.Array) -> np.ndarray:
    column = _plain(_told(column))
    if types.is_string(column.type) or types.is_large_string(column.type):
        found = _cell_hashes(column)
    elif types.is_null(column.type):
        return np.full(len(column), MISSING)
    else:
        found = _number_hashes(column)
    if column.null_count:
        found[column.is_null().to_numpy(zero_copy_only=False)] = MISSING
    return found


def _told(column: pyarrow.Array) -> pyarrow.Array:
    """The column; truth values as the text that says them, short numbers as their text is read: 0.1, not 0.10000000149."""
    if types.is_dictionary(column.type):
        return _told(column.dictionary_decode())
    if types.is_boolean(column.type):
        return column.cast(pyarrow.string())
    return column.cast(pyarrow.string()).cast(pyarrow.float64()) if types.is_float32(column.type) else column


def _number_hashes(column: pyarrow.Array) -> np.ndarray:
    values = _numbers(column)
    found = _mixed(values.view(np.uint64) + NEXT)
    found[np.isnan(values)] = MISSING
    return found


def _cell_hashes(column: pyarrow.Array) -> np.ndarray:
    """Hashes of texts; of one that says a number, a date, a truth value or nothing, that of the typed cell."""
    says = compute.match_substring_regex(column, NUMBER).fill_null(False).to_numpy(zero_copy_only=False)
    if says.all():
        return _number_hashes(compute.cast(column, pyarrow.float64()))
    truths = compute.is_in(column, BOOLEANS.cast(column.type))
    found = _text_hashes(compute.if_else(truths, compute.utf8_lower(column), column) if truths.true_count else column)
    if says.any():
        found[says] = _number_hashes(compute.cast(column.filter(pyarrow.array(says)), pyarrow.float64()))
    dates = compute.match_substring_regex(column, DATE).fill_null(False)
    if dates.true_count:
        moments = _moments(column.filter(dates))
        rows = np.flatnonzero(dates.to_numpy(zero_copy_only=False))[moments.is_valid().to_numpy(zero_copy_only=False)]
        found[rows] = _number_hashes(moments.drop_null())
    found[compute.equal(column, "").fill_null(False).to_numpy(zero_copy_only=False)] = MISSING
    return found


def _moments(texts: pyarrow.Array) -> pyarrow.Array:
    """The microseconds that dates in ISO 8601 say; null where a text is none, such as the 31st of February."""
    if (found := _cast(texts)) is not None:
        return found
    encoded = texts.dictionary_encode()
    return _parted(encoded.dictionary).take(encoded.indices)


def _parted(texts: pyarrow.Array) -> pyarrow.Array:
    """The same half by half, until only a few are left around those that Arrow does not read."""
    if (found := _cast(texts)) is not None:
        return found
    if len(texts) <= FEW:
        return pyarrow.array(map(_microseconds, texts.to_pylist()), pyarrow.int64())
    middle = len(texts) // 2
    return pyarrow.concat_arrays([_parted(texts.slice(0, middle)), _parted(texts.slice(middle))])


def _cast(texts: pyarrow.Array) -> pyarrow.Array | None:
    """The microseconds where all are dates, and none or each has a zone; else None."""
    for kind in (pyarrow.timestamp("us"), pyarrow.timestamp("us", "UTC")):
        with suppress(pyarrow.ArrowInvalid):
            return compute.cast(texts, kind).cast(pyarrow.int64())
    return None


def _microseconds(text: str) -> int | None:
    try:
        return (parse_datetime(text) - EPOCH) // MICROSECOND
    except ValueError:
        return None


def _text_hashes(column: pyarrow.Array) -> np.ndarray:
    """Eight bytes of every text at a time: all first words, then the second words of those that have one, and so on."""
    starts, lengths, content = _text(column)
    padded = np.concatenate([content, np.zeros(WORD, dtype=np.uint8)])
    words = np.ndarray((len(padded) - WORD + 1,), dtype="<u8", buffer=padded, strides=(1,))
    found = _mixed(lengths.astype(np.uint64) + FIRST)
    rows, at = np.nonzero(lengths)[0], 0
    while len(rows):
        word = words[starts[rows] + at] & KEPT_BYTES[np.minimum(lengths[rows] - at, WORD)]
        found[rows] = _mixed(found[rows] ^ word)
        at += WORD
        rows = rows[lengths[rows] > at]
    return found


def _buffers(column: pyarrow.Array) -> list[np.ndarray]:
    column = _plain(column)
    present = column.is_valid().to_numpy(zero_copy_only=False)
    if types.is_null(column.type):
        return [present]
    if types.is_string(column.type) or types.is_large_string(column.type):
        _, lengths, content = _text(column.fill_null(""))
        return [present, lengths.astype("<i8"), content]
    if types.is_integer(column.type):  # a double would not tell large ones apart
        return [present, column.fill_null(0).to_numpy(zero_copy_only=False)]
    return [present, _numbers(column)]


def _plain(column: pyarrow.Array) -> pyarrow.Array:
    """The column as text, numbers, or nothing at all."""
    kind = column.type
    if types.is_dictionary(kind):
        return _plain(column.dictionary_decode())
    if types.is_boolean(kind):
        return column.cast(pyarrow.uint8())
    if types.is_date(kind) or types.is_timestamp(kind):
        return column.cast(pyarrow.timestamp("us"), safe=False).cast(pyarrow.int64())
    if (
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_null(kind)
        or types.is_string(kind)
        or types.is_large_string(kind)
    ):
        return column
    return pyarrow.array([None if cell is None else str(cell) for cell in column.to_pylist()], pyarrow.string())


def _numbers(column: pyarrow.Array) -> np.ndarray:
    doubles = compute.cast(column, pyarrow.float64(), safe=False).fill_null(0.0).to_numpy(zero_copy_only=False)
    return np.where(np.isnan(doubles), np.nan, doubles) + 0.0  # one kind of NaN, and no negative zero


def _text(column: pyarrow.Array) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Where each text starts in the bytes of all, how long it is, and these bytes."""
    wide = np.int64 if types.is_large_string(column.type) else np.int32
    _, offsets, content = column.buffers()
    if not len(column):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.uint8)
    bounds = np.frombuffer(offsets, dtype=wide)[column.offset : column.offset + len(column) + 1].astype(np.int64)
    everything = np.frombuffer(content, dtype=np.uint8) if content else np.zeros(0, np.uint8)
    return bounds[:-1] - bounds[0], np.diff(bounds), everything[bounds[0] : bounds[-1]]


def _mixed(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    values = (values ^ (values >> HALF)) * FIRST
    values = (values ^ (values >> HALF)) * SECOND
    return values ^ (values >> HALF)
