"""A CSV in, the same CSV out with its predictions, in bounded memory.

Cells are read as training reads them. A row that cannot be answered stays, without a prediction and with the reason in
the column ``error``.
"""

import codecs
import csv
import io
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from slipway.errors import TableError
from slipway.serving.refusal import Refusal
from slipway.serving.service import Service
from slipway.table.dialect import read_header, read_rows, shape_error
from slipway.table.rules import LISTED, NO_ANSWER, FieldProblem, Rule, rows_without_answer, typed_column
from slipway.table.schema import Columns, fresh_names

IN_MEMORY = 1 << 20
ROWS = 1000
PORTION = 1 << 20  # letters and cells
LONGEST_LINE = 1 << 20
MOST_COLUMNS = 16_384  # those of a spreadsheet; a short row is filled up to the header


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
    rules: tuple[Rule, ...]
    places: list[int]
    rows: Iterator[list[str] | None]


def spool(pieces: Iterable[bytes]) -> BinaryIO:
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
        raise Refusal(422, "The table is not UTF-8.") from error
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


def open_sheet(file: BinaryIO, rules: tuple[Rule, ...]) -> Sheet:
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
        for rule in rules if rule.field.name not in header.places
    ]
    if missing:
        says = "The header does not name the columns that are needed."
        raise Refusal(422, says, missing[:LISTED], {"missing": len(missing)})
    places = [header.places[rule.field.name] for rule in rules]
    file.seek(header.size)
    rows = read_rows(io.TextIOWrapper(file, encoding="utf-8", newline=""), header.separator)
    filled = (row for row in rows if row != [])  # without blank lines
    return Sheet(header.names, header.separator, header.line_end, header.raw, rules, places, filled)


def answer(sheet: Sheet, service: Service, facts: Any) -> Iterator[bytes]:
    """The table with its predictions, portion by portion; counts them in ``facts.rows``."""
    classes = service.predictor.classes
    added = ["prediction", *(f"probability_{label}" for label in classes), "warning", "error"]
    yield sheet.raw + sheet.separator.encode() + _written(sheet, [fresh_names(added, sheet.header)])
    extra_markers = {
        name: frozenset(marker.strip().lower() for marker in service.problem.markers(name)) for name in service.schema.names
    }
    for rows in _portions(sheet):
        yield _answer_rows(sheet, rows, service, extra_markers, facts)


def _portions(sheet: Sheet) -> Iterator[list]:
    """The rows, a thousand at a time; fewer where they are long, so that memory stays bounded."""
    rows, size = [], 0
    for row in sheet.rows:
        rows.append(row)
        size += len(sheet.header) + sum(map(len, row or ()))
        if len(rows) == ROWS or size > PORTION:
            yield rows
            rows, size = [], 0
    if rows:
        yield rows


def _answer_rows(sheet: Sheet, rows: list, service: Service, extra_markers: dict[str, frozenset[str]], facts: Any) -> bytes:
    values, errors = _checked(sheet, rows, extra_markers, service)
    good = [index for index, error in enumerate(errors) if not error]
    width = len(service.predictor.classes) + 2
    added = [[""] * width + [error] for error in errors]
    if good:
        columns = {
            rule.field.name: typed_column(rule.field, [column[index] for index in good])
            for rule, column in zip(sheet.rules, values)
        }
        for index, answered in zip(good, _answers(columns, service)):
            added[index] = answered
            facts.rows += not answered[-1]
    size = len(sheet.header)
    return _written(sheet, [((row or []) + [""] * size)[:size] + extra for row, extra in zip(rows, added)])


def _checked(sheet: Sheet, rows: list, extra_markers: dict[str, frozenset[str]], service: Service) -> tuple[list, list[str]]:
    """Values by rule and row, and per row what is wrong with it (empty when nothing is)."""
    size = len(sheet.header)
    errors = [shape_error(row, size) for row in rows]
    full = [row if not error else None for row, error in zip(rows, errors)]
    values = []
    counts: Counter[str] = Counter()
    for rule, place in zip(sheet.rules, sheet.places):
        column = [None if row is None else rule.read_cell(row[place], extra_markers[rule.field.name]) for row in full]
        values.append(column)
        for index, value in enumerate(column):
            fault = rule.fault(value) if full[index] is not None else None
            if fault:
                counts[fault[0]] += 1
                errors[index] += f"{'; ' if errors[index] else ''}{rule.field.name}: {fault[1]}"
    service.metrics.count_rejected(counts)
    return values, errors


def _answers(columns: Columns, service: Service) -> list[list]:
    """Per row the prediction, probabilities, warning and error."""
    prediction = service.predict(columns)
    notes = service.decoder.watch.notes(columns, len(prediction.values))
    probabilities = [[]] * len(notes) if prediction.probabilities is None else prediction.probabilities.tolist()
    answers = [[value, *row, note, ""] for value, row, note in zip(prediction.values, probabilities, notes)]
    for index in rows_without_answer(prediction.values, prediction.probabilities).tolist():
        answers[index] = [""] * (len(answers[index]) - 1) + [NO_ANSWER]
    return answers


@dataclass(frozen=True)
class _Text:
    """Takes lines that end in CRLF, and ends them as the sheet does.

    Of CRLF Python's csv puts either sign within a cell into quotes; of the sheet's own line end it might leave one bare.
    """

    content: io.StringIO
    line_end: str

    def write(self, line: str) -> None:
        self.content.write(line[:-2] + self.line_end)


def _written(sheet: Sheet, rows: Iterable[list]) -> bytes:
    text = _Text(io.StringIO(newline=""), sheet.line_end)
    csv.writer(text, delimiter=sheet.separator, lineterminator="\r\n").writerows(rows)
    return text.content.getvalue().encode()
