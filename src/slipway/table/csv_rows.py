"""A block of CSV text → rows, by the rules of ``POST /predict/file``.

A block in which every line is a row is read by Arrow; one in which something is odd (a line end within quotes, a blank
line, a lone carriage return, a byte that is not UTF-8) by Python's csv, as the service does.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow
from pyarrow import compute
from pyarrow import csv as arrow

from slipway.table.dialect import LONGEST_CELL, Header, read_rows, shape_error

NOT_UTF_8 = "the row is not UTF-8 text"


@dataclass(frozen=True)
class Form:
    """What is read of the rows of a file.

    Parameters
    ----------
    header : Header
    wanted : tuple of str
        Columns.
    """

    header: Header
    wanted: tuple[str, ...]

    @cached_property
    def numbered(self) -> list[str]:
        """Names for all columns, while Arrow reads them."""
        return [str(place) for place in range(len(self.header.names))]

    @cached_property
    def places(self) -> list[int]:
        """Which columns are wanted."""
        return [self.header.places[name] for name in self.wanted]

    def parsing(self, odd: Callable[[arrow.InvalidRow], str] | None = None, quoted: bool = True) -> arrow.ParseOptions:
        """`odd` is asked what becomes of a row of another length, ``skip`` or ``error``; without it, it is an error."""
        return arrow.ParseOptions(delimiter=self.header.separator, newlines_in_values=quoted, invalid_row_handler=odd)

    def converting(self) -> arrow.ConvertOptions:
        """Every cell is text, untouched."""
        return arrow.ConvertOptions(
            column_types=dict.fromkeys(self.numbered, pyarrow.string()),
            strings_can_be_null=False,
            include_columns=[self.numbered[place] for place in self.places],
        )

    def fault(self, row: str, count: int) -> str:
        """What is wrong with a row of another length, of which Arrow may tell the start alone."""
        cells = next(read_rows([row], self.header.separator), None) or []
        return shape_error((cells + [""] * count)[:count], len(self.numbered))


@dataclass(frozen=True)
class Parsed:
    """The rows of a block.

    Parameters
    ----------
    count : int
        Malformed ones counted.
    lines : BinaryArray
        The well-formed rows as they stand, without line ends.
    cells : Table
        The wanted columns of the well-formed rows, as text.
    malformed : dict of int to str
    taken : int
        Bytes; what follows is the start of a row that goes on.
    """

    count: int
    lines: pyarrow.BinaryArray
    cells: pyarrow.Table
    malformed: dict[int, str]
    taken: int


@dataclass(frozen=True)
class Lines:
    """The lines of a block, all of which end alike.

    Parameters
    ----------
    data : bytes
        The last may have no end.
    end : bytes
    begins : ndarray of int
        Where each line begins, and behind them where one more would.
    """

    data: bytes
    end: bytes
    begins: np.ndarray

    def __len__(self) -> int:
        return len(self.begins) - 1

    @property
    def longest(self) -> int:
        """Bytes of the longest one, with its end."""
        return int(np.diff(self.begins).max())

    @property
    def last(self) -> bytes:
        return self.data[self.begins[-2] :].removesuffix(self.end)

    def array(self) -> pyarrow.BinaryArray:
        """Each as it stands, without its end."""
        data = self.data if self.begins[-1] == len(self.data) else self.data + self.end
        return compute.binary_slice(pieces(data, self.begins), 0, -len(self.end))


def pieces(data: bytes, begins: np.ndarray) -> pyarrow.BinaryArray:
    """Bytes cut where each piece begins, and the last one ends; `pyarrow.array` would load pandas, which takes 30 MB."""
    buffers = [None, pyarrow.py_buffer(begins.astype(np.int32)), pyarrow.py_buffer(data)]
    return pyarrow.Array.from_buffers(pyarrow.binary(), len(begins) - 1, buffers)


def lines_of(data: bytes) -> Lines | None:
    """The lines of a block; None when one is blank or ends in another way than the rest."""
    if data.startswith((b"\n", b"\r")):
        return None
    signs = np.frombuffer(data, np.uint8)
    feeds, end = np.flatnonzero(signs == ord("\n")), b"\n"
    if b"\r" in data:
        end = b"\r\n"
        if not np.array_equal(np.flatnonzero(signs == ord("\r")) + 1, feeds):
            return None
    begins = np.concatenate([[0], feeds + 1])
    if not data.endswith(end):
        begins = np.append(begins, len(data) + len(end))
    return Lines(data, end, begins) if np.diff(begins).min() > len(end) else None


def parse(data: bytes, form: Form, final: bool, lines: Lines | None) -> Parsed:
    """The rows of a block that starts with one and ends with a line.

    Parameters
    ----------
    data : bytes
    form : Form
    final : bool
        Whether nothing follows, so that the last row ends here in any case.
    lines : Lines or None
        What `lines_of` says of the block.
    """
    return lines and _parse_lines(lines, form) or _parse_oddly(data, form, final)


def _parse_lines(lines: Lines, form: Form) -> Parsed | None:
    data = lines.data
    if not _is_utf_8(data) or lines.longest > LONGEST_CELL + len(lines.end):
        return None
    if b'"' in lines.last and not _ends(lines.last.decode(), form.header.separator):
        return None
    found: list[arrow.InvalidRow] = []

    def skip(row: arrow.InvalidRow) -> str:
        found.append(row)
        return "skip"

    try:
        table = arrow.read_csv(
            pyarrow.BufferReader(data),
            arrow.ReadOptions(column_names=form.numbered, use_threads=False, block_size=len(data) + 1),
            form.parsing(skip, quoted=b'"' in data),
            form.converting(),
        )
    except pyarrow.ArrowInvalid:
        return None
    if table.num_rows + len(found) != len(lines):  # a line end within quotes
        return None
    malformed = {row.number - 1: form.fault(row.text, row.actual_columns) for row in found}
    kept = lines.array()
    if malformed:
        kept = kept.take(pyarrow.array(np.delete(np.arange(len(lines)), list(malformed))))
    return Parsed(len(lines), kept, table.rename_columns(list(form.wanted)), malformed, len(data))


def _is_utf_8(data: bytes) -> bool:
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


def _ends(line: str, separator: str) -> bool:
    """Whether a row ends with this line, its first."""
    text = _Text(iter([line]))
    next(read_rows(text, separator))
    return not text.asked


class _Text:
    """Lines for a reader of rows, which says what the reader took."""

    def __init__(self, lines: Iterator[str]) -> None:
        self._lines = lines
        self.taken: list[str] = []
        self.asked = False  # for more than there is

    def __iter__(self) -> "_Text":
        return self

    def __next__(self) -> str:
        line = next(self._lines, None)
        if line is None:
            self.asked = True
            raise StopIteration
        self.taken.append(line)
        return line


def _parse_oddly(data: bytes, form: Form, final: bool) -> Parsed:
    text = _Text(io.StringIO(data.decode("utf-8", "surrogateescape"), newline=""))
    lines, rows, malformed, count, taken = [], [], {}, 0, 0
    for row in read_rows(text, form.header.separator):
        if text.asked and not final:
            break
        raw = "".join(text.taken).encode("utf-8", "surrogateescape")
        text.taken = []
        taken += len(raw)
        if row == []:
            continue
        wrong = shape_error(row, len(form.numbered)) or ("" if _is_utf_8(raw) else NOT_UTF_8)
        if row is None or wrong:
            malformed[count] = wrong
        else:
            closed = raw + b'"' if text.asked else raw  # else what is written behind it would be within the quotes
            lines.append(closed.removesuffix(b"\n").removesuffix(b"\r"))
            rows.append(row)
        count += 1
    cells = {str(place): pyarrow.array([row[place] for row in rows], pyarrow.string()) for place in form.places}
    table = pyarrow.table(cells).rename_columns(list(form.wanted))
    return Parsed(count, pyarrow.array(lines, pyarrow.binary()), table, malformed, taken)
