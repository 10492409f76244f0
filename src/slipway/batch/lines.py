"""The rows of a CSV file with their bytes as they stand, block by block, from any row on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

import pyarrow

from slipway.batch.rows import Rows
from slipway.errors import TableError
from slipway.table.csv_header import BOM, END, CsvPart
from slipway.table.csv_rows import Form, Parsed, line_end_of, parse

LEAST, MOST = 1 << 16, 1 << 22  # bytes of a block
ROWS = 80_000  # of a block: the more, the faster trees answer; each takes some 500 bytes while it is worked at
PIECE = 1 << 16
LONGEST = 1 << 25
DAMAGED = "The file may be damaged: fetch or write it again"


@dataclass(frozen=True)
class Sheet:
    """A CSV file whose rows are read as they stand.

    Parameters
    ----------
    part : CsvPart
    size : int
        Of the file, in bytes.
    wanted : tuple of str
        The columns that are read.
    header : bytes
        As it stands in the file, without its line end.
    line_end : bytes
    body : int
        Byte of the text at which the rows begin.
    block : int
        Bytes of text that are read at once.
    """

    part: CsvPart
    size: int
    wanted: tuple[str, ...]
    header: bytes
    line_end: bytes
    body: int
    block: int

    @property
    def start(self) -> dict:
        """The position of the first row."""
        return {"byte": self.body, "row": 0}

    def share(self, position: dict) -> float | None:
        """How much of the file is before a position; None when it is compressed."""
        return None if self.part.where.lower().endswith(".gz") else min(1.0, position["byte"] / max(self.size, 1))

    def read(self, position: dict) -> Iterator[Callable[[], Rows]]:
        """Blocks of rows from a position on; calling one parses it, in any thread.

        Raises
        ------
        TableError
            When the file cannot be read on, or a row does not end.
        """
        names = self.part.names
        form = Form(names, self.part.separator, tuple(names.index(name) for name in self.wanted))
        byte, row, rest = position["byte"], position["row"], b""
        for piece in self._pieces(byte):
            final = not piece
            data, rest = (rest, b"") if final else _cut(rest + piece)
            if data:
                count, parsing = _count(data), partial(parse, data, form, final)
                taken = len(data)
                if count is None:  # only parsing tells where its last row ends
                    parsed = parsing()
                    count, taken = parsed.count, parsed.taken
                    parsing = partial(_same, parsed)
                    rest = data[taken:] + rest
                byte += taken
                if count:
                    yield partial(self._rows, parsing, row, {"byte": byte, "row": row + count})
                row += count
            if len(rest) > LONGEST:
                raise TableError(
                    f"{self.part.where}: row {row + 1} has more than {LONGEST >> 20} MiB",
                    "Look for a quote that is never closed",
                )

    def _rows(self, parsing: Callable[[], Parsed], row: int, position: dict) -> Rows:
        parsed = parsing()
        return Rows(self.part.where, row + 1, parsed.count, parsed.cells, position, parsed.malformed, parsed.lines)

    def _pieces(self, byte: int) -> Iterator[bytes]:
        """The text from a byte on, an empty piece at the end; cut at the same bytes wherever it begins."""
        with reading(self.part.where), self.part.opens() as text:
            _skip(text, byte)
            while True:
                piece = _filled(text, self.block - byte % self.block)
                byte += len(piece)
                yield piece
                if not piece:
                    return


def _skip(text: pyarrow.NativeFile, count: int) -> None:
    if isinstance(text, pyarrow.OSFile):
        text.seek(count)
        return
    while count:
        piece = text.read(min(count, MOST))
        if not piece:
            return
        count -= len(piece)


def _filled(text: pyarrow.NativeFile, size: int) -> bytes:
    """As many bytes, or those up to the end."""
    pieces = []
    while size:
        piece = text.read(size)
        if not piece:
            break
        pieces.append(piece)
        size -= len(piece)
    return b"".join(pieces)


def _same(parsed: Parsed) -> Parsed:
    return parsed


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """Whole lines, and the start of the next."""
    end = data.rfind(b"\n") + 1 or data.rfind(b"\r", 0, -1) + 1
    return data[:end], data[end:]


def _count(data: bytes) -> int | None:
    """How many rows a block has, where that is plain without reading them: each line is one."""
    if b'"' in data or line_end_of(data) is None:
        return None
    return data.count(b"\n") + (not data.endswith(b"\n"))


def open_sheet(part: CsvPart, size: int, wanted: tuple[str, ...]) -> Sheet:
    """Find the header of a file that `slipway.table.csv_header.open_csv` has opened."""
    head, ended = b"", False
    with reading(part.where), part.opens() as text:
        while not ended:
            piece = _filled(text, PIECE)
            head, ended = head + piece, not piece
            mark = BOM if head.startswith(BOM) else b""
            start = len(mark)
            for end in END.finditer(head):
                if end.end() == len(head) and not ended:
                    break  # perhaps the half of a CRLF
                header = head[start:end.start()]
                if header.strip():
                    line_end = b"\r\n" if end[0] == b"\r\n" else b"\n"
                    rows = head[end.end():] + (b"" if ended else text.read(PIECE))
                    return Sheet(part, size, wanted, mark + header, line_end, end.end(), _block(rows))
                start = end.end()
    return Sheet(part, size, wanted, mark + head[start:], b"\n", len(head), LEAST)


def _block(rows: bytes) -> int:
    """The bytes of a block of a file that begins with these rows."""
    return min(max(len(rows) * ROWS // (rows.count(b"\n") + 1), LEAST), MOST)


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Say which file cannot be read."""
    try:
        yield
    except (OSError, EOFError, pyarrow.ArrowException) as error:
        cure = "Get the right to read it" if isinstance(error, PermissionError) else DAMAGED
        raise TableError(f"{where}: cannot be read ({error})", cure) from error
