"""The rows of a CSV file with their bytes as they stand, block by block, from any row on."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import pyarrow

from slipway.batch.rows import Position, Rows
from slipway.errors import TableError
from slipway.table.csv_file import CsvFile
from slipway.table.csv_rows import Form, Parsed, lines_of, parse

LEAST, MOST = 1 << 16, 1 << 22  # bytes of a block
ROWS = 80_000  # of a block: the more, the faster trees answer; each takes some 500 bytes while it is worked at
LONGEST = 1 << 25


@dataclass(frozen=True)
class Sheet:
    """A CSV file whose rows are read as they stand.

    Parameters
    ----------
    file : CsvFile
    size : int
        Of the file, in bytes.
    wanted : tuple of str
        The columns that are read.
    """

    file: CsvFile
    size: int
    wanted: tuple[str, ...]

    @property
    def block(self) -> int:
        """Bytes of text that are read at once."""
        return min(max(self.file.row_size * ROWS, LEAST), MOST)

    @property
    def start(self) -> Position:
        """The position of the first row."""
        return {"byte": self.file.header.size, "row": 0}

    @property
    def names(self) -> tuple[str, ...]:
        return self.file.names

    def share(self, position: Position) -> float | None:
        """How much of the file is before a position; None when it is compressed."""
        return None if self.file.where.lower().endswith(".gz") else min(1.0, position["byte"] / max(self.size, 1))

    def read(self, position: Position) -> Iterator[Callable[[], Rows]]:
        """Blocks of rows from a position on; calling one parses it, in any thread.

        Raises
        ------
        TableError
            When the file cannot be read on, or a row does not end.
        """
        form = Form(self.file.header, self.wanted)
        byte, row, rest = position["byte"], position["row"], b""
        for piece in self._pieces(byte):
            final = not piece
            data, rest = (rest, b"") if final else _cut(rest, piece)
            if data:
                lines = lines_of(data)
                parsing, taken = partial(parse, data, form, final, lines), len(data)
                if lines and b'"' not in data:  # each line is a row
                    count = len(lines)
                else:  # only parsing tells where its last row ends
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
                    f"{self.file.where}: row {row + 1} has more than {LONGEST >> 20} MiB",
                    "Look for a quote that is never closed",
                )

    def _rows(self, parsing: Callable[[], Parsed], row: int, position: Position) -> Rows:
        parsed = parsing()
        return Rows(self.file.where, row + 1, parsed.count, parsed.cells, position, parsed.malformed, parsed.lines)

    def _pieces(self, byte: int) -> Iterator[bytes]:
        """The text from a byte on, an empty piece at the end; cut at the same bytes wherever it begins."""
        block = self.block
        with self.file.text(byte) as text:
            while True:
                piece = _filled(text, block - byte % block)
                byte += len(piece)
                yield piece
                if not piece:
                    return


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


def _cut(rest: bytes, piece: bytes) -> tuple[bytes, bytes]:
    """Whole lines, and the start of the next."""
    end = piece.rfind(b"\n") + 1
    if not end:
        rest, piece = b"", rest + piece
        end = piece.rfind(b"\n") + 1 or piece.rfind(b"\r", 0, -1) + 1
    return b"".join((rest, memoryview(piece)[:end])), piece[end:]
