"""CSV as people save it: one reading of the header, and one rule for rows and cells, at every door.

Training, `slipway predict` and uploads all use it. This module needs the standard library alone: the service imports it.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from slipway.errors import TableError

INDEX = "Unnamed: 0"
SEPARATORS = ",;\t|"
BOM = b"\xef\xbb\xbf"
PIECE = 1 << 16
LONGEST_HEADER = 1 << 22  # bytes
MOST_BLANK_LINES = 1000
LONGEST_CELL = csv.field_size_limit()  # characters
EXCEL = re.compile(rb'("?)sep=([\t!#-/:-@[-`{-~])\1 *', re.IGNORECASE)  # Excel's line in front of the header
QUOTED = re.compile(r'(^|[,;\t|]) *"(?:[^"]|"")*+"')
PAIR = re.compile(r'"((?:[^"]|"")*+)"')
AFTER_BLANK = re.compile(r'\s+"')


@dataclass(frozen=True)
class Header:
    """What a CSV file says before its first row.

    Parameters
    ----------
    names : tuple of str
        Without blanks and quotes around them; a first column without a name (an index that pandas wrote) is ``Unnamed: 0``.
    separator : str
    line_end : str
        CRLF when the header ends with it, else a line feed.
    raw : bytes
        As it stands, with a byte order mark and Excel's line ``sep=;``; without its last line end.
    size : int
        Bytes before the first row.
    lines : int
        Lines before the first row.
    """

    names: tuple[str, ...]
    separator: str
    line_end: str
    raw: bytes
    size: int
    lines: int

    @cached_property
    def places(self) -> dict[str, int]:
        """Where each column is, from 0."""
        return {name: place for place, name in enumerate(self.names)}


def read_header(read: Callable[[int], bytes], most_columns: int | None = None) -> Header:
    """Read the first lines of a CSV file.

    Parameters
    ----------
    read : callable
        (size) → the next bytes, at most as many; none at the end. It is called for more than the header.
    most_columns : int or None
        None for no bound.

    Raises
    ------
    TableError
        What is wrong with the header, without the name of the file.
    """
    raw, separator, size = b"", "", 0
    for count, line in enumerate(_lines(read), 1):
        size += len(line)
        if count == 1 and line.startswith(BOM):
            raw, line = BOM, line.removeprefix(BOM)
        content = line.rstrip(b"\r\n")
        if not content.strip():
            if count > MOST_BLANK_LINES:
                raise TableError(f"the first {MOST_BLANK_LINES} lines are blank", "Begin the table with its header")
            continue
        told = None if separator else EXCEL.fullmatch(content)
        if told:
            raw, separator = raw + line, told[2].decode()
            continue
        text = _text(content)
        separator = separator or _separator(text)
        names = _names(text, separator, most_columns)
        return Header(names, separator, "\r\n" if line.endswith(b"\r\n") else "\n", raw + content, size, count)
    raise TableError("the table is empty", "It needs a header and rows")


def _lines(read: Callable[[int], bytes]) -> Iterator[bytes]:
    """Lines with their ends; the last of what was read waits for more, because it may end in the half of a CRLF."""
    rest = b""
    while piece := read(PIECE):
        *whole, rest = (rest + piece).splitlines(keepends=True)
        yield from whole
        if len(rest) > LONGEST_HEADER:
            raise TableError(f"the header has more than {LONGEST_HEADER >> 20} MiB", "Check that the table has line ends")
    if rest:
        yield rest


def _text(content: bytes) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise TableError(f"the header is not UTF-8 text ({error.reason})", "Save the table as UTF-8") from error
    if "\0" in text:
        raise TableError("the header has NUL bytes; it is not CSV in UTF-8", "Save the table as UTF-8")
    return text


def _separator(text: str) -> str:
    """The one that the header has most of outside quotes."""
    return max(SEPARATORS, key=QUOTED.sub(r"\1", text).count)


def _names(text: str, separator: str, most_columns: int | None) -> tuple[str, ...]:
    rows = csv.reader([text, "end"], delimiter=separator, skipinitialspace=True)
    try:
        cells = next(rows)
    except csv.Error as error:
        cure = "Check that the table has line ends, and that every quote is closed"
        raise TableError(f"the header has a cell of more than {LONGEST_CELL} characters", cure) from error
    if next(rows, None) is None:  # it took what follows for a part of its last cell
        raise TableError("the header has a quote that is not closed on its line", "Write the header in one line")
    if most_columns and len(cells) > most_columns:
        cure = "Remove columns that are not needed"
        raise TableError(f"the table has {len(cells)} columns; expected at most {most_columns}", cure)
    names = [bare(cell) for cell in cells]
    if names[0] == "":
        names[0] = INDEX
    if "" in names:
        raise TableError(f"column {names.index('') + 1} of the header has no name", "Name it or remove it")
    require_unique(names)
    return tuple(names)


def require_unique(names: Iterable[str]) -> None:
    """TableError when two columns have one name."""
    counted = Counter(names).most_common(1)
    if counted and counted[0][1] > 1:
        raise TableError(f"duplicate column name {counted[0][0][:80]!r}", "Rename or remove one of the columns")


def read_rows(lines: Iterable[str], separator: str) -> Iterator[list[str] | None]:
    """The cells of each row; none for a blank line, None for a row with a cell that is too long."""
    reader = csv.reader(lines, delimiter=separator)
    while True:
        try:
            yield next(reader)
        except StopIteration:
            return
        except csv.Error:  # it goes on with the next line
            yield None


def shape_error(row: list[str] | None, size: int) -> str:
    """What is wrong with a row as such, None for one that cannot be read; empty when nothing is."""
    if row is None:
        return "the row cannot be read: one of its cells is too long"
    if len(row) == size:
        return ""
    cure = "; remove the blank before the quote" if any(map(AFTER_BLANK.match, row)) else ""
    return f"expected {size} cells, got {len(row)}{cure}"


def bare(text: str) -> str:
    """The text without blanks around it, and without the pair of double quotes that is then around it.

    A byte order mark in front is none of it: it comes from a file that was put behind another.
    """
    text = text.strip().removeprefix("\ufeff").lstrip()
    pair = PAIR.fullmatch(text) if text.startswith('"') else None
    return pair[1].replace('""', '"').strip() if pair else text
