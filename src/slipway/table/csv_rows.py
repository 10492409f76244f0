"""A block of CSV text → rows, by the rules of ``POST /predict/file``.

A block in which every line is a row is read by Arrow; one in which something is odd (a line end within quotes, a blank
line, a lone carriage return, a byte that is not UTF-8) by Python's csv, as the service does.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow
from pyarrow import csv as arrow

from slipway.table.rules import shape_error

LONGEST_CELL = csv.field_size_limit()
NOT_UTF_8 = "the row is not UTF-8 text"


@dataclass(frozen=True)
class Form:
    """How the rows of a file are written.

    Parameters
    ----------
    names : tuple of str
    separator : str
    places : tuple of int
        Which columns are wanted.
    """

    names: tuple[str, ...]
    separator: str
    places: tuple[int, ...]


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
    if b'"' in lines[-1] and not _ends(lines[-1].decode(), form.separator):
        return None
    found: list = []
    numbered = [str(place) for place in range(len(form.names))]
    try:
        table = arrow.read_csv(
            pyarrow.BufferReader(data),
            read_options=arrow.ReadOptions(column_names=numbered, use_threads=False, block_size=len(data) + 1),
            parse_options=arrow.ParseOptions(
                delimiter=form.separator, newlines_in_values=b'"' in data,
                invalid_row_handler=lambda row: found.append(row) or "skip",
            ),
            convert_options=arrow.ConvertOptions(
                column_types=dict.fromkeys(numbered, pyarrow.string()), strings_can_be_null=False, check_utf8=False,
                include_columns=[numbered[place] for place in form.places],
            ),
        )
    except pyarrow.ArrowInvalid:
        return None
    if table.num_rows + len(found) != len(lines):  # a line end within quotes
        return None
    malformed = {row.number - 1: shape_error([""] * row.actual_columns, len(numbered)) for row in found}
    kept = [line for place, line in enumerate(lines) if place not in malformed] if malformed else lines
    return Parsed(len(lines), kept, _named(table, form), malformed, len(data))


def _is_utf_8(data: bytes) -> bool:
    try:
        return data.isascii() or bool(data.decode())
    except UnicodeDecodeError:
        return False


def _ends(line: str, separator: str) -> bool:
    """Whether a row ends with this line, its first."""
    text = _Text(iter([line]))
    next(csv.reader(text, delimiter=separator))
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
    for row in _rows(csv.reader(text, delimiter=form.separator)):
        if text.asked and not final:
            break
        raw = "".join(text.taken).encode("utf-8", "surrogateescape")
        text.taken = []
        taken += len(raw)
        if row == []:
            continue
        wrong = shape_error(row, len(form.names)) or ("" if _is_utf_8(raw) else NOT_UTF_8)
        if wrong:
            malformed[count] = wrong
        else:
            closed = raw + b'"' if text.asked else raw  # else what is written behind it would be within the quotes
            lines.append(closed.removesuffix(b"\n").removesuffix(b"\r"))
            rows.append(row)
        count += 1
    columns = [pyarrow.array([row[place] for row in rows], pyarrow.string()) for place in form.places]
    return Parsed(count, lines, _named(pyarrow.table(columns, [str(place) for place in form.places]), form), malformed, taken)


def _rows(reader: Iterator[list[str]]) -> Iterator[list[str] | None]:
    """Rows; None for one with a cell beyond the reader's limit, after which it goes on with the next line."""
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:
            yield None


def _named(table: pyarrow.Table, form: Form) -> pyarrow.Table:
    return table.rename_columns([form.names[place] for place in form.places])
