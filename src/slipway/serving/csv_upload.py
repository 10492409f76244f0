"""A CSV in, the same CSV out with its predictions, in bounded memory.

Cells are read as training reads them. A row that cannot be answered stays, without a prediction and with the reason in
the column ``error``.
"""

import codecs
import csv
import io
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from slipway.errors import TableError
from slipway.model.intervals import ENDS
from slipway.model.scoring import added_columns, added_names, reasons_of
from slipway.serving.call import Asked, Call
from slipway.serving.recorder import as_read
from slipway.serving.refusal import Refusal
from slipway.serving.service import Service
from slipway.table.dialect import read_header, read_rows, shape_error
from slipway.table.faults import LISTED, Faults, FieldProblem, tally_key
from slipway.table.rules import Rule, Rules, spread
from slipway.table.schema import fresh_names

IN_MEMORY = 1 << 20
ROWS = 1000
PORTION = 1 << 20  # letters and cells
LONGEST_LINE = 1 << 20
MOST_COLUMNS = 16_384  # those of a spreadsheet; a short row is filled up to the header

Row = list[str] | None  # its cells; None when it cannot be read


@dataclass(frozen=True)
class Sheet:
    """An uploaded table whose header fits.

    Parameters
    ----------
    header : tuple of str
    separator, line_end : str
    raw : bytes
        The header as it stands.
    places : list of int
        Index of each rule's column.
    rows : iterator
        Cells of each row; None for a row that cannot be read.
    """

    header: tuple[str, ...]
    separator: str
    line_end: str
    raw: bytes
    rules: Rules
    places: list[int]
    rows: Iterator[Row]


def spool(pieces: Iterable[bytes]) -> IO[bytes]:
    """A copy of an upload, so that the answer is not written while the client still sends.

    Raises
    ------
    Refusal
        422 when it is not UTF-8, or has a line that Python's csv, which reads whole lines, should not hold in memory.
    """
    file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the caller closes it
    check = codecs.getincrementaldecoder("utf-8")()
    line = 0  # bytes since the last line end
    try:
        for piece in pieces:
            check.decode(piece)
            end = max(piece.rfind(b"\n"), piece.rfind(b"\r")) + 1
            line = len(piece) - end if end else line + len(piece)
            if line > LONGEST_LINE:
                raise Refusal(422, f"The table has a line of more than {LONGEST_LINE} bytes; are its line ends missing?")
            file.write(piece)
        check.decode(b"", final=True)
    except UnicodeDecodeError as error:
        file.close()
        raise Refusal(422, "The table is not UTF-8. Save it as UTF-8.") from error
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def open_sheet(file: IO[bytes], rules: Rules) -> Sheet:
    """Read the header.

    Raises
    ------
    Refusal
        422: it cannot be read, or columns are missing.
    """
    try:
        header = read_header(file.read, MOST_COLUMNS)
    except TableError as error:
        raise Refusal(422, f"{error.cause[0].upper()}{error.cause[1:]}. {error.cure}.") from error
    missing = [
        FieldProblem(None, rule.field.name, "missing", "the table has no such column")
        for rule in rules
        if rule.field.name not in header.places
    ]
    if missing:
        says = "The header lacks required columns."
        raise Refusal(422, says, missing[:LISTED], {tally_key(each.field, each.reason): 1 for each in missing})
    places = [header.places[rule.field.name] for rule in rules]
    file.seek(header.size)
    rows = read_rows(io.TextIOWrapper(file, encoding="utf-8", newline=""), header.separator)
    filled = (row for row in rows if row != [])  # without blank lines
    return Sheet(header.names, header.separator, header.line_end, header.raw, rules, places, filled)


def answer(sheet: Sheet, service: Service, call: Call, level: float | None = None) -> Iterator[bytes]:
    """The table with its predictions, and their intervals of a level, portion by portion; counts them in ``call.rows``."""
    ends = () if level is None else ENDS
    added = added_names(service.predictor, *ends, "warning", "error")
    yield sheet.raw + sheet.separator.encode() + _written(sheet, [fresh_names(added, sheet.header)])
    first = 0
    for rows in _portions(sheet):
        yield _answer_rows(sheet, rows, first, service, call, level)
        first += len(rows)


def _portions(sheet: Sheet) -> Iterator[list[Row]]:
    """The rows, a thousand at a time; fewer where they are long, so that memory stays bounded."""
    rows: list[Row] = []
    size = 0
    for row in sheet.rows:
        rows.append(row)
        size += len(sheet.header) + sum(map(len, row or ()))
        if len(rows) == ROWS or size > PORTION:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows


def _answer_rows(sheet: Sheet, rows: list[Row], first: int, service: Service, call: Call, level: float | None) -> bytes:
    """A portion of the table, whose first row has the number `first`, with its predictions."""
    size = len(sheet.header)
    malformed = {place: wrong for place, row in enumerate(rows) if (wrong := shape_error(row, size))}
    well_formed = {first + place: row for place, row in enumerate(rows) if row is not None and place not in malformed}
    found = service.answer(_asked(sheet, well_formed, service), call)
    answers = found.answers.said(found.unlike).between(service.intervals, level)
    answered = iter(added_columns(answers, len(well_formed)))
    blank = [None] * ((0 if answers.beside is None else answers.beside.shape[1]) + 2)
    added = [[*blank, malformed[place]] if place in malformed else next(answered) for place in range(len(rows))]
    return _written(sheet, [((row or []) + [""] * size)[:size] + extra for row, extra in zip(rows, added)])


def _asked(sheet: Sheet, rows: Mapping[int, list[str]], service: Service) -> Asked:
    """Well-formed rows, by their number in the table."""
    cells, columns, faults = list(rows.values()), {}, {}
    for rule, place in zip(service.rules, sheet.places):
        columns[rule.field.name], faults[rule.field.name] = _column(rule, [row[place] for row in cells])
    refused = Counter(tally_key(name, fault.reason) for name, wrong in faults.items() for fault in wrong.values())

    def logged(chosen: np.ndarray | None) -> Sequence[Any]:
        answered = np.arange(len(cells)) if chosen is None else chosen
        given = [dict(zip(sheet.header, cells[row])) for row in answered.tolist()]
        typed = {name: column[answered] for name, column in columns.items()}
        return as_read(service.schema, typed, given, service.ids)

    return Asked(columns, len(cells), reasons_of(faults), logged, refused, {}, False, list(rows))


def _column(rule: Rule, cells: list[str]) -> tuple[np.ndarray, Faults]:
    """The typed column of these cells, each distinct one read once, and what is wrong with them."""
    places: dict[str, int] = {}
    codes = np.array([places.setdefault(cell, len(places)) for cell in cells], dtype=np.int64)
    return spread(*rule.read(list(places)), codes)


@dataclass(frozen=True)
class _Text:
    """Takes lines that end in CRLF, and ends them as the sheet does.

    Of CRLF Python's csv puts either sign within a cell into quotes; of the sheet's own line end it might leave one bare.
    """

    content: io.StringIO
    line_end: str

    def write(self, line: str) -> None:
        self.content.write(line[:-2] + self.line_end)


def _written(sheet: Sheet, rows: Iterable[Sequence[Any]]) -> bytes:
    text = _Text(io.StringIO(newline=""), sheet.line_end)
    csv.writer(text, delimiter=sheet.separator, lineterminator="\r\n").writerows(rows)
    return text.content.getvalue().encode()
