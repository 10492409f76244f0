"""A block of CSV text → rows, by the rules of ``POST /predict/file``.

A block in which every line is a row is read by Arrow; one in which something is odd (a line end within quotes, a blank
line, a lone carriage return, a byte that is not UTF-8) by Python's csv, as the service does.
"""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import pyarrow
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
    lines : list of bytes
        Of the well-formed rows, without line ends.
    cells : Table
        The wanted columns of the well-formed rows, as text.
    malformed : dict of int to str
    taken : int
        Bytes; what follows is the start of a row that goes on.
    """

    count: int
    lines: list[bytes]
    cells: pyarrow.Table
    malformed: dict[int, str]
    taken: int


def line_end_of(data: bytes) -> bytes | None:
    """How the lines of a block end; None when one is blank or ends in another way than the rest."""
    if data.startswith((b"\n", b"\r")):
        return None
    if b"\r" not in data:
        return None if b"\n\n" in data else b"\n"
    ends = data.count(b"\r\n")
    even = ends == data.count(b"\r") == data.count(b"\n") and b"\n\r\n" not in data
    return b"\r\n" if even else None


def parse(data: bytes, form: Form, final: bool) -> Parsed:
    """The rows of a block that starts with one and ends with a line.

    Parameters
    ----------
    data : bytes
    form : Form
    final : bool
        Whether nothing follows, so that the last row ends here in any case.
    """
    return _parse_lines(data, form) or _parse_oddly(data, form, final)


def _parse_lines(data: bytes, form: Form) -> Parsed | None:
    end = line_end_of(data)
    if end is None or not _is_utf_8(data):
        return None
    lines = data.removesuffix(end).split(end)
    if max(map(len, lines)) > LONGEST_CELL:
        return None
    if b'"' in lines[-1] and not _ends(lines[-1].decode(), form.header.separator):
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
    kept = [line for place, line in enumerate(lines) if place not in malformed] if malformed else lines
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
    return Parsed(count, lines, table, malformed, taken)
