"""A CSV file in, the same rows with answers out, in bounded memory.

The upload is kept in a temporary file that has no name, so that a client that sends all before it reads does not
block, and a half-sent one leaves nothing behind. Rows are then checked and answered in blocks. A row that does not fit the schema is
returned with an empty prediction and the reason in the column ``error``; nothing is dropped.
"""

import codecs
import csv
import io
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from slipway.schema import MISSING_MARKERS, Field, Schema
from slipway.serving.problems import Problem
from slipway.serving.service import Service

BLOCK = 500
CHUNK = 1 << 16
LONGEST_LINE = 1 << 20
IN_MEMORY = 1 << 20


@dataclass(frozen=True)
class Upload:
    """A table that is being read.

    Parameters
    ----------
    header : list of str
        All columns of the file, in its order.
    rows : iterator of list of str
    """

    header: list[str]
    rows: Iterator[list[str]]


def spool(stream: BinaryIO) -> BinaryIO:
    """The whole upload, in memory up to a megabyte and in an unnamed temporary file beyond."""
    spooled = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)
    try:
        shutil.copyfileobj(stream, spooled, CHUNK)
    except BaseException:
        spooled.close()
        raise
    spooled.seek(0)
    return spooled


def open_rows(stream: BinaryIO, schema: Schema) -> Upload:
    """Read the header; Problem 400 or 422 when it does not fit, before anything is answered."""
    rows = csv.reader(_lines(stream), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
    except csv.Error as error:
        raise Problem(400, "The body is not a CSV table", f"line 1: {error}") from None
    if not any(header):
        raise Problem(400, "The body is not a CSV table", "expected a header with the fields' names; the body is empty")
    absent = [field.name for field in schema if field.name not in header and not field.optional]
    if absent:
        shown = ", ".join(absent[:20]) + (" …" if len(absent) > 20 else "")
        raise Problem(422, "Columns are missing", f"the header lacks {shown}")
    twice = sorted({name for name in header if header.count(name) > 1 and name in schema.names})
    if twice:
        raise Problem(422, "Columns are given twice", ", ".join(twice))
    return Upload(header, rows)


def _lines(stream: BinaryIO) -> Iterator[str]:
    """Lines of text from chunks of bytes; Problem 400 when they are not UTF-8 or a line has no end."""
    decode = codecs.getincrementaldecoder("utf-8-sig")().decode
    rest = ""
    while True:
        chunk = stream.read(CHUNK)
        try:
            rest += decode(chunk, not chunk)
        except UnicodeDecodeError:
            raise Problem(400, "The body is not a CSV table", "expected UTF-8 text") from None
        lines = io.StringIO(rest, newline="").readlines()
        rest = lines.pop() if lines and chunk else ""
        yield from lines
        if not chunk:
            return
        if len(rest) > LONGEST_LINE:
            raise Problem(400, "The body is not a CSV table", "a line is longer than a megabyte")


def answers(upload: Upload, service: Service) -> Iterator[tuple[bytes, int, int]]:
    """CSV text of each block, with how many rows of it were answered and how many refused."""
    labels = [f"probability {name}" for name in service.predictor.classes]
    header = [*upload.header, "prediction", *labels, "error"]
    yield _csv([header]), 0, 0
    block: list[list[str]] = []
    number = 1
    try:
        for cells in upload.rows:
            if cells:
                block.append(cells)
            if len(block) == BLOCK:
                yield _answered(block, number, upload.header, service)
                number += len(block)
                block = []
        ending = []
    except (csv.Error, Problem) as error:  # the answer is under way: what is wrong can only be said in it
        said = error.detail if isinstance(error, Problem) else str(error)
        ending = [[""] * (len(header) - 1) + [f"reading stopped after row {number + len(block) - 1}: {said}"]]
    if block:
        yield _answered(block, number, upload.header, service)
    if ending:
        yield _csv(ending), 0, 1


def _answered(block: list[list[str]], number: int, header: list[str], service: Service) -> tuple[bytes, int, int]:
    fields = {field.name: (header.index(field.name), field) for field in service.schema if field.name in header}
    good, rows, errors = [], [], []
    for place, cells in enumerate(block):
        if len(cells) != len(header):
            errors.append(f"row {number + place}: has {len(cells)} cells, the header {len(header)}")
            continue
        row = {name: _value(cells[index], field) for name, (index, field) in fields.items()}
        clean, wrong = service.decoder.check_row(number + place, row)
        errors.append(f"row {number + place}: " + "; ".join(map(str, wrong)) if wrong else "")
        if not wrong:
            good.append(place)
            rows.append(clean)
    empty = [""] * (1 + len(service.predictor.classes))
    answered = [empty] * len(block)
    for place, answer in zip(good, _predictions(rows, service)):
        answered[place] = answer
    table = [[*cells, *answer, error] for cells, answer, error in zip(block, answered, errors)]
    return _csv(table), len(good), len(block) - len(good)


def _predictions(rows: list[dict], service: Service) -> list[list]:
    if not rows:
        return []
    columns, _ = service.decoder.columns(rows)
    prediction = service.predictor.predict(columns)
    if prediction.probabilities is None:
        return [[value] for value in prediction.values]
    return [[value, *row] for value, row in zip(prediction.values, prediction.probabilities.tolist())]


def _value(text: str, field: Field):
    """The JSON value that a cell stands for; a text that is no number stays one, for the decoder to refuse."""
    text = text.strip()
    if field.type == "category" and text in field.levels:
        return text
    if text.lower() in MISSING_MARKERS:
        return None
    if field.type in ("number", "integer") and "_" not in text:
        try:
            return float(text)
        except ValueError:
            return text
    return text


def _csv(rows: Sequence[Sequence]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(rows)
    return buffer.getvalue().encode()
