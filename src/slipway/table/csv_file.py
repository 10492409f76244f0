"""A CSV file, on the disk or elsewhere: its header, and its rows as record batches of text."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow
from pyarrow import csv as arrow

from slipway.errors import TableError
from slipway.table.csv_rows import Form
from slipway.table.dialect import PIECE, Header, read_header

BLOCK = 4 << 20  # bytes of text a batch; a longer row is refused
DAMAGED = "The file may be damaged: fetch or write it again"


@dataclass(frozen=True)
class CsvFile:
    """A CSV file whose header was read.

    Parameters
    ----------
    where : str
    header : Header
    rows : int or None
        About how many, by the length of the first; None for a compressed file.
    row_size : int
        Bytes of a row, about.
    opens : callable
        () → the text, at its start.
    """

    where: str
    header: Header
    rows: int | None
    row_size: int
    opens: Callable[[], pyarrow.NativeFile]

    @property
    def names(self) -> tuple[str, ...]:
        return self.header.names

    @contextmanager
    def text(self, byte: int) -> Iterator[pyarrow.NativeFile]:
        """The text from a byte on."""
        with reading(self.where), self.opens() as text:
            if isinstance(text, pyarrow.OSFile):
                text.seek(byte)
            else:
                while byte and (piece := text.read(min(byte, BLOCK))):
                    byte -= len(piece)
            yield text

    def read(self, names: Sequence[str]) -> Iterator[pyarrow.RecordBatch]:
        """Record batches of these columns: every cell as text, untouched.

        Raises
        ------
        TableError
            With the line: a row of another length, text that is not UTF-8.
        """
        form = Form(self.header, tuple(names))
        with self.text(self.header.size) as text:
            try:
                # without threads, which lose the line of an error
                batches = arrow.open_csv(
                    text,
                    arrow.ReadOptions(column_names=form.numbered, block_size=BLOCK, use_threads=False),
                    form.parsing(),
                    form.converting(),
                )
                for batch in batches:
                    yield batch.rename_columns(list(names))
            except pyarrow.ArrowInvalid as error:
                if str(error) != "Empty CSV file":
                    raise self._refused(str(error), form) from error

    def _refused(self, said: str, form: Form) -> TableError:
        row = re.search(r"Row #(\d+): (?:Expected \d+ columns, got (\d+): (.*)|.*UTF8)", said, re.DOTALL)
        if row:
            where = f"{self.where}, line {self.header.lines + int(row[1])}"
            if row[2] is None:
                return TableError(f"{where}: is not UTF-8 text", "Save it as UTF-8")
            return TableError(f"{where}: {form.fault(row[3], int(row[2]))}", "Every row needs as many cells as the header")
        if "straddl" in said:
            cure = "Look for a quote that is never closed"
            return TableError(f"{self.where}: has a row of more than {BLOCK >> 20} MiB", cure)
        return TableError(f"{self.where}: is not CSV ({' '.join(said.split())[:120]})")


@contextmanager
def reading(where: str) -> Iterator[None]:
    """Say which file cannot be read."""
    try:
        yield
    except (OSError, EOFError, pyarrow.ArrowException) as error:
        cure = "Get the right to read it" if isinstance(error, PermissionError) else DAMAGED
        raise TableError(f"{where}: cannot be read ({error})", cure) from error


def open_csv(where: str, opens: Callable[[], pyarrow.NativeFile], size: int) -> CsvFile:
    """Read the header of a file of `size` bytes; TableError naming `where` when it has none, or a wrong one."""
    packed = where.lower().endswith(".gz")

    def text() -> pyarrow.NativeFile:
        return pyarrow.CompressedInputStream(opens(), "gzip") if packed else opens()

    read: list[bytes] = []
    with reading(where), text() as stream:

        def more(size: int) -> bytes:
            read.append(stream.read(size))
            return read[-1]

        try:
            header = read_header(more)
        except TableError as error:
            raise TableError(f"{where}: {error.cause}", error.cure) from error
        sample = b"".join(read)[header.size :] + stream.read(PIECE)
        ended = not stream.read(1)
    count = sum(1 for line in sample.splitlines() if line.strip())
    row_size = len(sample) // max(count, 1)
    rows = count if ended else None if packed else (size - header.size) // max(row_size, 1)
    return CsvFile(where, header, rows, row_size, text)
