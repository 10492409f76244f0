"""CSV as people save it: with or without a byte order mark, CRLF, final newline; commas, semicolons or tabs."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import pyarrow
from pyarrow import csv as arrow

from slipway.errors import TableError

SEPARATORS = ",;\t|"
INDEX = "Unnamed: 0"
BLOCK = 4 << 20  # bytes of text a batch; a longer row is refused
HEAD = 1 << 16
BOM = b"\xef\xbb\xbf"
END = re.compile(rb"\r\n|\n|\r")


@dataclass(frozen=True)
class CsvPart:
    """A CSV file whose header was read.

    Parameters
    ----------
    where : str
    names : tuple of str
        Without blanks around them; a first column without a name (an index that pandas wrote) is ``Unnamed: 0``.
    rows : int or None
        About how many, by the length of the first; None for a compressed file.
    separator : str
    skipped : int
        Lines up to the first row.
    opens : callable
        () → the text, at its start.
    """

    where: str
    names: tuple[str, ...]
    rows: int | None
    separator: str
    skipped: int
    opens: Callable[[], pyarrow.NativeFile]

    def read(self, names: Sequence[str]) -> Iterator[pyarrow.RecordBatch]:
        """Record batches of these columns: every cell as text, untouched.

        Raises
        ------
        TableError
            With the line: a row of another length, text that is not UTF-8.
        """
        if self.rows == 0:
            return
        places = [str(self.names.index(name)) for name in names]
        numbered = [str(place) for place in range(len(self.names))]
        with _told(self.where), self.opens() as text:
            batches = arrow.open_csv(
                text,
                read_options=arrow.ReadOptions(
                    column_names=numbered, skip_rows_after_names=self.skipped, block_size=BLOCK,
                    use_threads=False,  # threads lose the line of an error
                ),
                parse_options=arrow.ParseOptions(delimiter=self.separator, newlines_in_values=True),
                convert_options=arrow.ConvertOptions(
                    column_types=dict.fromkeys(numbered, pyarrow.string()), strings_can_be_null=False,
                    include_columns=places,
                ),
            )
            for batch in batches:
                yield batch.rename_columns(list(names))


@contextmanager
def _told(where: str) -> Iterator[None]:
    """Say in words of this program why a CSV file cannot be read."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise TableError(f"{where}: is not UTF-8 text ({error.reason})", "Save it as UTF-8") from error
    except (pyarrow.ArrowInvalid, csv.Error) as error:
        raise _refused(where, error) from error
    except (OSError, EOFError) as error:
        raise TableError(f"{where}: cannot be read ({error})") from error


def _refused(where: str, error: Exception) -> TableError:
    said = " ".join(str(error).removeprefix("CSV parse error: ").split())
    if "UTF8" in said:
        line = re.search(r"Row #(\d+)", said)
        return TableError(f"{where}{f', line {line[1]}' if line else ''}: is not UTF-8 text", "Save it as UTF-8")
    if "straddl" in said:
        return TableError(f"{where}: has a row of more than {BLOCK >> 20} MiB", "Look for a quote that is never closed")
    shape = re.match(r"(Row #(\d+): )?Expected (\d+) columns, got (\d+)", said)
    if not shape:
        return TableError(f"{where}: is not CSV ({said[:120]})")
    line = f", line {shape[2]}" if shape[2] else ""
    return TableError(
        f"{where}{line}: has {shape[4]} cells, the header {shape[3]}", "Every row needs as many cells as the header"
    )


def open_csv(where: str, opens: Callable[[], pyarrow.NativeFile], size: int) -> CsvPart:
    """Read the header of a file of `size` bytes.

    Raises
    ------
    TableError
        No header, a column without a name, a name given twice, text that is not UTF-8.
    """
    packed = where.lower().endswith(".gz")

    def text() -> pyarrow.NativeFile:
        return pyarrow.CompressedInputStream(opens(), "gzip") if packed else opens()

    with _told(where):
        with text() as stream:
            head, ended = _head(stream)
        lines = END.split(head.removeprefix(BOM))
        place = next((place for place, line in enumerate(lines) if line.strip()), None)
        if place is None:
            raise TableError(f"{where}: is empty")
        separator, names = _header(where, lines[place].decode())
    following = sum(1 for line in lines[place + 1:] if line.strip())
    rows = following if ended else None if packed else following * size // len(head)
    return CsvPart(where, tuple(names), rows, separator, place + 1, text)


def _head(stream: pyarrow.NativeFile) -> tuple[bytes, bool]:
    """The start of a file with the whole of its header, and whether that is all of it."""
    head = b""
    while chunk := stream.read(HEAD):
        head += chunk
        if len(head) >= HEAD and END.search(head.removeprefix(BOM).lstrip()):
            return head, False
    return head, True


def _header(where: str, first: str) -> tuple[str, list[str]]:
    if "\0" in first:
        raise TableError(f"{where}: has NUL bytes; it is not a CSV file in UTF-8")
    separator = max(SEPARATORS, key=first.count)
    rows = csv.reader([first, "end"], delimiter=separator)
    names = [name.strip() for name in next(rows)]
    if next(rows, None) is None:  # it took what follows for a part of its last cell
        raise TableError(f"{where}: its header has a quote that is not closed on its line", "Write the header in one line")
    if names[0] == "":
        names[0] = INDEX
    if "" in names:
        raise TableError(f"{where}: column {names.index('') + 1} of the header has no name")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise TableError(f"{where}: duplicate column name {twice[0]!r}")
    return separator, names
